package collectives_test

import (
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// A call that was made before, with other data, costs no allocation on any rank, in
// shared memory or by messages: over shared memory, where ranks drive the links
// themselves.
func TestARepeatedAllReduceAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, algorithm := range []string{"", "recursive-doubling"} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			var opts []collectives.Option
			if algorithm != "" {
				opts = []collectives.Option{collectives.Using(algorithm)}
			}
			x := []float64{1}
			var failed error
			call := func() {
				if err := collectives.AllReduce(t.Context(), c, x, collectives.Max, opts...); err != nil {
					failed = err
				}
			}
			const calls = 200
			if c.Rank() != 0 {
				for range calls + 2 { // AllocsPerRun makes one more, and we one before
					call()
				}
			} else {
				call()
				// Of both ranks: they are one process.
				if n := testing.AllocsPerRun(calls, call); n >= 1 {
					t.Errorf("%q: %v allocations per call", algorithm, n)
				}
			}
			if failed != nil {
				t.Error(failed)
			}
		}, rank.Over("shm"))
	}
}
