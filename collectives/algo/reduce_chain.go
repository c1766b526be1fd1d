package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceChain = Algorithm{
	Name: "chain", Op: schedule.Reduce, Build: buildReduceChain,
	Bracketing: Ordered,
	Cost:       "(p−2+k)·(α + n/k·(β + γ)), k segments",
	Source:     "Pješivac-Grbović et al.: Performance Analysis of MPI Collective Operations (2007)",
}

// buildReduceChain passes segments from both ends of the ranks towards root, each
// rank adding its own.
func buildReduceChain(s *schedule.Schedule, c *schedule.Call) {
	below, above := c.Rank-1, c.Rank+1
	if above == c.Size {
		above = none
	}
	switch {
	case c.Rank < c.Root:
		reduceSegments(s, c, above, below, none)
	case c.Rank > c.Root:
		reduceSegments(s, c, below, none, above)
	default:
		reduceSegments(s, c, none, below, above)
	}
}

// none is no rank.
const none = -1

// reduceSegments receives segment by segment what the ranks just below, from one
// child, and just above, from the other, have combined, adds its own between them
// and passes the result on to parent; root has none and keeps it.
func reduceSegments(s *schedule.Schedule, c *schedule.Call, parent, below, above int) {
	in, length := c.Input(), segmentLen(c)
	if c.Size == 1 {
		s.Copy(c.Output(), in)
		return
	}
	var belows, aboves [stages]schedule.Span
	if below != none {
		belows = slotsOf(s, c, length)
	}
	if above != none {
		aboves = slotsOf(s, c, length)
	}
	for i, have := range cut(in, length) {
		off, n := i*length, have.Len
		keep := func(tmp schedule.Span) schedule.Span {
			if parent == none {
				return c.Output().Part(off, n)
			}
			return tmp
		}
		if below != none {
			tmp := belows[i%stages].Part(0, n)
			s.Recv(below, tmp)
			s.Reduce(keep(tmp), tmp, have)
			have = keep(tmp)
		}
		if above != none {
			tmp := aboves[i%stages].Part(0, n)
			s.Recv(above, tmp)
			s.Reduce(keep(tmp), have, tmp)
			have = keep(tmp)
		}
		if parent != none {
			s.Send(parent, have)
		}
	}
}
