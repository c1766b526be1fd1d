package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceScatterRing = Algorithm{
	Name: "ring", Op: schedule.ReduceScatter, Build: buildReduceScatterRing, Turns: true,
	Cost:   "(p−1)·α + (p−1)/p·n·(β + γ)",
	Source: "Patarasuk, Yuan: Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations (2009)",
}

// buildReduceScatterRing sends each block around the ranks, from the one above its
// own to its own.
func buildReduceScatterRing(s *schedule.Schedule, c *schedule.Call) {
	p := c.Size
	if p == 1 {
		s.Copy(c.Output(), c.Block(0))
		return
	}
	longest := 0
	for r := range p {
		longest = max(longest, c.BlockLen(r))
	}
	tmp := [2]schedule.Span{s.Scratch(longest), s.Scratch(longest)}
	right, left := (c.Rank+1)%p, (c.Rank+p-1)%p
	sum := c.Block(left)
	for k := 2; k <= p; k++ {
		own := c.Block((c.Rank + p - k) % p)
		s.Send(right, sum)
		came := tmp[k%2].Part(0, own.Len)
		s.Recv(left, came)
		if sum = came; k == p {
			sum = c.Output()
		}
		reduceTo(s, sum, came, own)
	}
}
