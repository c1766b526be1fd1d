package transporttest

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Bench measures a transport between two ranks: the one-way time of 8 bytes
// (half a round trip), the bandwidth of Bulk frames of 4 MiB, and the rate of
// frames of 64 bytes.
func Bench(b *testing.B, open Opener) {
	b.Run("Latency8B", func(b *testing.B) { latency(b, open) })
	b.Run("Bandwidth4MiB", func(b *testing.B) { oneWay(b, open, wire.Bulk, 4<<20, 4) })
	b.Run("Rate64B", func(b *testing.B) { oneWay(b, open, wire.Eager, 64, 1) })
}

// counter is a Handler that counts and wakes who waits, as cheap as can be.
type counter struct {
	bytes, frames atomic.Int64
	held          atomic.Int64
	deliver       func()
	wake          chan struct{}
}

func newCounter() *counter { return &counter{wake: make(chan struct{}, 1)} }

func (c *counter) Deliver(_ int, _ *wire.Header, payload layout.Buffer) {
	c.bytes.Add(int64(payload.Len()))
	c.frames.Add(1)
	if c.deliver != nil {
		c.deliver()
	}
}

func (c *counter) Sent(int, uint64) { c.held.Add(-1); c.signal() }
func (c *counter) Writable(int)     { c.signal() }
func (c *counter) Lost(int, error)  { c.signal() }
func (c *counter) Idle()            {}

func (c *counter) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// send sends one frame, waiting while the link is full.
func (c *counter) send(tb testing.TB, conn transport.Conn, peer int, h *wire.Header, payload layout.Buffer) {
	for {
		res, err := conn.Send(peer, h, payload, 1)
		switch {
		case err != nil:
			tb.Fatalf("Send to rank %d: %v", peer, err)
		case res == transport.Held:
			c.held.Add(1)
			return
		case res == transport.Taken:
			return
		}
		<-c.wake
	}
}

func benchPair(b *testing.B, open Opener) (hs [2]*counter, conns []transport.Conn) {
	hs = [2]*counter{newCounter(), newCounter()}
	conns = open(b, []transport.Handler{hs[0], hs[1]})
	b.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	return hs, conns
}

func latency(b *testing.B, open Opener) {
	hs, conns := benchPair(b, open)
	h := wire.Header{Kind: wire.Eager, Bytes: 8}
	payload := layout.Of(make([]byte, 8))
	back := make(chan struct{}, 1)
	// The answer is sent by a goroutine that waits for the message, as a rank
	// in Recv does.
	hs[1].deliver = hs[1].signal
	hs[0].deliver = func() { back <- struct{}{} }
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for answered := int64(0); ; {
			for answered < hs[1].frames.Load() {
				hs[1].send(b, conns[1], 0, &h, payload)
				answered++
			}
			select {
			case <-hs[1].wake:
			case <-stop:
				return
			}
		}
	}()
	hs[0].send(b, conns[0], 1, &h, payload)
	<-back
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		hs[0].send(b, conns[0], 1, &h, payload)
		<-back
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/one-way")
	close(stop)
	<-done
}

// oneWay sends b.N frames, at most window of them unfinished.
func oneWay(b *testing.B, open Opener, kind wire.Kind, size, window int) {
	hs, conns := benchPair(b, open)
	h := wire.Header{Kind: kind, Bytes: uint64(size)}
	payload := layout.Of(make([]byte, size))
	all := make(chan struct{}, 1)
	var want atomic.Int64
	hs[1].deliver = func() {
		if hs[1].bytes.Load() == want.Load() {
			all <- struct{}{}
		}
	}
	batch := func(n int) {
		want.Add(int64(n) * int64(size))
		for range n {
			for hs[0].held.Load() >= int64(window) {
				<-hs[0].wake
			}
			hs[0].send(b, conns[0], 1, &h, payload)
		}
		<-all
	}
	batch(2 * window)
	runtime.GC()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	batch(b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
