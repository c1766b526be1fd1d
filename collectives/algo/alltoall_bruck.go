package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allToAllBruck = Algorithm{
	Name: "bruck", Op: schedule.AllToAll, Build: buildAllToAllBruck, Turns: true,
	Refuses: needsBlocksOfOneLength,
	Cost:    "⌈log₂ p⌉·(α + p/2·n·β), and a copy of each message",
	Source:  "Bruck, Ho, Kipnis, Upfal, Weathersby: Efficient Algorithms for All-to-All Communications in Multiport Message-Passing Systems (1997), §3",
}

// needsBlocksOfOneLength refuses counts, even equal ones: a rank knows its own
// alone.
func needsBlocksOfOneLength(c *schedule.Call) string {
	if c.From.Counts != nil || c.To.Counts != nil {
		return "needs blocks of one length"
	}
	return ""
}

// buildAllToAllBruck sends the block that has d ranks to go in hops of the powers of
// two that d is the sum of, the lowest first; all that make the same hop travel in
// one message.
func buildAllToAllBruck(s *schedule.Schedule, c *schedule.Call) {
	p, n := c.Size, c.Count
	at := make([]schedule.Span, p) // where the block lies that has d ranks to go in all
	for d := range at {
		at[d] = fromBlock(c, (c.Rank+d)%p)
	}
	for hop := 1; hop < p; hop <<= 1 {
		var hopping []int
		for d := range at {
			if d&hop != 0 {
				hopping = append(hopping, d)
			}
		}
		out, in := s.Scratch(len(hopping)*n), s.Scratch(len(hopping)*n)
		for i, d := range hopping {
			s.Copy(out.Part(i*n, n), at[d])
			at[d] = in.Part(i*n, n)
		}
		s.Send((c.Rank+hop)%p, out)
		s.Recv((c.Rank+p-hop)%p, in)
	}
	for d, block := range at {
		s.Copy(c.ToBlock((c.Rank+p-d)%p), block)
	}
}
