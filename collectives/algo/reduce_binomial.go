package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceBinomial = Algorithm{
	Name: "binomial", Op: schedule.Reduce, Build: buildReduceBinomial,
	Bracketing: Canonical,
	Cost:       "⌈log₂ p⌉·(α + n·β + n·γ)",
	Source:     "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005)",
}

// buildReduceBinomial merges blocks of ranks pairwise up to the whole, the result
// of each being where it is needed next.
func buildReduceBinomial(s *schedule.Schedule, c *schedule.Call) {
	x := partial{s: s, span: c.Input(), into: c.Output()}
	x.mergeTo(c, c.Root)
	if c.Size == 1 {
		s.Copy(c.Output(), c.Input())
	}
}

// mergeTo leaves x of root combined from all ranks.
func (x *partial) mergeTo(c *schedule.Call, root int) {
	f := foldOf(c.Size)
	if !x.fold(f, root, c.Rank) {
		return
	}
	me := f.place(c.Rank)
	for n := 1; n < f.places; n <<= 1 {
		theirs := f.leader(root, (me^n)&^(n-1), n)
		if f.leader(root, me&^(2*n-1), 2*n) == theirs {
			x.s.Send(theirs, x.span)
			return
		}
		x.take(theirs, me&n != 0)
	}
}
