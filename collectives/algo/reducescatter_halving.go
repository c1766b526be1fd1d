package algo

import (
	"math/bits"

	"github.com/muster-mpi/muster/collectives/schedule"
)

var reduceScatterHalving = Algorithm{
	Name: "recursive-halving", Op: schedule.ReduceScatter, Build: buildReduceScatterHalving,
	Bracketing: Canonical,
	Cost:       "(⌊log₂ p⌋+1)·α + n·β + (p−1)/p·n·γ, α + n·(β + γ) more where p is no power of two",
	Source:     "Träff: An Improved Algorithm for (Non-commutative) Reduce-Scatter with an Application (2005)",
}

// buildReduceScatterHalving combines by recursive halving. That leaves the blocks of
// a place, which are those of its rank and of the neighbour folded into it, with the
// place whose bits are the reverse; one message more takes each to its rank. Packing
// the blocks in that order at first would save the message and cost a copy of the
// whole vector.
func buildReduceScatterHalving(s *schedule.Schedule, c *schedule.Call) {
	f, starts, all := foldOf(c.Size), blockStarts(c), rowOf(s, c)
	all.pack(s)
	x := partial{s: s, span: all.span}
	if x.fold(f, 0, c.Rank) {
		got := x.halve(f, 0, f.place(c.Rank), func(i int) int { return starts[f.rank(i)] })
		for r := f.rank(got); r < f.rank(got+1); r++ {
			if b := x.span.Part(starts[r], c.BlockLen(r)); r == c.Rank {
				s.Copy(c.Output(), b)
			} else {
				s.Send(r, b)
			}
		}
	}
	reversed := bits.Reverse64(uint64(f.place(c.Rank))) >> (65 - bits.Len(uint(f.places)))
	if from := f.rank(int(reversed)); from != c.Rank {
		s.Recv(from, c.Output())
	}
}

// blockStarts returns where each rank's block begins when they lie one after the
// other, and where the last ends.
func blockStarts(c *schedule.Call) []int {
	starts := make([]int, c.Size+1)
	for r := range c.Size {
		starts[r+1] = starts[r] + c.BlockLen(r)
	}
	return starts
}
