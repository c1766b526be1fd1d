package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var gatherLinear = Algorithm{
	Name: "linear", Op: schedule.Gather, Build: buildGatherLinear,
	Cost:   "α + (p−1)·(o + n·β) at the root",
	Source: "Open MPI, coll/base, gather_intra_basic_linear",
}

// buildGatherLinear has every rank send its block to the root, where it comes to
// its place without a copy.
func buildGatherLinear(s *schedule.Schedule, c *schedule.Call) {
	if c.Rank != c.Root {
		s.Send(c.Root, c.Input())
		return
	}
	for r := range c.Size {
		if r != c.Root {
			s.Recv(r, c.Block(r))
		}
	}
	s.Copy(c.Block(c.Root), c.Input())
}
