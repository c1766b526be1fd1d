package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allToAllPairwise = Algorithm{
	Name: "pairwise", Op: schedule.AllToAll, Build: buildAllToAllPairwise, Turns: true,
	Cost:   "(p−1)·(α + n·β)",
	Source: "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005), §4.2",
}

// buildAllToAllPairwise goes through the distances: rank r exchanges with r+k and
// with r−k, one block each way, then with the next pair. In place, only the blocks
// of one distance lie in scratch memory at a time.
func buildAllToAllPairwise(s *schedule.Schedule, c *schedule.Call) {
	p := c.Size
	var tmp [2]schedule.Span
	if c.InPlace {
		most := 0
		for r := range p {
			most = max(most, c.ToBlock(r).Len)
		}
		tmp = [2]schedule.Span{s.Scratch(most), s.Scratch(most)}
	}
	s.Copy(c.ToBlock(c.Rank), fromBlock(c, c.Rank))
	for k := 1; 2*k <= p; k++ {
		partners := []int{(c.Rank + k) % p, (c.Rank + p - k) % p}
		if 2*k == p {
			partners = partners[:1]
		}
		for i, r := range partners {
			from := fromBlock(c, r)
			if c.InPlace {
				kept := tmp[i].Part(0, from.Len)
				s.Copy(kept, from)
				from = kept
			}
			s.Send(r, from)
		}
		for _, r := range partners {
			s.Recv(r, c.ToBlock(r))
		}
	}
}
