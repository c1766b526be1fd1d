package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceRing = Algorithm{
	Name: "ring", Op: schedule.AllReduce, Build: buildAllReduceRing, Turns: true,
	Cost:   "2·(p−1)·α + (p−1)/p·n·(2·β + γ)",
	Source: "Patarasuk, Yuan: Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations (2009)",
}

// buildAllReduceRing sends each piece of the vector around the ranks once to be
// combined and once to be known.
func buildAllReduceRing(s *schedule.Schedule, c *schedule.Call) {
	ringAllReduce(s, c, c.Count)
}

// ringAllReduce is the ring with pieces cut into segments of length elements. Each
// segment goes around by itself: none waits for the others of its piece.
func ringAllReduce(s *schedule.Schedule, c *schedule.Call, length int) {
	p, in, out := c.Size, c.Input(), c.Output()
	if p == 1 {
		s.Copy(out, in)
		return
	}
	right, left := (c.Rank+1)%p, (c.Rank+p-1)%p
	segments := func(v schedule.Span, k int) []schedule.Span { // of the piece of the rank k below
		i := (c.Rank + 2*p - k) % p
		return cut(share(v, p, i, i+1), length)
	}
	send := func(list []schedule.Span) {
		for _, seg := range list {
			s.Send(right, seg)
		}
	}
	var tmp [2]schedule.Span
	for i := range tmp {
		tmp[i] = s.Scratch((c.Count + p - 1) / p)
	}
	have := in
	for k := range p - 1 {
		send(segments(have, k))
		own, sum := segments(in, k+1), segments(out, k+1)
		for i, came := range cut(tmp[k%2], length)[:len(own)] {
			came = came.Part(0, own[i].Len)
			s.Recv(left, came)
			s.Reduce(sum[i], came, own[i])
		}
		have = out
	}
	for k := p - 1; k < 2*(p-1); k++ {
		send(segments(out, k))
		for _, seg := range segments(out, k+1) {
			s.Recv(left, seg)
		}
	}
}
