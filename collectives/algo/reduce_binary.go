package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceBinary = Algorithm{
	Name: "binary-tree", Op: schedule.Reduce, Build: buildReduceBinary,
	Bracketing: Ordered,
	Cost:       "2·(⌈log₂ p⌉+k)·(α + n/k·(β + γ)), k segments",
	Source:     "Open MPI, coll_base_reduce.c: in_order_binary",
}

// buildReduceBinary passes segments up a search tree, in which the ranks below each
// rank hang on one side and those above it on the other. Its top is root, whatever
// root is.
func buildReduceBinary(s *schedule.Schedule, c *schedule.Call) {
	lo, hi, top, parent := 0, c.Size, c.Root, none
	for top != c.Rank {
		if parent = top; c.Rank < top {
			hi = top
		} else {
			lo = top + 1
		}
		top = (lo + hi) / 2
	}
	below, above := none, none
	if lo < top {
		below = (lo + top) / 2
	}
	if top+1 < hi {
		above = (top + 1 + hi) / 2
	}
	reduceSegments(s, c, parent, below, above)
}
