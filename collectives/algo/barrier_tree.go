package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var barrierTree = Algorithm{
	Name: "tree", Op: schedule.Barrier, Build: buildBarrierTree,
	Cost:   "2·⌈log₂ p⌉·α",
	Source: "Open MPI, coll_base_barrier.c: tree",
}

// buildBarrierTree sends tokens up a binomial tree to rank 0 and back: 2·(p−1)
// messages in all, where dissemination takes p·⌈log₂ p⌉.
func buildBarrierTree(s *schedule.Schedule, c *schedule.Call) {
	if c.Size == 1 {
		return
	}
	token := s.Token()
	tokenUp(s, c, token)
	bcastDown(s, c, 0, token)
}

// tokenUp sends token up the binomial tree to rank 0.
func tokenUp(s *schedule.Schedule, c *schedule.Call, token schedule.Span) {
	reach := subtree(c.Rank, c.Size)
	for bit := 1; bit < reach; bit <<= 1 {
		if c.Rank+bit < c.Size {
			s.Recv(c.Rank+bit, token)
		}
	}
	if c.Rank > 0 {
		s.Send(c.Rank-reach, token)
	}
}
