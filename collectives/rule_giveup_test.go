package collectives_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// After a call that one rank left early nobody knows who has what: the communicator's collectives
// end on all ranks, and nothing else does.
func TestACancelledCallEndsTheCommunicatorsCollectives(t *testing.T) {
	for _, over := range []string{"", "shm"} {
		for _, w := range bothWays(schedule.AllReduce) {
			left := make(chan bool)
			err := rank.Local(3, func(ctx context.Context, c *rank.Comm) error {
				ok(t, c, "Barrier", collectives.Barrier(ctx, c))
				d, err := c.Dup(ctx)
				ok(t, c, "Dup", err)
				v := make([]float64, 9)
				if c.Rank() == 1 {
					short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
					defer cancel()
					err := collectives.AllReduce(short, c, v, collectives.Sum, w.opts...)
					if !errors.Is(err, rank.ErrCancelled) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("over %q, %s, rank 1: got %v, want ErrCancelled and DeadlineExceeded", over, w.how, err)
					}
					close(left)
				}
				<-left // so that rank 1 waits in vain
				// What rank 1 had sent before it left may be all that another needs of it.
				if err := collectives.AllReduce(ctx, c, v, collectives.Sum, w.opts...); err == nil && c.Rank() == 1 || err != nil && !errors.Is(err, collectives.ErrGivenUp) {
					t.Errorf("over %q, %s, rank %d, AllReduce: got %v, want ErrGivenUp, on rank 1 in any case", over, w.how, c.Rank(), err)
				}
				for _, call := range []struct {
					name string
					err  error
				}{
					{"Barrier", collectives.Barrier(ctx, c)},
					{"BarrierInit", startAndWait(ctx, collectives.BarrierInit(c))},
				} {
					if !errors.Is(call.err, collectives.ErrGivenUp) {
						t.Errorf("over %q, %s, rank %d, %s: got %v, want ErrGivenUp", over, w.how, c.Rank(), call.name, call.err)
					}
				}
				ok(t, c, "Barrier of another communicator", collectives.Barrier(ctx, d))
				part, err := c.Split(ctx, 0, 0)
				ok(t, c, "Split", err)
				ok(t, c, "AllReduce of a part", collectives.AllReduce(ctx, part, v, collectives.Sum))
				return nil
			}, rank.Over(over))
			if err != nil {
				t.Errorf("over %q, %s: %v", over, w.how, err)
			}
		}
	}
}

// A context that has ended before the call begins leaves everything as it was.
func TestACallThatDoesNotBeginEndsNothing(t *testing.T) {
	for _, p := range []int{1, 3} {
		everywhere(t, p, func(t *testing.T, c *rank.Comm) {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			for _, w := range bothWays(schedule.Barrier) {
				if err := collectives.Barrier(ended, c, w.opts...); !errors.Is(err, rank.ErrCancelled) || !errors.Is(err, context.Canceled) {
					t.Errorf("%s, rank %d of %d: got %v, want ErrCancelled and Canceled", w.how, c.Rank(), p, err)
				}
				ok(t, c, "Barrier", collectives.Barrier(t.Context(), c, w.opts...))
			}
		})
	}
}

// A rank that fails ends the calls of the others, in whichever way they wait.
func TestARankThatFailsEndsTheCallsOfTheOthers(t *testing.T) {
	broken := errors.New("broken")
	for _, over := range []string{"", "shm", "unix"} {
		for _, w := range append(bothWays(schedule.Barrier), way{"in the background", nil}) {
			err := rank.Local(3, func(ctx context.Context, c *rank.Comm) error {
				ok(t, c, "Barrier", collectives.Barrier(ctx, c))
				if c.Rank() == 1 {
					return broken
				}
				var err error
				if w.how == "in the background" {
					_, err = collectives.IBarrier(c).Wait(ctx)
				} else {
					err = collectives.Barrier(ctx, c, w.opts...)
				}
				if !errors.Is(err, rank.ErrAborted) && !errors.Is(err, collectives.ErrGivenUp) {
					t.Errorf("over %q, %s, rank %d: got %v, want ErrAborted or ErrGivenUp", over, w.how, c.Rank(), err)
				}
				return nil
			}, rank.Over(over))
			if !errors.Is(err, broken) {
				t.Errorf("over %q, %s: got %v, want %v", over, w.how, err, broken)
			}
		}
	}
}
