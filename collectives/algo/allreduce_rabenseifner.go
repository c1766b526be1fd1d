package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceRabenseifner = Algorithm{
	Name: "rabenseifner", Op: schedule.AllReduce, Build: buildAllReduceRabenseifner,
	Bracketing: Canonical,
	Cost:       "2·⌊log₂ p⌋·α + (p−1)/p·n·(2·β + γ), 2·α + n·(2·β + γ) more where p is no power of two",
	Source:     "Rabenseifner: Optimization of Collective Reduction Operations (2004)",
}

// buildAllReduceRabenseifner combines by recursive halving and gathers the pieces
// everywhere on the way back.
func buildAllReduceRabenseifner(s *schedule.Schedule, c *schedule.Call) {
	out := c.Output()
	if c.Size == 1 {
		s.Copy(out, c.Input())
		return
	}
	x := partial{s: s, span: c.Input(), into: out}
	f := foldOf(c.Size)
	if !x.fold(f, 0, c.Rank) {
		s.Recv(c.Rank-1, out)
		return
	}
	me, m := f.place(c.Rank), f.places
	lo := x.halve(f, 0, me, func(i int) int { return c.Count * i / m })
	unhalve(s, f, me, out, lo)
	if c.Rank < 2*f.pairs {
		s.Send(c.Rank+1, out)
	}
}

// unhalve gathers what halve shared out, with leaders as of root 0: piece lo of v is
// what place me has, and it gets all.
func unhalve(s *schedule.Schedule, f fold, me int, v schedule.Span, lo int) {
	for n, bit := 1, f.places/2; bit > 0; n, bit = 2*n, bit/2 {
		partner := f.rank(me ^ bit)
		s.Send(partner, share(v, f.places, lo, lo+n))
		s.Recv(partner, share(v, f.places, lo^n, lo^n+n))
		lo &^= n
	}
}
