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
	var w row
	if c.Rank == c.Root {
		w = rowOf(s, c)
	}
	gatherRow(s, c, c.Input(), w)
	w.unpack(s)
}

// gatherRow gathers the blocks own of all ranks to w at the root.
func gatherRow(s *schedule.Schedule, c *schedule.Call, own schedule.Span, w row) {
	parent, run, children := halves(c.Size, c.Root, c.Rank)
	if parent >= 0 {
		if len(children) == 0 {
			s.Send(parent, own)
			return
		}
		w = rowIn(s, c, run.lo, run.hi)
	}
	s.Copy(w.block(c.Rank), own)
	for _, child := range slices.Backward(children) {
		s.Recv(child.rank, w.run(child.lo, child.hi))
	}
	if parent >= 0 {
		s.Send(parent, w.span)
	}
}
