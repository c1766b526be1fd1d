package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastChain = Algorithm{
	Name: "chain", Op: schedule.Bcast, Build: buildBcastChain,
	Cost:   "(p−2+k)·(α + n/k·β), k segments",
	Source: "Pješivac-Grbović et al.: Performance Analysis of MPI Collective Operations (2007)",
}

// buildBcastChain passes the vector from rank to rank in segments.
func buildBcastChain(s *schedule.Schedule, c *schedule.Call) {
	me, _ := fromRoot(c, c.Root)
	bcastSegments(s, c, me-1, []int{me + 1})
}

// bcastSegments passes the vector segment by segment from parent to children, all
// numbered from root on; those at or above the size are not there, and root has no
// parent.
func bcastSegments(s *schedule.Schedule, c *schedule.Call, parent int, children []int) {
	me, at := fromRoot(c, c.Root)
	for _, seg := range cut(c.Output(), segmentLen(c)) {
		if me > 0 {
			s.Recv(at(parent), seg)
		}
		for _, child := range children {
			if child < c.Size {
				s.Send(at(child), seg)
			}
		}
	}
}
