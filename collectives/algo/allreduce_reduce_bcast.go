package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceReduceBcast = Algorithm{
	Name: "reduce-bcast", Op: schedule.AllReduce, Build: buildAllReduceReduceBcast,
	Bracketing: Canonical,
	Cost:       "⌈log₂ p⌉·(2·α + 2·n·β + n·γ)",
	Source:     "Open MPI, coll_base_allreduce.c: nonoverlapping",
}

// buildAllReduceReduceBcast reduces to rank 0 up a binomial tree and broadcasts down
// another: 2·(p−1) messages in all, where recursive doubling takes p·log₂ p.
func buildAllReduceReduceBcast(s *schedule.Schedule, c *schedule.Call) {
	out := c.Output()
	x := partial{s: s, span: c.Input(), into: out}
	x.mergeTo(c, 0)
	if c.Size == 1 {
		s.Copy(out, c.Input())
	}
	bcastDown(s, c, 0, out)
}
