package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastLinear = Algorithm{
	Name: "linear", Op: schedule.Bcast, Build: buildBcastLinear,
	Cost:   "(p−1)·(α + n·β)",
	Source: "Open MPI, coll_base_bcast.c: basic_linear",
}

// buildBcastLinear has root send to all the others.
func buildBcastLinear(s *schedule.Schedule, c *schedule.Call) {
	me, at := fromRoot(c, c.Root)
	if me > 0 {
		s.Recv(c.Root, c.Output())
		return
	}
	for k := 1; k < c.Size; k++ {
		s.Send(at(k), c.Output())
	}
}
