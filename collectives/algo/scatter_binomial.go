package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var scatterBinomial = Algorithm{
	Name: "binomial", Op: schedule.Scatter, Build: buildScatterBinomial,
	Cost:   "⌈log₂ p⌉·α + (p−1)·n·β at the root",
	Source: "Träff: Practical, Linear-Time, Fully Distributed Algorithms for Irregular Gather and Scatter (2017), with halves for its weighted runs",
}

// buildScatterBinomial has every rank receive the blocks of the run it leads as one
// message, and pass on those of the runs that are cut from it, the largest first.
func buildScatterBinomial(s *schedule.Schedule, c *schedule.Call) {
	var w row
	if c.Rank == c.Root {
		w = rowOf(s, c)
		w.pack(s)
	}
	scatterRow(s, c, w, c.Output())
}

// scatterRow scatters the blocks of w at the root to own of all ranks.
func scatterRow(s *schedule.Schedule, c *schedule.Call, w row, own schedule.Span) {
	parent, run, children := halves(c.Size, c.Root, c.Rank)
	if parent >= 0 {
		if len(children) == 0 {
			s.Recv(parent, own)
			return
		}
		w = rowIn(s, c, run.lo, run.hi)
		s.Recv(parent, w.span)
	}
	for _, child := range children {
		s.Send(child.rank, w.run(child.lo, child.hi))
	}
	s.Copy(own, w.block(c.Rank))
}
