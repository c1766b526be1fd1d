package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceScatterPairwise = Algorithm{
	Name: "pairwise", Op: schedule.ReduceScatter, Build: buildReduceScatterPairwise,
	Bracketing: Canonical,
	Cost:       "(p−1)·α + (p−1)/p·n·(β + γ)",
	Source:     "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005)",
}

// buildReduceScatterPairwise has every rank collect the pieces of its own block.
func buildReduceScatterPairwise(s *schedule.Schedule, c *schedule.Call) {
	blocks := make([]schedule.Span, c.Size)
	for r := range blocks {
		blocks[r] = c.Block(r)
	}
	collect(s, c, blocks, c.Output(), nil)
}
