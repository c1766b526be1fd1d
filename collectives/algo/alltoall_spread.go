package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allToAllSpread = Algorithm{
	Name: "spread", Op: schedule.AllToAll, Build: buildAllToAllSpread, Turns: true,
	Cost:   "α + (p−1)·(o + n·β)",
	Source: "MPICH, alltoall_intra_scattered, with all messages at once",
}

// buildAllToAllSpread has all messages under way at once, the receives first. Each
// rank begins with its right neighbour, so that no rank is everybody's first. In
// place, what is sent is copied out of the way before.
func buildAllToAllSpread(s *schedule.Schedule, c *schedule.Call) {
	from := make([]schedule.Span, c.Size)
	for r := range from {
		from[r] = fromBlock(c, r)
		if c.InPlace && r != c.Rank {
			from[r] = s.Scratch(from[r].Len)
			s.Copy(from[r], c.ToBlock(r))
		}
	}
	for k := 1; k < c.Size; k++ {
		r := (c.Rank + c.Size - k) % c.Size
		s.Recv(r, c.ToBlock(r))
	}
	for k := 1; k < c.Size; k++ {
		r := (c.Rank + k) % c.Size
		s.Send(r, from[r])
	}
	s.Copy(c.ToBlock(c.Rank), from[c.Rank])
}

// fromBlock returns what goes to rank r. In place that lies where what comes from r
// will, and is as long (SEMANTICS 37).
func fromBlock(c *schedule.Call, r int) schedule.Span {
	if c.InPlace {
		return c.ToBlock(r)
	}
	return c.FromBlock(r)
}
