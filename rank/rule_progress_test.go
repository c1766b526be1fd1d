package rank_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 18: a transfer whose two sides have been started completes although
// neither rank makes another call.
func TestRule18StartedTransfersAdvanceByThemselves(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for k, n := range append(w.sizes(), 1<<20+1) {
			buf := make([]byte, n)
			s := rank.Issend(c, right, 1, fill(n, c.Rank(), k)[:n])
			r := rank.Irecv(c, left, 1, buf)
			sent, received := s.Done(), r.Done()
			<-sent
			<-received
			_, err := r.Wait(bg)
			ok(t, err)
			_, err = s.Wait(bg)
			ok(t, err)
			same(t, buf, fill(n, left, k))
		}
	})
}

// Rule 18: loops of Test and of Iprobe end, and a call that blocks one goroutine
// holds up no other.
func TestRule18BlockedCallsHoldUpNobody(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		ctx, cancel := context.WithCancel(bg)
		blocked := make(chan error)
		d, err := c.Dup(bg)
		ok(t, err)
		go func() { _, err := rank.Recv(ctx, c, rank.AnySource, 99, []byte{0}); blocked <- err }()
		go func() { _, err := rank.Probe(ctx, c, left, 98); blocked <- err }()
		go func() { blocked <- rank.Ssend(ctx, c, right, 97, fill(w.eager+1, 0, 0)) }()
		pending := rank.Irecv(c, left, 96, []byte{0})
		go func() { _, err := pending.Wait(ctx); blocked <- err }()
		for k, n := range w.sizes() {
			for _, comm := range []*rank.Comm{c, d} {
				s := rank.Isend(comm, right, 1, fill(n, c.Rank(), k))
				found := false
				for !found {
					_, found, err = rank.Iprobe(comm, left, 1)
					ok(t, err)
					runtime.Gosched()
				}
				buf := make([]byte, n)
				r := rank.Irecv(comm, left, 1, buf)
				for _, q := range []rank.Request{r, s} {
					for done := false; !done; {
						_, done, err = q.Test()
						ok(t, err)
						runtime.Gosched()
					}
				}
				same(t, buf, fill(n, left, k))
			}
		}
		cancel()
		for range 4 {
			if err := <-blocked; !errors.Is(err, context.Canceled) {
				t.Errorf("a blocked call: %v", err)
			}
		}
		// The Irecv goes on after its Wait.
		barrier(t, c)
		ok(t, rank.Send(bg, c, right, 96, []byte{1}))
		_, err = pending.Wait(bg)
		ok(t, err)
	})
}

// Rule 19: what a rank holds for messages that nobody asked for is bounded, and
// yet none is refused: the last of a thousand can be received first.
func TestRule19TheLastOfAThousandFirst(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		const messages = 1000
		limit := w.unexpected
		if limit == 0 {
			limit = 64 << 20
		}
		size := min(w.eager, 1000)
		if c.Rank() != 0 {
			var sends []rank.Request
			for k := range messages {
				sends = append(sends, rank.Isend(c, 0, rank.Tag(k), fill(size, c.Rank(), k)))
			}
			ok(t, rank.WaitAll(bg, sends...))
			return
		}
		buf := make([]byte, size)
		for k := messages - 1; k >= 0; k-- {
			for source := 1; source < w.ranks; source++ {
				_, err := rank.Recv(bg, c, source, rank.Tag(k), buf)
				ok(t, err)
				same(t, buf, fill(size, source, k))
			}
		}
		if peak := rank.PeakUnexpected(c); peak > limit {
			t.Errorf("%d bytes were held, the limit is %d", peak, limit)
		}
	})
}

// Rule 19: blocking sends to a rank that does not receive wait once the credit
// has ended, and go on in order when it does.
func TestRule19BlockingSendersWaitForRoom(t *testing.T) {
	const limit, size, messages = 64 << 10, 1 << 10, 500
	for n := 2; n <= 5; n++ {
		w := world{ranks: n, eager: defaultEager, unexpected: limit}
		t.Run(w.String(), func(t *testing.T) {
			err := rank.Local(n, func(ctx context.Context, c *rank.Comm) error {
				if c.Rank() != 0 {
					for k := range messages {
						if err := rank.Send(ctx, c, 0, 1, fill(size, c.Rank(), k)); err != nil {
							return err
						}
					}
					return nil
				}
				buf := make([]byte, size)
				for k := range messages {
					for source := n - 1; source > 0; source-- {
						if _, err := rank.Recv(ctx, c, source, 1, buf); err != nil {
							return err
						}
						same(t, buf, fill(size, source, k))
					}
				}
				if peak := rank.PeakUnexpected(c); peak > limit {
					t.Errorf("%d bytes were held, the limit is %d", peak, limit)
				}
				return nil
			}, w.options()...)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Rules 18 and 20: a partitioned receive that has started takes its partitions while
// its rank waits for something else, here for its own sends to be taken.
func TestRule18PartitionedReceivesMakeProgress(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		size := 4 * w.eager
		out, in := make([]byte, size), make([]byte, size)
		r := rank.PrecvInit(c, 2, in, left, 1)
		s := rank.PsendInit(c, 4, out, right, 1)
		for k := range 3 {
			copy(out, fill(size, c.Rank(), k))
			ok(t, r.Start())
			ok(t, s.Start())
			ok(t, s.Ready(3, 0, 2, 1))
			_, err := s.Wait(bg)
			ok(t, err)
			_, err = r.Wait(bg)
			ok(t, err)
			same(t, in, fill(size, left, k))
		}
		ok(t, s.Free())
		ok(t, r.Free())
	})
}
