package collectives_test

import (
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// A rank that hurries on to the next call, which is another one, is not taken to have
// made that instead of this.
func TestAHastyRankIsNotMisunderstood(t *testing.T) {
	for _, p := range []int{2, 3} {
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			x := make([]int64, 3)
			for i := range 3000 {
				var err error
				switch i % 3 {
				case 0:
					err = collectives.Barrier(t.Context(), c)
				case 1:
					err = collectives.AllReduce(t.Context(), c, x[:1+i%2], collectives.Sum)
				case 2:
					err = collectives.Bcast(t.Context(), c, i%p, x)
				}
				if err != nil {
					t.Fatalf("rank %d of %d, call %d: %v", c.Rank(), p, i, err)
				}
			}
		})
	}
}

// A rank may come to its first collective long after the others, whose notes it finds.
func TestALateRankIsWaitedFor(t *testing.T) {
	for _, algorithm := range []string{"shared-memory", "dissemination"} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			if c.Rank() == 0 {
				// Until the other has written its note, and a while.
				for range 3 {
					<-time.After(100 * time.Millisecond)
				}
			}
			if err := collectives.Barrier(t.Context(), c, collectives.Using(algorithm)); err != nil {
				t.Error(err)
			}
		})
	}
}
