package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceRabenseifner = Algorithm{
	Name: "rabenseifner", Op: schedule.Reduce, Build: buildReduceRabenseifner,
	Bracketing: Canonical,
	Cost:       "2·⌊log₂ p⌋·α + (p−1)/p·n·(2·β + γ), α + n·(β + γ) more where p is no power of two",
	Source:     "Rabenseifner: Optimization of Collective Reduction Operations (2004)",
}

// buildReduceRabenseifner combines by recursive halving, which leaves a piece with
// each place, and gathers the pieces at root up a binomial tree.
func buildReduceRabenseifner(s *schedule.Schedule, c *schedule.Call) {
	if c.Size == 1 {
		s.Copy(c.Output(), c.Input())
		return
	}
	x := partial{s: s, span: c.Input(), into: c.Output()}
	f := foldOf(c.Size)
	if !x.fold(f, c.Root, c.Rank) {
		return
	}
	me, root := f.place(c.Rank), f.place(c.Root)
	lo := x.halve(f, c.Root, me, func(i int) int { return c.Count * i / f.places })
	for n, bit := 1, f.places/2; bit > 0; n, bit = 2*n, bit/2 {
		partner := f.leader(c.Root, me^bit, 1)
		if me&bit != root&bit {
			s.Send(partner, share(x.span, f.places, lo, lo+n))
			return
		}
		s.Recv(partner, share(x.span, f.places, lo^n, lo^n+n))
		lo &^= n
	}
}
