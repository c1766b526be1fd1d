package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastScatterDoubling = Algorithm{
	Name: "scatter-doubling", Op: schedule.Bcast, Build: buildBcastScatterDoubling,
	Cost:   "2·⌊log₂ p⌋·α + 2·(p−1)/p·n·β, α + n·β more where p is no power of two",
	Source: "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005)",
}

// buildBcastScatterDoubling scatters the vector down the binomial tree and gathers
// the pieces everywhere by recursive doubling, among the places of the fold; the
// ranks that it leaves out get the vector from their neighbours. What a rank has
// since the scatter is not sent to it again.
func buildBcastScatterDoubling(s *schedule.Schedule, c *schedule.Call) {
	out := c.Output()
	number, at := fromRoot(c, c.Root)
	f := foldOf(c.Size)
	if number < 2*f.pairs && number%2 == 1 {
		s.Recv(at(number-1), out)
		return
	}
	me, m := f.place(number), f.places
	who := func(place int) int { return at(f.rank(place)) }
	scatterDown(s, out, me, m, who)
	for bit := 1; bit < m; bit <<= 1 {
		other := me ^ bit
		if bit >= subtree(other, m) {
			mine := me &^ (bit - 1)
			s.Send(who(other), share(out, m, mine, mine+bit))
		}
		if bit >= subtree(me, m) {
			theirs := other &^ (bit - 1)
			s.Recv(who(other), share(out, m, theirs, theirs+bit))
		}
	}
	if number < 2*f.pairs {
		s.Send(at(number+1), out)
	}
}
