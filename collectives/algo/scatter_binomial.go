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
	parent, own, children := halves(c.Size, c.Root, c.Rank)
	if parent >= 0 && len(children) == 0 {
		s.Recv(parent, c.Output())
		return
	}
	var w row
	if parent < 0 {
		w = rowOf(s, c)
		w.pack(s)
	} else {
		w = rowIn(s, c, own.lo, own.hi)
		s.Recv(parent, w.span)
	}
	for _, child := range children {
		s.Send(child.rank, w.run(child.lo, child.hi))
	}
	s.Copy(c.Output(), w.block(c.Rank))
}
