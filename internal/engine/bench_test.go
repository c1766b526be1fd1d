package engine

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
)

// exchange returns a function that carries one message of n bytes from one
// engine to another on the caller's goroutine, with the receive posted before
// the send or after it.
func exchange(tb testing.TB, ranks, n int, recvFirst bool) func() {
	engines, worlds := openInproc(tb, ranks, Config{})
	ctx := context.Background()
	to := ranks - 1
	out := &Envelope{Context: worlds[0], Peer: to, Buf: layout.Of(make([]byte, n))}
	in := &Envelope{Context: worlds[to], Peer: 0, Buf: layout.Of(make([]byte, n))}
	sender, receiver := engines[0], engines[to]
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	if recvFirst {
		return func() {
			r, err := receiver.Irecv(in)
			check(err)
			check(sender.Send(ctx, out))
			_, err = receiver.Wait(ctx, r)
			check(err)
		}
	}
	return func() {
		check(sender.Send(ctx, out))
		_, err := receiver.Recv(ctx, in)
		check(err)
	}
}

var exchanges = []struct {
	name      string
	ranks, n  int
	recvFirst bool
}{
	{"self/8B/recv-first", 1, 8, true},
	{"self/8B/send-first", 1, 8, false},
	{"pair/8B/recv-first", 2, 8, true},
	{"pair/8B/send-first", 2, 8, false},
	{"pair/4KiB/recv-first", 2, 4096, true},
	{"pair/4KiB/send-first", 2, 4096, false},
	{"pair/1MiB/recv-first", 2, 1 << 20, true},
}

// The cost of the engine alone: sender and receiver on one goroutine, so no
// switch is in it.
func BenchmarkExchange(b *testing.B) {
	for _, x := range exchanges {
		b.Run(x.name, func(b *testing.B) {
			f := exchange(b, x.ranks, x.n, x.recvFirst)
			b.SetBytes(int64(x.n))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// Ping-pong between two goroutines, each half a round trip.
func BenchmarkPingPong(b *testing.B) {
	for _, n := range []int{8, 4096} {
		b.Run(sizeName(n), func(b *testing.B) {
			engines, worlds := openInproc(b, 2, Config{})
			ctx := context.Background()
			side := func(i int) (recv, send func()) {
				e := engines[i]
				out := &Envelope{Context: worlds[i], Peer: 1 - i, Buf: layout.Of(make([]byte, n))}
				in := &Envelope{Context: worlds[i], Peer: 1 - i, Buf: layout.Of(make([]byte, n))}
				return func() { e.Recv(ctx, in) }, func() { e.Send(ctx, out) }
			}
			recv0, send0 := side(0)
			recv1, send1 := side(1)
			total := b.N
			go func() {
				for range total {
					recv1()
					send1()
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			for range total {
				send0()
				recv0()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*total), "ns/half")
		})
	}
}

func sizeName(n int) string {
	if n >= 1024 {
		return "4KiB"
	}
	return "8B"
}

// A message of up to 4 KiB allocates nothing, whichever side comes first; nor
// does one that is granted.
func TestMessagesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			f := exchange(t, x.ranks, x.n, x.recvFirst)
			for range 100 {
				f()
			}
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

var _ transport.Handler = (*Engine)(nil)
