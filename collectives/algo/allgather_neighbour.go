package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allGatherNeighbour = Algorithm{
	Name: "neighbour-exchange", Op: schedule.AllGather, Build: buildAllGatherNeighbour,
	Refuses: needsEvenSize,
	Cost:    "p/2·α + (p−1)·n·β",
	Source:  "Chen, Zhang, Zhang, Yuan: Performance Evaluation of Allgather Algorithms on Terascale Linux Cluster with Fast Ethernet (2005)",
}

// needsEvenSize refuses an odd number of ranks, one of which would have no mate.
func needsEvenSize(c *schedule.Call) string {
	if c.Size%2 != 0 {
		return "needs an even number of ranks"
	}
	return ""
}

// buildAllGatherNeighbour pairs the ranks 2k and 2k+1, which exchange their blocks.
// Then every rank turns to its two neighbours by turns, the one of another pair
// first, and exchanges the two blocks that came last.
func buildAllGatherNeighbour(s *schedule.Schedule, c *schedule.Call) {
	w := rowOf(s, c)
	s.Copy(w.block(c.Rank), c.Input())

	mate, away := c.Rank+1, -1 // of even ranks, the other pair is to the left
	if c.Rank%2 == 1 {
		mate, away = c.Rank-1, 1
	}
	s.Send(mate, c.Input())
	s.Recv(mate, w.block(mate))

	pairs, mine := c.Size/2, c.Rank/2
	pair := func(k int) schedule.Span {
		k = (k + pairs) % pairs
		return w.run(2*k, 2*k+2)
	}
	last := pair(mine)
	for step := 1; step < pairs; step++ {
		// The two directions bring the pairs ever farther away on either side.
		neighbour, came := (c.Rank+away+c.Size)%c.Size, pair(mine+away*(step+1)/2)
		if step%2 == 0 {
			neighbour, came = mate, pair(mine-away*step/2)
		}
		s.Send(neighbour, last)
		s.Recv(neighbour, came)
		last = came
	}
	w.unpack(s)
}
