//go:build !race

package collectives_test

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// TestAShortAllReduceAllocatesNothing counts what both ranks allocate for calls after the
// first on a communicator, under a context that does not end and one that may.
func TestAShortAllReduceAllocatesNothing(t *testing.T) {
	const runs = 200
	for i, w := range append(bothWays(schedule.AllReduce), bothWays(schedule.AllReduce)...) {
		ctx := context.Background()
		if i >= 2 {
			ctx = t.Context()
		}
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			v := []float64{1}
			call := func() {
				if err := collectives.AllReduce(ctx, c, v, collectives.Sum, w.opts...); err != nil {
					t.Fatal(err)
				}
			}
			for range 20 {
				call()
			}
			if c.Rank() == 1 {
				for range runs + 1 { // AllocsPerRun makes one more
					call()
				}
				return
			}
			if got := testing.AllocsPerRun(runs, call); got != 0 {
				t.Errorf("%s: %v allocations for a call of two ranks, want 0", w.how, got)
			}
		})
	}
}
