package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reducePairwise = Algorithm{
	Name: "pairwise", Op: schedule.Reduce, Build: buildReducePairwise,
	Bracketing: Canonical,
	Cost:       "2·(p−1)·α + (p−1)/p·n·(2·β + γ)",
	Source:     "Rabenseifner: Optimization of Collective Reduction Operations (2004), with pairwise exchange and linear gather",
}

// buildReducePairwise has every rank combine one piece of the vector and send it to
// root. The brackets are canonical and nothing is sent twice, for any number of ranks.
func buildReducePairwise(s *schedule.Schedule, c *schedule.Call) {
	p, out := c.Size, c.Output()
	pieces := sharesOf(c.Input(), p)
	if c.Rank != c.Root {
		dst := s.Scratch(pieces[c.Rank].Len)
		collect(s, c, pieces, dst, func(part func(schedule.Span) schedule.Span) {
			s.Send(c.Root, part(dst))
		})
		return
	}
	results := sharesOf(out, p)
	collect(s, c, pieces, results[c.Rank], func(part func(schedule.Span) schedule.Span) {
		for k := 1; k < p; k++ {
			from := (c.Rank + p - k) % p
			s.Recv(from, part(results[from]))
		}
	})
}

// sharesOf returns v cut into parts pieces.
func sharesOf(v schedule.Span, parts int) []schedule.Span {
	list := make([]schedule.Span, parts)
	for i := range list {
		list[i] = share(v, parts, i, i+1)
	}
	return list
}
