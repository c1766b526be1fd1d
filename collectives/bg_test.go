package collectives_test

import (
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// Many calls under way at once are each what a blocking one would be.
func TestCallsInTheBackground(t *testing.T) {
	for _, over := range []string{"", "shm", "unix"} {
		for _, p := range []int{1, 2, 3, 5, 8} {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				const calls = 20
				vectors := make([][]int64, calls)
				var requests []rank.Request
				for k := range calls {
					vectors[k] = vector(c.Rank(), 1+k*k*20)
					requests = append(requests, collectives.IAllReduce(c, vectors[k], collectives.Sum))
				}
				if err := rank.WaitAll(t.Context(), requests...); err != nil {
					t.Fatal(err)
				}
				for k := range calls {
					for i, want := range sumOf(0, p, 1+k*k*20) {
						if vectors[k][i] != want {
							t.Fatalf("over %q, rank %d of %d, call %d, element %d: got %d, want %d", over, c.Rank(), p, k, i, vectors[k][i], want)
						}
					}
				}
				again := collectives.AllReduceInit(c, vectors[0], collectives.Sum)
				for range 10 {
					if _, err := again.Start(); err != nil {
						t.Fatal(err)
					}
					if _, err := again.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}, rank.Over(over))
		}
	}
}
