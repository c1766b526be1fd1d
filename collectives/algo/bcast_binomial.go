package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastBinomial = Algorithm{
	Name: "binomial", Op: schedule.Bcast, Build: buildBcastBinomial,
	Cost:   "⌈log₂ p⌉·(α + n·β)",
	Source: "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005)",
}

// buildBcastBinomial has every rank that has the vector pass it on to the one half
// as far away each time.
func buildBcastBinomial(s *schedule.Schedule, c *schedule.Call) {
	bcastDown(s, c, c.Root, c.Output())
}

// bcastDown sends v from root down the binomial tree.
func bcastDown(s *schedule.Schedule, c *schedule.Call, root int, v schedule.Span) {
	me, at := fromRoot(c, root)
	reach := subtree(me, c.Size)
	if me > 0 {
		s.Recv(at(me-reach), v)
	}
	for bit := reach / 2; bit > 0; bit >>= 1 {
		if me+bit < c.Size {
			s.Send(at(me+bit), v)
		}
	}
}

// fromRoot numbers the ranks from root on: it returns this rank's number, and who
// has a number.
func fromRoot(c *schedule.Call, root int) (me int, at func(number int) int) {
	return (c.Rank + c.Size - root) % c.Size, func(number int) int { return (number + root) % c.Size }
}

// subtree returns how many ranks, from me on, hang below me in the binomial tree over
// size ranks with root 0, those at or above size included. The parent of me is as far
// below it.
func subtree(me, size int) int {
	n := 1
	for n < size && me&n == 0 {
		n <<= 1
	}
	return n
}
