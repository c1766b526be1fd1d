package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastBinary = Algorithm{
	Name: "binary-tree", Op: schedule.Bcast, Build: buildBcastBinary,
	Cost:   "2·(⌊log₂ p⌋−1+k)·(α + n/k·β), k segments",
	Source: "Pješivac-Grbović et al.: Performance Analysis of MPI Collective Operations (2007)",
}

// buildBcastBinary passes the vector down a binary tree in segments.
func buildBcastBinary(s *schedule.Schedule, c *schedule.Call) {
	me, _ := fromRoot(c, c.Root)
	bcastSegments(s, c, (me-1)/2, []int{2*me + 1, 2*me + 2})
}
