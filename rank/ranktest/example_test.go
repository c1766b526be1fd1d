package ranktest_test

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// A test of four ranks: each fails the test by t, as ever, and t.Fatal ends the
// rank that calls it.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestRing(t *testing.T)
		ranktest.Run(t, 4, func(t *testing.T, world *rank.Comm) {
			p := world.Size()
			right, left := (world.Rank()+1)%p, (world.Rank()+p-1)%p
			in := make([]int, 1)
			_, err := rank.SendRecv(context.Background(), world, right, 1, []int{world.Rank()}, left, 1, in)
			if err != nil {
				t.Fatal(err)
			}
			if in[0] != left {
				t.Errorf("rank %d: got %d from the left, want %d", world.Rank(), in[0], left)
			}
		})
	}
}
