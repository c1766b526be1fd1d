package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/socketpair"
)

var pairs = map[string]func() (net.Conn, net.Conn, error){"Unix": socketpair.Unix, "TCP": socketpair.TCP}

// polledPair returns a polled connection and the plain other end of it.
func polledPair(t *testing.T, pair func() (net.Conn, net.Conn, error), spin time.Duration) (*polled, net.Conn) {
	t.Helper()
	a, b, err := pair()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	p, ok := poll(a, spin).(*polled)
	if !ok {
		t.Skipf("%T cannot be polled on this system", a)
	}
	return p, b
}

// counted is a pool that knows how many of its buffers are out.
type counted struct {
	mu   sync.Mutex
	out  int
	none chan struct{} // signalled when none is
}

func (c *counted) Get(n int) *[]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out++
	b := make([]byte, n)
	return &b
}

func (c *counted) Put(*[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out--; c.out == 0 {
		select {
		case c.none <- struct{}{}:
		default:
		}
	}
}

// TestPolledConnectionsCarryWhatPlainOnesDo sends random pieces both ways and
// reads them in random pieces, by either kind of read.
func TestPolledConnectionsCarryWhatPlainOnesDo(t *testing.T) {
	for name, pair := range pairs {
		for _, spin := range []time.Duration{0, time.Microsecond, time.Second} {
			t.Run(fmt.Sprint(name, spin), func(t *testing.T) {
				p, plain := polledPair(t, pair, spin)
				data := make([]byte, 3<<20)
				rand.NewChaCha8([32]byte{7}).Read(data)
				write := func(w io.Writer, rnd *rand.Rand) {
					for b := data; len(b) > 0; {
						n := min(len(b), 1+rnd.IntN(1<<(1+rnd.IntN(19))))
						if k, err := w.Write(b[:n]); k != n || err != nil {
							t.Errorf("Write of %d bytes: %d, %v", n, k, err)
							return
						}
						b = b[n:]
					}
				}
				var wait sync.WaitGroup
				wait.Go(func() { write(p, rand.New(rand.NewPCG(1, 1))) })
				wait.Go(func() { write(plain, rand.New(rand.NewPCG(2, 2))) })
				wait.Go(func() {
					got := make([]byte, len(data))
					if _, err := io.ReadFull(plain, got); err != nil || !bytes.Equal(got, data) {
						t.Errorf("written by polling: %v, the same bytes: %t", err, bytes.Equal(got, data))
					}
				})
				pool, rnd := &counted{none: make(chan struct{}, 1)}, rand.New(rand.NewPCG(3, 3))
				var got []byte
				for len(got) < len(data) {
					n := 1 + rnd.IntN(1<<(1+rnd.IntN(19)))
					var b *[]byte
					var err error
					if rnd.IntN(2) == 0 {
						buf := make([]byte, n)
						b = &buf
						n, err = p.Read(buf)
					} else if b, n, err = p.ReadOnReady(n, pool); err == nil {
						pool.Put(b)
					}
					if err != nil || n <= 0 {
						t.Fatalf("read after %d bytes: %d, %v", len(got), n, err)
					}
					got = append(got, (*b)[:n]...)
				}
				wait.Wait()
				if !bytes.Equal(got, data) {
					t.Error("read by polling: other bytes than were written")
				}
				plain.Close()
				if n, err := p.Read(make([]byte, 10)); n != 0 || err != io.EOF {
					t.Errorf("Read of a connection that the peer closed: %d, %v, want EOF", n, err)
				}
				if b, n, err := p.ReadOnReady(10, pool); b != nil || n != 0 || err != io.EOF || pool.out != 0 {
					t.Errorf("ReadOnReady of a connection that the peer closed: %v, %d, %v, %d buffers out, want EOF", b, n, err, pool.out)
				}
			})
		}
	}
}

// TestSleepingReadersHoldNoBuffer: an idle link costs no memory.
func TestSleepingReadersHoldNoBuffer(t *testing.T) {
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			p, plain := polledPair(t, pair, time.Millisecond)
			pool := &counted{none: make(chan struct{}, 1)}
			done := make(chan error)
			go func() {
				_, n, err := p.ReadOnReady(100, pool)
				if err == nil && n != 1 {
					err = fmt.Errorf("read %d bytes, want 1", n)
				}
				done <- err
			}()
			<-pool.none // so it sleeps, or is about to
			plain.Write([]byte{1})
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCloseAndDeadlinesEndPolling: what ends a Read of a plain connection ends
// one that polls.
func TestCloseAndDeadlinesEndPolling(t *testing.T) {
	for name, pair := range pairs {
		for _, spin := range []time.Duration{0, 5 * time.Millisecond} {
			t.Run(fmt.Sprint(name, spin), func(t *testing.T) {
				p, _ := polledPair(t, pair, spin)
				p.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Read past its deadline: %v", err)
				}
				p.SetReadDeadline(time.Time{})
				done := make(chan error)
				go func() {
					_, err := p.Read(make([]byte, 1))
					done <- err
				}()
				p.Close()
				if err := <-done; !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read of a connection closed meanwhile: %v, want %v", err, net.ErrClosed)
				}
				if _, err := p.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write to a closed connection: %v, want %v", err, net.ErrClosed)
				}
			})
		}
	}
}

