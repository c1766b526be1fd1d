package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceDoubling = Algorithm{
	Name: "recursive-doubling", Op: schedule.AllReduce, Build: buildAllReduceDoubling,
	Bracketing: Canonical,
	Cost:       "⌈log₂ p⌉·(α + n·β + n·γ), two steps more where p is no power of two",
	Source:     "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005), §4.5",
}

// buildAllReduceDoubling has every rank exchange its whole vector with the rank
// whose place among the survivors of the fold differs in one bit, the lowest
// first.
func buildAllReduceDoubling(s *schedule.Schedule, c *schedule.Call) {
	out := c.Output()
	s.Copy(out, c.Input())
	f := foldOf(c.Size)
	tmp := s.Scratch(c.Count)
	if c.Rank < 2*f.pairs {
		if c.Rank%2 == 1 {
			s.Send(c.Rank-1, out)
			s.Recv(c.Rank-1, out)
			return
		}
		s.Recv(c.Rank+1, tmp)
		s.Reduce(out, out, tmp)
	}
	me := f.place(c.Rank)
	for bit := 1; bit < f.places; bit <<= 1 {
		partner := f.rank(me ^ bit)
		s.Send(partner, out)
		s.Recv(partner, tmp)
		if me&bit == 0 {
			s.Reduce(out, out, tmp)
		} else {
			s.Reduce(out, tmp, out)
		}
	}
	if c.Rank < 2*f.pairs {
		s.Send(c.Rank+1, out)
	}
}
