package stream_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/socketpair"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/stream"
	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
	"github.com/muster-mpi/muster/internal/wire"
)

// rank is a Handler whose calls the test receives from channels.
type rank struct {
	delivered chan wire.Header
	writable  chan int
	lost      chan error
	sent      chan uint64
	hold      sync.Mutex // Deliver waits for it
}

func newRank() *rank {
	return &rank{delivered: make(chan wire.Header, 1<<17), writable: make(chan int, 1<<10), lost: make(chan error, 10), sent: make(chan uint64, 1<<10)}
}

func (r *rank) Deliver(_ int, h *wire.Header, _ layout.Buffer) {
	r.hold.Lock()
	defer r.hold.Unlock()
	r.delivered <- *h
}
func (r *rank) Sent(_ int, token uint64) { r.sent <- token }
func (r *rank) Writable(peer int)        { r.writable <- peer }
func (r *rank) Lost(_ int, cause error)  { r.lost <- cause }
func (r *rank) Idle()                    {}

func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("waited 30 s for %s", what)
	}
	return v
}

// start links n ranks; they are closed when the test ends.
func start(t *testing.T, net streamtest.Net, n int) ([]*rank, *streamtest.Started) {
	t.Helper()
	ranks, hs := make([]*rank, n), make([]transport.Handler, n)
	for i := range ranks {
		ranks[i] = newRank()
		hs[i] = ranks[i]
	}
	s := net.Start(t, hs)
	t.Cleanup(func() {
		var wg sync.WaitGroup
		for _, c := range s.Conns {
			wg.Go(func() { c.Close() })
		}
		wg.Wait()
	})
	return ranks, s
}

// send sends a frame once the link takes it.
func send(t *testing.T, r *rank, c *stream.Conn, peer int, h wire.Header, payload []byte) transport.Result {
	t.Helper()
	for {
		res, err := c.Send(peer, &h, layout.Of(payload), 1)
		if err != nil {
			t.Fatalf("Send to %d: %v", peer, err)
		}
		if res != transport.Full {
			return res
		}
		receive(t, "Writable", r.writable)
	}
}

func unix() streamtest.Net { return streamtest.Net{Pair: socketpair.Unix} }

// want is what an error must be and say.
func checkCause(t *testing.T, err, class error, texts ...string) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("Lost with %q, want %q", err, class)
	}
	for _, text := range texts {
		if !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("Lost with %q, want it to say %q", err, text)
		}
	}
}

func TestEndsThatDifferRefuseEachOther(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(cfg *stream.Config)
		texts  []string
	}{
		{"job", func(cfg *stream.Config) { cfg.Job[15] = 0xab }, []string{"job", strings.Repeat("00", 15) + "ab", strings.Repeat("0", 32)}},
		{"size", func(cfg *stream.Config) { cfg.Size = 7 }, []string{"size", "7", "3"}},
		{"rank", func(cfg *stream.Config) { cfg.Self = 2 }, []string{"rank 1", "rank 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hs := [2]*rank{newRank(), newRank()}
			a, b, err := socketpair.Unix()
			if err != nil {
				t.Fatal(err)
			}
			other := stream.Config{Self: 1, Size: 3}
			c.change(&other)
			conns := [2]*stream.Conn{stream.New(stream.Config{Self: 0, Size: 3}, hs[0]), stream.New(other, hs[1])}
			conns[0].Attach(1, 0, a)
			conns[1].Attach(0, 0, b)
			for i, h := range hs {
				checkCause(t, receive(t, "Lost", h.lost), stream.ErrRefused, c.texts...)
				if _, err := conns[i].Send(1-i, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, stream.ErrRefused) {
					t.Errorf("Send on a refused link: %v", err)
				}
				conns[i].Close()
			}
		})
	}
}

