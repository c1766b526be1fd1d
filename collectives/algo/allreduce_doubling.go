package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceDoubling = Algorithm{
	Name: "recursive-doubling", Op: schedule.AllReduce, Build: buildAllReduceDoubling,
	Bracketing: Canonical,
	Cost:       "⌈log₂ p⌉·(α + n·β + n·γ), two steps more where p is no power of two",
	Source:     "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005), §4.5",
}

func buildAllReduceDoubling(s *schedule.Schedule, c *schedule.Call) {
	s.Copy(c.Output(), c.Input())
	doubleUp(s, c, c.Output())
}

// doubleUp combines v of all ranks in place. Every rank exchanges it with the rank
// whose place among the survivors of the fold differs in one bit, the lowest first.
func doubleUp(s *schedule.Schedule, c *schedule.Call, v schedule.Span) {
	f := foldOf(c.Size)
	tmp := s.Scratch(v.Len)
	if c.Rank < 2*f.pairs {
		if c.Rank%2 == 1 {
			s.Send(c.Rank-1, v)
			s.Recv(c.Rank-1, v)
			return
		}
		s.Recv(c.Rank+1, tmp)
		s.Reduce(v, v, tmp)
	}
	me := f.place(c.Rank)
	for bit := 1; bit < f.places; bit <<= 1 {
		partner := f.rank(me ^ bit)
		s.Send(partner, v)
		s.Recv(partner, tmp)
		if me&bit == 0 {
			s.Reduce(v, v, tmp)
		} else {
			s.Reduce(v, tmp, v)
		}
	}
	if c.Rank < 2*f.pairs {
		s.Send(c.Rank+1, v)
	}
}
