package knock

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func tcp(t testing.TB) net.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no TCP over loopback: %v", err)
	}
	return inner
}

func open(t testing.TB, c Config) *Listener {
	l := Listen(tcp(t), c)
	t.Cleanup(func() { l.Close() })
	return l
}

// serve answers whoever knocks on l with v, and then echoes.
func serve(l *Listener, v Verdict) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if c.Answer(v); v == Accepted {
				io.Copy(c, c)
			}
		}()
	}
}

// junk are ways to bother a port. Each returns what is to stay open.
var junk = []struct {
	name string
	do   func(net.Conn) net.Conn
}{
	{"HTTP", func(c net.Conn) net.Conn {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}},
	{"random bytes", func(c net.Conn) net.Conn {
		b := make([]byte, 4096)
		rand.Read(b)
		c.Write(b)
		return c
	}},
	{"TLS", func(c net.Conn) net.Conn {
		c.SetDeadline(time.Now().Add(time.Second))
		tls.Client(c, &tls.Config{ServerName: "x"}).Handshake()
		return c
	}},
	{"idle", func(c net.Conn) net.Conn { return c }},
	{"half a knock", func(c net.Conn) net.Conn {
		io.WriteString(c, knockMagic+"0123456789")
		return c
	}},
	{"another job's knock", func(c net.Conn) net.Conn {
		Write(c, key, Knock{Job: [16]byte{0xbb}})
		return c
	}},
	{"RST", func(c net.Conn) net.Conn {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		return nil
	}},
}

// TestJunkLeavesAListenerUnharmed opens 10,000 connections of all kinds, keeps
// what the other end keeps open, and has legal knocks in between.
func TestJunkLeavesAListenerUnharmed(t *testing.T) {
	var foreign atomic.Int32
	l := open(t, Config{Job: job, Key: keyOf, Foreign: func(*Foreign) { foreign.Add(1) }})
	go serve(l, Accepted)
	address := l.Addr().String()
	heap := heapBytes()

	total := 10_000
	if testing.Short() {
		total = 1_000
	}
	var (
		next     atomic.Int64
		kept     = make(chan net.Conn, 500) // idle ones stay until this many
		most     int                        // connections that are heard at a time
		visitors sync.WaitGroup
		begin    = time.Now()
	)
	for range 16 {
		visitors.Go(func() {
			for i := next.Add(1) - 1; i < int64(total); i = next.Add(1) - 1 {
				c, err := net.Dial("tcp", address)
				if errors.Is(err, syscall.ECONNRESET) {
					continue // it was crowded out before it knew that it was there
				}
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				if c = junk[i%int64(len(junk))].do(c); c != nil {
					for c != nil {
						select {
						case kept <- c:
							c = nil
						default:
							(<-kept).Close()
						}
					}
				}
			}
		})
	}
	flood := make(chan struct{})
	go func() { visitors.Wait(); close(flood) }()
	defer visitors.Wait()
	var slowest time.Duration
	knocks := 0
	for over := false; !over; knocks++ {
		select {
		case <-flood:
			over = true // and once more, while the last ones are still open
		default:
		}
		l.room.mu.Lock()
		most = max(most, l.room.heard)
		l.room.mu.Unlock()
		began := time.Now()
		conn, err := Dial(context.Background(), []string{address}, key, legal)
		if err != nil {
			t.Fatalf("legal knock %d: %v", knocks, err)
		}
		io.WriteString(conn, "x")
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatalf("legal connection %d: %v", knocks, err)
		}
		conn.Close()
		slowest = max(slowest, time.Since(began))
	}
	elapsed := time.Since(begin)
	close(kept)
	for c := range kept {
		c.Close()
	}
	// The half-open ones, and those of them that are closed and do not know it.
	if most > 2*HalfOpen {
		t.Errorf("%d connections were heard at a time, want at most %d", most, 2*HalfOpen)
	}
	if grown := heapBytes() - heap; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes, want at most 4 MiB", grown)
	}
	if slowest > time.Second {
		t.Errorf("the slowest of %d legal knocks took %v, want at most a second", knocks, slowest)
	}
	if n, limit := foreign.Load(), int32(elapsed/time.Second)+2; n == 0 || n > limit {
		t.Errorf("the owner heard of %d foreign knocks in %v, want 1 to %d", n, elapsed, limit)
	}
	t.Logf("%d connections in %v; %d legal knocks, the slowest %v; at most %d heard at a time", total, elapsed.Round(time.Millisecond), knocks, slowest.Round(time.Microsecond), most)
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Idle connections from one host must not crowd out those of another.
func TestTheHostWithMostIsCrowdedOutFirst(t *testing.T) {
	l := open(t, Config{Job: job, Key: keyOf})
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Skipf("this machine's loopback has only one address: %v", err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	few := []net.Conn{dial("127.0.0.2"), dial("127.0.0.2")}
	for range 3 * HalfOpen {
		dial("127.0.0.3")
	}
	go serve(l, Accepted)
	for i, c := range few {
		if err := Write(c, key, legal); err != nil {
			t.Errorf("connection %d of the host with few: %v", i, err)
		}
	}
}

// However many addresses a port has, what waits there shares one Room.
func TestListenersMayShareARoom(t *testing.T) {
	const places = 8
	room := NewRoom(places)
	ports := []*Listener{open(t, Config{Job: job, Key: keyOf, Room: room}), open(t, Config{Job: job, Key: keyOf, Room: room})}
	var idle []net.Conn
	for i := range 5 * places {
		c, err := net.Dial("tcp", ports[i%2].Addr().String())
		if err != nil {
			if errors.Is(err, syscall.ECONNRESET) {
				continue
			}
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	kept, wait := 0, Patience/2
	for _, c := range idle {
		c.SetReadDeadline(time.Now().Add(wait))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			kept, wait = kept+1, 10*time.Millisecond // what is closed is closed by now
		}
	}
	if kept > places {
		t.Errorf("%d of %d idle connections have a place, want %d at most", kept, len(idle), places)
	}
	go serve(ports[0], Accepted)
	ports[1].Close()
	conn, err := Dial(t.Context(), []string{ports[0].Addr().String()}, key, legal)
	if err != nil {
		t.Fatalf("a legal knock at one port after the end of the other: %v", err)
	}
	conn.Close()
}

func TestAcceptEndsWithClose(t *testing.T) {
	l := open(t, Config{Job: job, Key: keyOf})
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	done := make(chan error)
	go func() { _, err := l.Accept(); done <- err }()
	l.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want net.ErrClosed", err)
	}
	if _, err := io.ReadAll(idle); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("an idle connection ends with %v", err)
	}
}

// Those who are told that they are foreign must not wait for the one who waits for them.
func TestForeignKnocksDoNotLockAPortUp(t *testing.T) {
	var told atomic.Int32
	l := open(t, Config{Job: job, Key: keyOf, Room: NewRoom(1), Foreign: func(*Foreign) { told.Add(1) }})
	go serve(l, Accepted)
	var strangers sync.WaitGroup
	for range 16 {
		strangers.Go(func() {
			for range 50 {
				if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
					Write(c, key, Knock{Job: [16]byte{0xbb}})
					c.Close()
				}
			}
		})
	}
	strangers.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 2*Patience)
	defer cancel()
	conn, err := Dial(ctx, []string{l.Addr().String()}, key, legal)
	if err != nil {
		t.Fatalf("a legal knock after 800 foreign ones, of which %d were told: %v", told.Load(), err)
	}
	conn.Close()
}
