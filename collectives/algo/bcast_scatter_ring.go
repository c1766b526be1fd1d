package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastScatterRing = Algorithm{
	Name: "scatter-ring", Op: schedule.Bcast, Build: buildBcastScatterRing,
	Cost: "(⌈log₂ p⌉ + p−1)·α + 2·(p−1)/p·n·β",
	Source: "Barnett, Gupta, Payne, Shuler, van de Geijn, Watts: Interprocessor Collective Communication " +
		"Library (1994); Zhou, Marjanović, Niethammer, Gracia: A Bandwidth-saving Optimization for MPI " +
		"Broadcast Collective Operation (2015)",
}

// buildBcastScatterRing scatters the vector down the binomial tree, one piece for
// each rank, and passes the pieces around the ring. After the scatter a rank has the
// pieces of all below it in the tree; those are not sent to it again.
func buildBcastScatterRing(s *schedule.Schedule, c *schedule.Call) {
	out, p := c.Output(), c.Size
	me, at := fromRoot(c, c.Root)
	scatterDown(s, out, me, p, at)
	has := func(who, piece int) bool { return who <= piece && piece < who+subtree(who, p) }
	right, left := (me+1)%p, (me+p-1)%p
	for k := range p - 1 {
		goes, comes := (me+p-k)%p, (me+p-k-1)%p
		if !has(right, goes) {
			s.Send(at(right), share(out, p, goes, goes+1))
		}
		if !has(me, comes) {
			s.Recv(at(left), share(out, p, comes, comes+1))
		}
	}
}

// scatterDown sends v, cut into a piece for each of size ranks called 0 to size−1, of
// whom 0 has it all, down the binomial tree: rank me then has the pieces of all
// below it. at returns what s calls them.
func scatterDown(s *schedule.Schedule, v schedule.Span, me, size int, at func(int) int) {
	part := func(lo, n int) schedule.Span { return share(v, size, lo, min(lo+n, size)) }
	reach := subtree(me, size)
	if me > 0 {
		s.Recv(at(me-reach), part(me, reach))
	}
	for bit := reach / 2; bit > 0; bit >>= 1 {
		if me+bit < size {
			s.Send(at(me+bit), part(me+bit, bit))
		}
	}
}
