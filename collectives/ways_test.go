package collectives_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// One rank's call goes through shared memory, the others' by messages, since their
// lengths differ: all learn of it.
func TestCallsThatGoDifferentWaysAreTold(t *testing.T) {
	for _, p := range []int{2, 3, 5} {
		for odd := range p {
			var all sync.WaitGroup // who has left answers no more
			all.Add(p)
			// Not by ranktest: messages of a call that failed are left over.
			err := rank.Local(p, func(ctx context.Context, c *rank.Comm) error {
				n := 1 << 20 // beyond what goroutines share
				if c.Rank() == odd {
					n = 8
				}
				began := time.Now()
				_, err := collectives.AllGather(ctx, c, nil, make([]byte, n))
				all.Done()
				all.Wait()
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("rank %d of %d: it took %v", c.Rank(), p, took)
				}
				if err != nil && !errors.Is(err, rank.ErrMismatch) && !errors.Is(err, collectives.ErrGivenUp) || err == nil {
					t.Errorf("rank %d of %d, odd %d: %v", c.Rank(), p, odd, err)
				}
				return nil
			})
			if err != nil {
				t.Errorf("%d ranks, odd %d: %v", p, odd, err)
			}
		}
	}
}

// What a rank is told of a collective before its first is no violation of the
// protocol: the link works afterwards.
func TestARankMayBeToldOfACallBeforeItsFirst(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		word := []int{7}
		if c.Rank() == 1 {
			if _, err := rank.Recv(t.Context(), c, 0, 0, word); err != nil {
				t.Error("rank 1:", err)
			}
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		// Given up, which the other is told.
		if err := collectives.Bcast(ctx, c, 1, word, collectives.Using("binomial")); !errors.Is(err, rank.ErrCancelled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Error("rank 0:", err)
		}
		if err := rank.Send(t.Context(), c, 1, 0, word); err != nil {
			t.Error("rank 0:", err)
		}
	})
}

// A call by messages between calls in shared memory, of every kind and with 1 to 5
// ranks, confuses neither.
func TestWaysMayAlternate(t *testing.T) {
	for p := 1; p <= 5; p++ {
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			for i := range 200 {
				var o []collectives.Option
				if i%3 == 1 {
					o = append(o, collectives.Using("dissemination"))
				} else if i%3 == 2 && p > 1 {
					o = append(o, collectives.Using("shared-memory"))
				}
				if err := collectives.Barrier(t.Context(), c, o...); err != nil {
					t.Fatalf("rank %d of %d, barrier %d: %v", c.Rank(), p, i, err)
				}
				x := []int{c.Rank() + i}
				if err := collectives.AllReduce(t.Context(), c, x, collectives.Sum); err != nil || x[0] != p*(p-1)/2+p*i {
					t.Fatalf("rank %d of %d, call %d: %v, %v, want %d", c.Rank(), p, i, x, err, p*(p-1)/2+p*i)
				}
			}
		})
	}
}
