package shm

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/faulty"
	"github.com/muster-mpi/muster/internal/transport/transporttest"
)

// broker hands out links between Conns of one process, as an agent does between those of
// several: both ends map the same memory.
type broker struct {
	tb    testing.TB
	bells []*os.File
	conns []*Conn

	mu    sync.Mutex
	pairs map[[2]int]bool
	calls sync.WaitGroup
}

func newBroker(tb testing.TB, n int) *broker {
	b := &broker{tb: tb, bells: make([]*os.File, n), conns: make([]*Conn, n), pairs: map[[2]int]bool{}}
	for i := range b.bells {
		f, err := segment.NewBell()
		if err != nil {
			tb.Fatal(err)
		}
		b.bells[i] = f
	}
	tb.Cleanup(func() {
		b.calls.Wait()
		for _, f := range b.bells {
			f.Close()
		}
	})
	return b
}

// open makes the Conn of rank self, which asks the broker for its links.
func (b *broker) open(self int, sys system, wake func()) *Conn {
	b.conns[self] = newConn(Config{
		Self: self, Size: len(b.conns), Bell: b.bells[self], Wake: wake,
		Connect: func(peer int) error { b.calls.Go(func() { b.link(self, peer) }); return nil },
	}, sys)
	return b.conns[self]
}

// link puts up the link between two ranks, once.
func (b *broker) link(i, j int) {
	i, j = min(i, j), max(i, j)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pairs[[2]int{i, j}] {
		return
	}
	b.pairs[[2]int{i, j}] = true
	mem := newMemory(b.tb)
	defer mem.Close()
	for _, e := range [2][2]int{{i, j}, {j, i}} {
		a := Attachment{Memory: dup(b.tb, mem), Bell: dup(b.tb, b.bells[e[1]]), PID: os.Getpid()}
		if err := b.conns[e[0]].Attach(e[1], a); err != nil && !errors.Is(err, net.ErrClosed) {
			b.tb.Error(err)
		}
	}
}

func newMemory(tb testing.TB) *os.File {
	f, err := segment.Create("test", SegmentBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func dup(tb testing.TB, f *os.File) *os.File {
	d, err := duplicate(f)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// polled opens Conns that the suite polls.
func polled(sys system) transporttest.Opener {
	return func(tb testing.TB, hs []transport.Handler) []transport.Conn {
		b := newBroker(tb, len(hs))
		conns := make([]transport.Conn, len(hs))
		for i := range hs {
			conns[i] = b.open(i, sys, nil)
		}
		return conns
	}
}

// driven opens Conns that are only driven when they ask for it, after spin polls.
func driven(sys system, spin int) transporttest.Opener {
	return func(tb testing.TB, hs []transport.Handler) []transport.Conn {
		b := newBroker(tb, len(hs))
		conns := make([]transport.Conn, len(hs))
		for i, h := range hs {
			d := transporttest.NewDriver(spin)
			conns[i] = d.Drive(b.open(i, sys, d.Wake), h)
		}
		return conns
	}
}

// over puts a faulty Conn over each Conn that open makes.
func over(open transporttest.Opener, seed uint64) transporttest.Opener {
	return func(tb testing.TB, hs []transport.Handler) []transport.Conn {
		wrapped := make([]*faulty.Conn, len(hs))
		lower := make([]transport.Handler, len(hs))
		for i, h := range hs {
			wrapped[i] = faulty.New(h, seed+uint64(i), faulty.Rough)
			lower[i] = wrapped[i].Handler()
		}
		conns := open(tb, lower)
		for i, c := range conns {
			conns[i] = wrapped[i].Over(c)
		}
		return conns
	}
}

// noBarrier is a host whose kernel knows no barrier across processes.
func noBarrier() system {
	s := host
	s.register = func() error { return errors.ErrUnsupported }
	s.barrier = s.register
	return s
}

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name string
		open transporttest.Opener
	}{
		{"polled", polled(host)},
		{"woken", driven(host, 0)},
		{"both", driven(host, 200)},
		{"polled without barrier", polled(noBarrier())},
		{"woken without barrier", driven(noBarrier(), 0)},
		{"both without barrier", driven(noBarrier(), 50)},
	} {
		t.Run(c.name, func(t *testing.T) { transporttest.Run(t, c.open) })
		t.Run(c.name+" under faults", func(t *testing.T) { transporttest.Run(t, over(c.open, 1)) })
	}
}

func BenchmarkPolled(b *testing.B) { transporttest.Bench(b, polled(host)) }
