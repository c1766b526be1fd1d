package algo

import (
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
)

var gatherBinomial = Algorithm{
	Name: "binomial", Op: schedule.Gather, Build: buildGatherBinomial,
	Cost:   "⌈log₂ p⌉·α + (p−1)·n·β at the root",
	Source: "Träff: Practical, Linear-Time, Fully Distributed Algorithms for Irregular Gather and Scatter (2017), with halves for its weighted runs",
}

// buildGatherBinomial has every rank collect the blocks of the run it leads, and
// pass them to its parent as one message.
func buildGatherBinomial(s *schedule.Schedule, c *schedule.Call) {
	parent, own, children := halves(c.Size, c.Root, c.Rank)
	if parent >= 0 && len(children) == 0 {
		s.Send(parent, c.Input())
		return
	}
	var w row
	if parent < 0 {
		w = rowOf(s, c)
	} else {
		w = rowIn(s, c, own.lo, own.hi)
	}
	s.Copy(w.block(c.Rank), c.Input())
	for _, child := range slices.Backward(children) {
		s.Recv(child.rank, w.run(child.lo, child.hi))
	}
	if parent >= 0 {
		s.Send(parent, w.span)
		return
	}
	w.unpack(s)
}
