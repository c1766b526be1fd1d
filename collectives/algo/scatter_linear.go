package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var scatterLinear = Algorithm{
	Name: "linear", Op: schedule.Scatter, Build: buildScatterLinear,
	Cost:   "α + (p−1)·(o + n·β) at the root",
	Source: "Open MPI, coll/base, scatter_intra_basic_linear",
}

// buildScatterLinear has the root send every rank its block from where it lies.
func buildScatterLinear(s *schedule.Schedule, c *schedule.Call) {
	if c.Rank != c.Root {
		s.Recv(c.Root, c.Output())
		return
	}
	for r := range c.Size {
		if r != c.Root {
			s.Send(r, c.Block(r))
		}
	}
	s.Copy(c.Output(), c.Block(c.Root))
}
