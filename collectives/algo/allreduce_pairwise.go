package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReducePairwise = Algorithm{
	Name: "pairwise", Op: schedule.AllReduce, Build: buildAllReducePairwise,
	Bracketing: Canonical,
	Cost:       "2·(p−1)·α + (p−1)/p·n·(2·β + γ)",
	Source:     "Rabenseifner: Optimization of Collective Reduction Operations (2004), with pairwise exchange both ways",
}

// buildAllReducePairwise has every rank combine one piece of the vector and send it
// to all. The brackets are canonical and no byte is sent more often than in the ring,
// for any number of ranks; only two messages follow each other on any path.
func buildAllReducePairwise(s *schedule.Schedule, c *schedule.Call) {
	p := c.Size
	pieces, results := sharesOf(c.Input(), p), sharesOf(c.Output(), p)
	collect(s, c, pieces, results[c.Rank], func(part func(schedule.Span) schedule.Span) {
		for k := 1; k < p; k++ {
			s.Send((c.Rank+k)%p, part(results[c.Rank]))
		}
		for k := 1; k < p; k++ {
			from := (c.Rank + p - k) % p
			s.Recv(from, part(results[from]))
		}
	})
}
