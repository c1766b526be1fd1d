package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allGatherRing = Algorithm{
	Name: "ring", Op: schedule.AllGather, Build: buildAllGatherRing, Turns: true,
	Cost:   "(p−1)·(α + n·β)",
	Source: "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005), §4.1",
}

// buildAllGatherRing sends every block once around: each rank passes on what came
// in the step before. Nothing is packed, whatever the displacements.
func buildAllGatherRing(s *schedule.Schedule, c *schedule.Call) {
	ring(s, c, c.Input(), c.Block)
	s.Copy(c.Block(c.Rank), c.Input())
}

// ring gathers the blocks own of all ranks to block(r) of all but r itself.
func ring(s *schedule.Schedule, c *schedule.Call, own schedule.Span, block func(r int) schedule.Span) {
	right, left := (c.Rank+1)%c.Size, (c.Rank+c.Size-1)%c.Size
	for k := 1; k < c.Size; k++ {
		came := block((c.Rank + c.Size - k) % c.Size)
		s.Send(right, own)
		s.Recv(left, came)
		own = came
	}
}
