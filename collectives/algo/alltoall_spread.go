package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allToAllSpread = Algorithm{
	Name: "spread", Op: schedule.AllToAll, Build: buildAllToAllSpread, Turns: true,
	Cost:   "α + (p−1)·(o + n·β)",
	Source: "MPICH, alltoall_intra_scattered, with all messages at once",
}

// buildAllToAllSpread has all messages under way at once. Each rank begins with its
// right neighbour, so that no rank is everybody's first. In place, what is sent is
// copied out of the way first.
func buildAllToAllSpread(s *schedule.Schedule, c *schedule.Call) {
	for k := 1; k < c.Size; k++ {
		to := (c.Rank + k) % c.Size
		from := fromBlock(c, to)
		if c.InPlace {
			from = s.Scratch(from.Len)
			s.Copy(from, c.ToBlock(to))
		}
		s.Send(to, from)
	}
	for k := 1; k < c.Size; k++ {
		from := (c.Rank + c.Size - k) % c.Size
		s.Recv(from, c.ToBlock(from))
	}
	s.Copy(c.ToBlock(c.Rank), fromBlock(c, c.Rank))
}

// fromBlock returns what goes to rank r. In place that lies where what comes from r
// will, and is as long (SEMANTICS 37).
func fromBlock(c *schedule.Call, r int) schedule.Span {
	if c.InPlace {
		return c.ToBlock(r)
	}
	return c.FromBlock(r)
}