func TestRestartedPeerIsRefused(t *testing.T) {
	first, again, self := newRank(), newRank(), newRank()
	connect := func(c, peer *stream.Conn, number uint32) {
		a, b, err := socketpair.Unix()
		if err != nil {
			t.Fatal(err)
		}
		c.Attach(1, number, a)
		peer.Attach(0, number, b)
	}
	c := stream.New(stream.Config{Self: 0, Size: 2}, self)
	old := stream.New(stream.Config{Self: 1, Size: 2, Incarnation: 1}, first)
	connect(c, old, 1)
	send(t, first, old, 0, wire.Header{Kind: wire.Ack}, nil)
	receive(t, "the frame", self.delivered)
	young := stream.New(stream.Config{Self: 1, Size: 2, Incarnation: 2}, again)
	connect(c, young, 2)
	checkCause(t, receive(t, "Lost", self.lost), stream.ErrRefused, "incarnation 2", "with 1")
	old.Fail(0, errors.New("test over"))
	young.Fail(0, errors.New("test over"))
	for _, c := range []*stream.Conn{c, old, young} {
		c.Close()
	}
}

func TestCertificateOfAnotherRankIsRefused(t *testing.T) {
	ids, err := streamtest.Certificates([16]byte{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	strangers, err := streamtest.Certificates([16]byte{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		shown [2]*tls.Config
		text  string
	}{
		{"server", [2]*tls.Config{ids[0], ids[2]}, "/2], want muster://00000000000000000000000000000000/1"},
		{"client", [2]*tls.Config{ids[2], ids[1]}, "/2], want muster://00000000000000000000000000000000/0"},
		{"authority", [2]*tls.Config{ids[0], strangers[1]}, "unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, err := socketpair.TCP()
			if err != nil {
				t.Fatal(err)
			}
			hs := [2]*rank{newRank(), newRank()}
			var conns [2]*stream.Conn
			for i := range conns {
				conns[i] = stream.New(stream.Config{Self: i, Size: 2, TLS: func(int, bool) *tls.Config { return c.shown[i] }}, hs[i])
			}
			conns[0].Attach(1, 0, a)
			conns[1].Attach(0, 0, b)
			causes := [2]error{receive(t, "Lost", hs[0].lost), receive(t, "Lost", hs[1].lost)}
			checkCause(t, causes[0], stream.ErrRefused)
			checkCause(t, causes[1], stream.ErrRefused)
			if all := fmt.Sprint(causes); !strings.Contains(all, c.text) {
				t.Errorf("causes %s, want one to say %q", all, c.text)
			}
			conns[0].Close()
			conns[1].Close()
		})
	}
}

// TestUnreachablePeerIsLostAfterBoundedTries runs on a clock that jumps.
func TestUnreachablePeerIsLostAfterBoundedTries(t *testing.T) {
	no := errors.New("no road")
	var mu sync.Mutex
	var pauses []time.Duration
	asked := 0
	h := newRank()
	c := stream.New(stream.Config{
		Self: 0, Size: 2, Tries: 4, Backoff: time.Hour,
		Connect: func(int) error { asked++; return no },
		AfterFunc: func(d time.Duration, f func()) func() bool {
			mu.Lock()
			pauses = append(pauses, d)
			mu.Unlock()
			go f()
			return func() bool { return false }
		},
	}, h)
	if res, err := c.Send(1, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); res != transport.Full || err != nil {
		t.Fatalf("Send on an unopened link: %v, %v, want Full", res, err)
	}
	checkCause(t, receive(t, "Lost", h.lost), stream.ErrUnreachable, "no road", "4 tries")
	mu.Lock()
	want := []time.Duration{0, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour}
	if asked != 4 || !slices.Equal(pauses, want) {
		t.Errorf("asked %d times after pauses of %v, want 4 after %v", asked, pauses, want)
	}
	mu.Unlock()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestDeadPeerIsNotAskedForAgain(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	net := unix()
	net.Refuse = func(int, int) error {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return nil
	}
	ranks, s := start(t, net, 3)
	send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Ack}, nil)
	receive(t, "the frame", ranks[1].delivered)
	dead := errors.New("rank 0 was killed by signal 9")
	s.Conns[1].Fail(0, dead)
	checkCause(t, receive(t, "Lost", ranks[1].lost), dead)
	s.Conns[2].Fail(0, dead)
	checkCause(t, receive(t, "Lost of a peer never met", ranks[2].lost), dead)
	if _, err := s.Conns[1].Send(0, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, dead) {
		t.Errorf("Send to a dead peer: %v", err)
	}
	s.Conns[0].Fail(1, dead) // so that rank 0 gives up too
	mu.Lock()
	defer mu.Unlock()
	if asked != 1 {
		t.Errorf("%d connections asked for, want 1", asked)
	}
}

func TestMalformedPacketCostsItsLinkOnly(t *testing.T) {
	ranks, s := start(t, unix(), 3)
	for peer := range 2 {
		send(t, ranks[2], s.Conns[2], peer, wire.Header{Kind: wire.Ack}, nil)
		receive(t, "the frame", ranks[peer].delivered)
	}
	bad := make([]byte, 60)
	binary.LittleEndian.PutUint64(bad, 2) // in sequence; the frame is nonsense
	bad[24+4] = 77
	if err := s.Conns[2].Inject(0, bad); err != nil {
		t.Fatal(err)
	}
	checkCause(t, receive(t, "Lost", ranks[0].lost), stream.ErrMalformed, "rank 2 sent a malformed packet", "77")
	s.Conns[2].Fail(0, errors.New("rank 0 hung up"))
	send(t, ranks[2], s.Conns[2], 1, wire.Header{Kind: wire.Ack, ID: 5}, nil)
	if h := receive(t, "a frame on the other link", ranks[1].delivered); h.ID != 5 {
		t.Errorf("frame %d, want 5", h.ID)
	}
}

func TestSlowReceiverBoundsMemory(t *testing.T) {
	net := unix()
	net.Config = stream.Config{Copy: 4 << 10, Packet: 8 << 10, Window: 64 << 10, Queue: 32 << 10}
	ranks, s := start(t, net, 2)
	send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Ack}, nil)
	receive(t, "the first frame", ranks[1].delivered)

	ranks[1].hold.Lock()
	release := sync.OnceFunc(ranks[1].hold.Unlock)
	t.Cleanup(release)
	payload := make([]byte, 1000)
	sent, most := 0, 0
	for {
		res, err := s.Conns[0].Send(1, &wire.Header{Kind: wire.Eager, ID: uint64(sent)}, layout.Of(payload), 0)
		if err != nil {
			t.Fatal(err)
		}
		kept := s.Conns[0].Kept(1)
		most = max(most, kept)
		if res == transport.Taken {
			sent++
			continue
		}
		if kept > 80<<10 {
			break // the queue is full, and the window but for a packet or two
		}
		receive(t, "Writable before the window is full", ranks[0].writable)
	}
	if limit := 64<<10 + 32<<10 + 10<<10; most > limit {
		t.Errorf("%d bytes kept for a peer that takes nothing, want at most %d", most, limit)
	}
	release()
	for i := range sent {
		if h := receive(t, "a frame", ranks[1].delivered); h.ID != uint64(i) {
			t.Fatalf("frame %d, want %d", h.ID, i)
		}
	}
	receive(t, "Writable", ranks[0].writable)
}