// TestPollingBacksOff: a reader that polls in vain because others have the core
// polls less and less, and again as before once it finds something.
func TestPollingBacksOff(t *testing.T) {
	p := &polled{spin: time.Microsecond}
	polled := func(n int) (count int) {
		for range n {
			if p.polls() {
				count++
			}
		}
		return count
	}
	if n := polled(10); n != 10 {
		t.Errorf("%d of 10 reads poll at first, want all", n)
	}
	for want := 2; want <= 64; want *= 2 {
		p.missed()
		if n := polled(want + 1); n != 1 {
			t.Errorf("%d reads of the %d after a miss poll, want the last", n, want+1)
		}
	}
	p.missed()
	if n := polled(65); n != 1 {
		t.Errorf("%d of 65 reads poll after many misses, want one", n)
	}
}

// TestBuffersAreReused and never handed out shorter than asked.
// TestEndsOnOneCoreTakeTurns: who is answered only while it yields looks once
// between two yields, until an answer comes otherwise.
func TestEndsOnOneCoreTakeTurns(t *testing.T) {
	p := &polled{}
	for i, step := range []struct {
		away  time.Duration
		times int
		want  int
	}{
		{0, 1, looks},
		{turn, manyTurns - 1, looks},
		{turn - 1, 1, looks}, // nobody was there
		{turn, manyTurns - 1, looks},
		{turn, 1, 1},
		{100 * turn, 100, 1},
		{0, 1, looks},
	} {
		for range step.times {
			p.found(step.away)
		}
		if got := p.looks(); got != step.want {
			t.Errorf("step %d, yields of %v: %d looks, want %d", i, step.away, got, step.want)
		}
	}
}

func TestBuffersAreReused(t *testing.T) {
	var p pool
	for _, n := range []int{0, 1, smallBuffer, smallBuffer + 1, largeBuffer, largeBuffer + 1, 1 << 20} {
		b := p.Get(n)
		if len(*b) != n {
			t.Errorf("Get(%d) has length %d", n, len(*b))
		}
		*b = (*b)[:n/2] // gRPC may give back a prefix
		p.Put(b)
		if c := p.Get(n); len(*c) != n {
			t.Errorf("Get(%d) after Put has length %d", n, len(*c))
		}
	}
}

// TestCorkedWritesKeepTheirOrder: what is written while corked arrives in order,
// in pieces of at most the size, and nothing waits once uncorked.
func TestCorkedWritesKeepTheirOrder(t *testing.T) {
	var got sink
	c := newBatched(&got, 100)
	var want []byte
	for i := range 50 {
		if i%7 == 0 {
			c.cork()
		}
		b := bytes.Repeat([]byte{byte(i)}, 3*i)
		want = append(want, b...)
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Fatalf("Write of %d bytes: %d, %v", len(b), n, err)
		}
		if i%7 == 4 {
			if err := c.uncork(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.b, want) {
				t.Fatalf("after %d writes %d bytes have arrived, want %d", i+1, len(got.b), len(want))
			}
		}
	}
	c.uncork()
	if !bytes.Equal(got.b, want) {
		t.Errorf("%d bytes have arrived, want %d", len(got.b), len(want))
	}
	got.err = io.ErrShortWrite
	c.cork()
	c.Write([]byte{1})
	if err := c.uncork(); err != io.ErrShortWrite {
		t.Errorf("uncork returns %v, want the connection's error", err)
	}
}

// sink is a connection that keeps what is written.
type sink struct {
	net.Conn
	b   []byte
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.b = append(s.b, b...)
	return len(b), nil
}
