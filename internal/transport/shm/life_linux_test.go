package shm

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// two returns both ends of a link, in one process, and what they deliver.
func two(t *testing.T) (conns [2]*Conn, seen [2]*log) {
	e := newEnds(t)
	for i := range conns {
		c, err := e.open(i, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[i], seen[i] = c, &log{tb: t}
	}
	return conns, seen
}

func send(t *testing.T, c *Conn, kind wire.Kind, id uint64, size int) transport.Result {
	t.Helper()
	res, err := c.Send(1-c.cfg.Self, &wire.Header{Kind: kind, ID: id, Bytes: uint64(size)}, layout.Of(make([]byte, size)), id)
	if err != nil {
		t.Fatalf("frame %d: %v", id, err)
	}
	return res
}

func pollAll(c *Conn, h transport.Handler) {
	for c.Poll(h) {
	}
}

func TestPeerThatClosesIsLostAfterItsLastFrame(t *testing.T) {
	conns, seen := two(t)
	for id := range uint64(100) {
		send(t, conns[0], wire.Ack, id, 0)
	}
	if err := conns[0].Close(); err != nil {
		t.Fatal(err)
	}
	if !conns[1].Ready() {
		t.Error("not Ready, with frames there")
	}
	pollAll(conns[1], seen[1])
	if n := len(seen[1].delivered); n != 100 {
		t.Errorf("%d frames delivered, want 100", n)
	}
	if len(seen[1].lost) != 1 || !errors.Is(seen[1].lost[0], ErrPeerClosed) {
		t.Errorf("lost with %v, want %v", seen[1].lost, ErrPeerClosed)
	}
	if _, err := conns[1].Send(0, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, ErrPeerClosed) {
		t.Errorf("Send: %v, want %v", err, ErrPeerClosed)
	}
}

func TestDeadPeerIsLostAfterWhatItHadPublished(t *testing.T) {
	conns, seen := two(t)
	dead := errors.New("killed by the test")
	for id := range uint64(100) {
		send(t, conns[0], wire.Ack, id, 0)
	}
	send(t, conns[0], wire.Eager, 100, ringBytes) // of which the end never comes
	conns[1].Fail(0, dead)
	conns[1].Fail(0, errors.New("a later cause"))
	if !conns[1].Ready() {
		t.Error("not Ready")
	}
	pollAll(conns[1], seen[1])
	if n := len(seen[1].delivered); n != 100 {
		t.Errorf("%d frames delivered, want 100", n)
	}
	if len(seen[1].lost) != 1 || seen[1].lost[0] != dead {
		t.Errorf("lost with %v, want %v", seen[1].lost, dead)
	}
}

func TestPeerWithoutALinkCanBeLostToo(t *testing.T) {
	seen := &log{tb: t}
	dead := errors.New("never started")
	asked := 0
	c := New(Config{Self: 0, Size: 3, Connect: func(int) error { asked++; return nil }}, nil)
	for range 3 {
		if res, err := c.Send(2, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); res != transport.Full || err != nil {
			t.Fatalf("Send without a link: %v, %v; want Full", res, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for a link, want once", asked)
	}
	if c.Ready() {
		t.Error("Ready before anything happened")
	}
	c.Fail(2, dead)
	if !c.Ready() {
		t.Error("not Ready")
	}
	pollAll(c, seen)
	if len(seen.lost) != 1 || seen.lost[0] != dead || c.Ready() {
		t.Errorf("lost with %v, ready %t; want %v once", seen.lost, c.Ready(), dead)
	}
	if _, err := c.Send(2, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, dead) {
		t.Errorf("Send: %v, want %v", err, dead)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(1, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send after Close: %v, want %v", err, net.ErrClosed)
	}
}

func TestLinkThatCannotBeHadIsLost(t *testing.T) {
	refused := errors.New("no such rank")
	c := New(Config{Self: 0, Size: 2, Connect: func(int) error { return refused }}, nil)
	defer c.Close()
	if _, err := c.Send(1, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, refused) {
		t.Errorf("Send: %v, want %v", err, refused)
	}
	seen := &log{tb: t}
	pollAll(c, seen)
	if len(seen.lost) != 1 || !errors.Is(seen.lost[0], refused) {
		t.Errorf("lost with %v, want %v", seen.lost, refused)
	}
}

func TestAttachRefusesWhatIsNoLink(t *testing.T) {
	e := newEnds(t)
	c, err := e.open(0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	small, err := segment.Create("small", 4096)
	if err != nil {
		t.Fatal(err)
	}
	used := newMemory(t)
	b, err := segment.Map(used, SegmentBytes, true)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 1
	segment.Unmap(b)
	bell := func() *os.File { return dup(t, e.bells[1]) }
	other := New(Config{Self: 0, Size: 3}, nil)
	defer other.Close()
	for _, a := range []struct {
		name string
		on   *Conn
		peer int
		a    Attachment
		want string
	}{
		{"itself", other, 0, Attachment{Memory: newMemory(t), Bell: bell()}, "cannot have a link to rank 0"},
		{"a rank that is not", other, 3, Attachment{Memory: newMemory(t), Bell: bell()}, "cannot have a link to rank 3"},
		{"no memory", other, 1, Attachment{Bell: bell()}, "lacks memory"},
		{"no bell", other, 1, Attachment{Memory: newMemory(t)}, "lacks memory or bell"},
		{"a smaller segment", other, 1, Attachment{Memory: small, Bell: bell()}, "has 4096 bytes, want"},
		{"another layout", other, 1, Attachment{Memory: used, Bell: bell()}, "layout is 0x1"},
		{"a second link", c, 1, Attachment{Memory: newMemory(t), Bell: bell()}, "up already"},
	} {
		if err := a.on.Attach(a.peer, a.a); err == nil || !strings.Contains(err.Error(), a.want) {
			t.Errorf("%s: %v, want an error with %q", a.name, err, a.want)
		}
		for _, f := range []*os.File{a.a.Memory, a.a.Bell} {
			if f != nil && f.Close() == nil {
				t.Errorf("%s: %s was left open", a.name, f.Name())
			}
		}
	}
	c.Close()
	if err := c.Attach(1, Attachment{Memory: newMemory(t), Bell: bell()}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want %v", err, net.ErrClosed)
	}
}

func TestCloseNamesThePeerThatTakesNothing(t *testing.T) {
	conns, seen := two(t)
	conns[0].cfg.CloseTimeout = time.Millisecond
	if res := send(t, conns[0], wire.Bulk, 1, 3*ringBytes); res != transport.Held {
		t.Fatalf("Send of %d bytes: %v, want Held", 3*ringBytes, res)
	}
	if err := conns[0].Close(); err == nil || !strings.Contains(err.Error(), "rank 1") || !strings.Contains(err.Error(), "bulk") {
		t.Errorf("Close: %v, want an error that names rank 1 and the frame", err)
	}
	pollAll(conns[1], seen[1])
	if len(seen[1].lost) != 1 {
		t.Errorf("lost with %v, want one error", seen[1].lost)
	}
}

func TestCloseWaitsForAPeerThatClosesToo(t *testing.T) {
	conns, _ := two(t)
	for _, c := range conns {
		send(t, c, wire.Bulk, 1, 3*ringBytes)
	}
	errs := make(chan error)
	for _, c := range conns {
		go func() { errs <- c.Close() }()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Error(err)
	}
}

// A lost ring must cost time and nothing else: who polls without being rung finds all.
func TestPollNeedsNoBell(t *testing.T) {
	conns, seen := two(t)
	conns[1].Doze()
	send(t, conns[0], wire.Ack, 1, 0)
	if !conns[1].Ready() {
		t.Error("not Ready")
	}
	pollAll(conns[1], seen[1])
	if len(seen[1].delivered) != 1 {
		t.Errorf("%d frames delivered, want 1", len(seen[1].delivered))
	}
}

func TestBellRingsOnceForEachDoze(t *testing.T) {
	for name, sys := range map[string]system{"barrier": host, "no barrier": noBarrier()} {
		t.Run(name, func(t *testing.T) {
			woken := make(chan struct{}, 100)
			b := newBroker(t, 2)
			c, seen := b.open(1, sys, func() { woken <- struct{}{} }), &log{tb: t}
			defer c.Close()
			defer b.open(0, sys, nil).Close()
			b.link(0, 1)
			for round := range 3 {
				pollAll(c, seen)
				if c.Doze() {
					t.Fatal("Doze says that there is work")
				}
				for id := range uint64(10) {
					send(t, b.conns[0], wire.Ack, id, 0)
				}
				<-woken
				if n := len(woken); n > 0 {
					t.Errorf("round %d: rung %d times more", round, n)
				}
				c.Rouse()
				send(t, b.conns[0], wire.Ack, 10, 0)
			}
			pollAll(c, seen)
			if n := len(seen.delivered); n != 33 {
				t.Errorf("%d frames delivered, want 33", n)
			}
			if c.Doze(); !send2(t, b.conns[0]) || !c.Doze() {
				t.Error("Doze does not see what is there already")
			}
		})
	}
}

func send2(t *testing.T, c *Conn) bool { return send(t, c, wire.Ack, 0, 0) == transport.Taken }

func TestFullEndsOnceThereIsRoom(t *testing.T) {
	conns, seen := two(t)
	n := uint64(0)
	for send(t, conns[0], wire.Eager, n, 1000) == transport.Taken {
		n++
	}
	pollAll(conns[0], seen[0])
	if seen[0].writable != 0 || conns[0].Ready() {
		t.Fatalf("%d times Writable, ready %t, before anything was consumed", seen[0].writable, conns[0].Ready())
	}
	pollAll(conns[1], seen[1])
	if !conns[0].Ready() {
		t.Error("not Ready, with the ring empty")
	}
	pollAll(conns[0], seen[0])
	if seen[0].writable != 1 || conns[0].Ready() {
		t.Errorf("%d times Writable, ready %t; want once", seen[0].writable, conns[0].Ready())
	}
	if uint64(len(seen[1].delivered)) != n || send(t, conns[0], wire.Eager, n, 1000) != transport.Taken {
		t.Errorf("%d of %d frames delivered", len(seen[1].delivered), n)
	}
}

// TestCloseLeavesNothing counts what a process has of links before and after many.
func TestCloseLeavesNothing(t *testing.T) {
	count := func() (fds, maps, goroutines int) {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		m, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip(err)
		}
		s := bufio.NewScanner(bytes.NewReader(m))
		for s.Scan() {
			if strings.Contains(s.Text(), "memfd:test") {
				maps++
			}
		}
		return len(d), maps, runtime.NumGoroutine()
	}
	cycle := func() {
		e := newEnds(t)
		defer e.close()
		for self := range 2 {
			c, err := e.open(self, os.Getpid(), func() {})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Doze()
			c.Poll(&log{tb: t})
		}
	}
	settled := func() (fds, maps, goroutines int) {
		for range 5 {
			runtime.GC() // mappings go with the last reference to their link
			runtime.Gosched()
		}
		return count()
	}
	cycle()
	fds, maps, goroutines := settled()
	for range 20 {
		cycle()
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		f, m, g := settled()
		if f <= fds && m <= maps && g <= goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d mappings, %d goroutines; before %d, %d, %d", f, m, g, fds, maps, goroutines)
		}
	}
}