// TestNewerConnectionReplacesOlder attaches connections while frames flow.
func TestNewerConnectionReplacesOlder(t *testing.T) {
	const count = 20_000
	ranks, s := start(t, unix(), 2)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.Connect(0, 1); err != nil {
				t.Error(err)
				return
			}
			for range 1000 {
				runtime.Gosched()
			}
		}
	}()
	for i := range uint64(count) {
		send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Eager, ID: i}, make([]byte, i%500))
	}
	close(stop)
	<-done
	for i := range uint64(count) {
		if h := receive(t, "a frame", ranks[1].delivered); h.ID != i {
			t.Fatalf("frame %d, want %d", h.ID, i)
		}
	}
}

// flipper changes one byte of what is written, behind the gRPC preliminaries.
type flipper struct {
	net.Conn
	left int
}

func (f *flipper) Write(b []byte) (int, error) {
	if f.left >= 0 && f.left < len(b) {
		b = slices.Clone(b)
		b[f.left] ^= 0x10
		f.left = -1
	}
	f.left -= min(len(b), f.left)
	return f.Conn.Write(b)
}

func (f *flipper) LocalAddr() net.Addr { return f.Conn.LocalAddr() }

func TestChangedBytesOnTCPAreSentAgain(t *testing.T) {
	for at := 3000; at < 60_000; at += 6311 {
		tcp := streamtest.Net{Pair: socketpair.TCP, Config: stream.Config{Backoff: time.Millisecond, Tries: 20}}
		tcp.Wrap = func(conn net.Conn, self, _ int, number uint32) net.Conn {
			if self == 0 && number == 1 {
				return &flipper{conn, at}
			}
			return conn
		}
		ranks, s := start(t, tcp, 2)
		for i := range uint64(200) {
			send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Eager, ID: i}, make([]byte, 400))
		}
		for i := range uint64(200) {
			if h := receive(t, "a frame", ranks[1].delivered); h != (wire.Header{Kind: wire.Eager, ID: i}) {
				t.Fatalf("byte %d changed: got %+v as frame %d", at, h, i)
			}
		}
	}
}

