package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allGatherBruck = Algorithm{
	Name: "bruck", Op: schedule.AllGather, Build: buildAllGatherBruck,
	Cost:   "⌈log₂ p⌉·α + (p−1)·n·β, and a copy of all blocks",
	Source: "Bruck, Ho, Kipnis, Upfal, Weathersby: Efficient Algorithms for All-to-All Communications in Multiport Message-Passing Systems (1997), §4",
}

// buildAllGatherBruck has rank r collect the blocks of r, r+1, … in scratch memory:
// with d of them there, the next d come from rank r+d. So there are no more steps
// for a size that is no power of two.
func buildAllGatherBruck(s *schedule.Schedule, c *schedule.Call) {
	p := c.Size
	if p == 1 {
		s.Copy(c.Block(0), c.Input())
		return
	}
	at := make([]int, p+1) // where the k-th block after that of this rank begins
	for k := range p {
		at[k+1] = at[k] + c.BlockLen((c.Rank+k)%p)
	}
	tmp := s.Scratch(at[p])
	s.Copy(tmp.Part(0, at[1]), c.Input())
	for d := 1; d < p; d <<= 1 {
		n := min(d, p-d)
		s.Send((c.Rank+p-d)%p, tmp.Part(0, at[n]))
		s.Recv((c.Rank+d)%p, tmp.Part(at[d], at[d+n]-at[d]))
	}
	if w := rowOf(s, c); w.span.Buf != schedule.Temp {
		wrap := at[p-c.Rank] // where the block of rank 0 begins
		s.Copy(w.run(c.Rank, p), tmp.Part(0, wrap))
		s.Copy(w.run(0, c.Rank), tmp.Part(wrap, at[p]-wrap))
		return
	}
	for k := range p {
		s.Copy(c.Block((c.Rank+k)%p), tmp.Part(at[k], at[k+1]-at[k]))
	}
}
