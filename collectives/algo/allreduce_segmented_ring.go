package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceSegmentedRing = Algorithm{
	Name: "segmented-ring", Op: schedule.AllReduce, Build: buildAllReduceSegmentedRing, Turns: true,
	Cost:   "2·(p−1)·k·α + (p−1)/p·n·(2·β + γ/k), k segments a piece, where combining hides behind sending",
	Source: "Open MPI, coll_base_allreduce.c: ring_segmented",
}

// buildAllReduceSegmentedRing is the ring with its pieces cut into segments.
func buildAllReduceSegmentedRing(s *schedule.Schedule, c *schedule.Call) {
	ringAllReduce(s, c, segmentLen(c))
}