func TestCloseDoesNotWaitForAHandshake(t *testing.T) {
	a, b, err := socketpair.Unix()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	h := newRank()
	c := stream.New(stream.Config{Self: 0, Size: 2, Connect: func(int) error { return nil }, Timeout: time.Hour, CloseTimeout: time.Hour}, h)
	c.Send(1, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0)
	c.Attach(1, 1, a)
	if err := c.Close(); err != nil {
		t.Errorf("Close with nothing to flush: %v", err)
	}
	if _, err := c.Send(1, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
}

func TestCloseNamesLinksItCouldNotFlush(t *testing.T) {
	net := unix()
	net.Config.CloseTimeout = 50 * time.Millisecond
	ranks, s := start(t, net, 2)
	ranks[1].hold.Lock()
	send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Ack}, nil)
	err := s.Conns[0].Close()
	ranks[1].hold.Unlock()
	if err == nil || !strings.Contains(err.Error(), "link to rank 1 not flushed") {
		t.Errorf("Close with a peer that does not read: %v", err)
	}
	s.Conns[1].Fail(0, errors.New("test over"))
}

func TestPeersCloseIsLostAfterItsLastFrame(t *testing.T) {
	ranks, s := start(t, unix(), 2)
	for i := range uint64(1000) {
		send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Eager, ID: i}, make([]byte, 100))
	}
	if err := s.Conns[0].Close(); err != nil {
		t.Fatal(err)
	}
	checkCause(t, receive(t, "Lost", ranks[1].lost), stream.ErrPeerClosed)
	if n := len(ranks[1].delivered); n != 1000 {
		t.Errorf("Lost after %d frames, want 1000", n)
	}
}

// TestPackedFramesDoNotAllocate counts every allocation of both ends of a link,
// gRPC's included.
func TestPackedFramesDoNotAllocate(t *testing.T) {
	const count = 1 << 16
	ranks, s := start(t, unix(), 2)
	payload := make([]byte, 64)
	round := func() {
		for i := range uint64(count) {
			send(t, ranks[0], s.Conns[0], 1, wire.Header{Kind: wire.Eager, ID: i}, payload)
		}
		for range count {
			<-ranks[1].delivered
		}
	}
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	round()
	runtime.ReadMemStats(&after)
	if per := float64(after.Mallocs-before.Mallocs) / count; per > 2 {
		t.Errorf("%.2f allocations for each frame of 64 bytes, want at most 2", per)
	} else {
		t.Logf("%.3f allocations for each frame of 64 bytes", per)
	}
}
