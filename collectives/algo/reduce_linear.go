package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceLinear = Algorithm{
	Name: "linear", Op: schedule.Reduce, Build: buildReduceLinear,
	Bracketing: Canonical,
	Cost:       "(p−1)·(α + n·β + n·γ)",
	Source:     "Open MPI, coll_base_reduce.c: basic_linear",
}

// buildReduceLinear has root receive all vectors and combine them by itself.
func buildReduceLinear(s *schedule.Schedule, c *schedule.Call) {
	blocks := make([]schedule.Span, c.Size)
	blocks[c.Root] = c.Input()
	collect(s, c, blocks, c.Output(), nil)
}
