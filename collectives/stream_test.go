package collectives_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Ranks run ahead of those that they do not need, by calls that are brief and by longer
// ones, and overwrite nothing that the slowest has yet to read.
func TestWhoRunsAheadOverwritesNothing(t *testing.T) {
	const calls, seed = 1000, 7
	for _, p := range []int{2, 3, 8, 29} { // of 29 there is no room for brief calls of their own
		everywhere(t, p, func(t *testing.T, c *rank.Comm) {
			ctx, me := t.Context(), c.Rank()
			script := rand.New(rand.NewPCG(seed, uint64(p))) // the same on all ranks
			for k := range calls {
				if k/100%p == me {
					runtime.Gosched() // each is the slowest for a while
				}
				// of is what a rank brings to the call, and sum that of ranks 0 to r−1.
				n := 1 + max(0, script.IntN(8)-5)
				of := func(r, i int) int64 { return int64(1000*k+10*i+1) << r }
				sum := func(r, i int) (v int64) {
					for lower := range r {
						v += of(lower, i)
					}
					return v
				}
				got, want := make([]int64, n), make([]int64, n)
				for i := range got {
					got[i] = of(me, i)
				}
				copy(want, got)
				upto, root, name, err := 0, k/200%p, "", error(nil)
				switch script.IntN(5) {
				case 0:
					name, upto = "Scan", me+1
					err = collectives.Scan(ctx, c, got, collectives.Sum)
				case 1:
					name, upto = "ExScan", me
					err = collectives.ExScan(ctx, c, got, collectives.Sum)
				case 2:
					name = "Reduce"
					err = collectives.Reduce(ctx, c, root, got, collectives.Sum)
					if me == root {
						upto = p
					} else {
						got, want = nil, nil
					}
				case 3:
					name = "ReduceScatter to one"
					counts := make([]int, p)
					counts[root] = n
					got, err = collectives.ReduceScatter(ctx, c, nil, got, counts, collectives.Sum)
					if want = want[:counts[me]]; me == root {
						upto = p
					}
				case 4:
					name = "Bcast"
					for i := range want {
						want[i] = of(root, i)
					}
					err = collectives.Bcast(ctx, c, root, got)
				}
				if upto > 0 {
					for i := range want {
						want[i] = sum(upto, i)
					}
				}
				name = fmt.Sprintf("call %d, seed %d, %s", k, seed, name)
				ok(t, c, name, err)
				equal(t, c, name, got, want)
			}
		})
	}
}
