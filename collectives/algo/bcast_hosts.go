package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var bcastTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.Bcast, Build: buildBcastTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial among the hosts, then on each: ⌈log₂ hosts⌉·(α + n·β) between hosts",
	Source:  magpie,
}

// buildBcastTwoLevel sends the vector to the leaders, and from there to their hosts.
func buildBcastTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	h.across(s, func(out *schedule.Call) { buildBcastBinomial(s, out) })
	h.inside(s, func(in *schedule.Call) { buildBcastBinomial(s, in) })
}

var bcastTwoLevelChain = Algorithm{
	Name: "two-level-chain", Op: schedule.Bcast, Build: buildBcastTwoLevelChain,
	Refuses: needsTwoLevels,
	Cost:    "(hosts−1 + ranks of a host−1 + k)·(α + n/k·β), k segments; each crosses between hosts hosts−1 times",
	Source:  magpie + ", with chains for trees",
}

// buildBcastTwoLevelChain passes segments along the leaders, and each from there along
// the ranks of a host while the next ones are on their way.
func buildBcastTwoLevelChain(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	for _, seg := range cut(c.Output(), segmentLen(c)) {
		h.across(s, func(out *schedule.Call) { passOn(s, out, seg) })
		h.inside(s, func(in *schedule.Call) { passOn(s, in, seg) })
	}
}

// passOn passes v from rank to rank, from the root on.
func passOn(s *schedule.Schedule, c *schedule.Call, v schedule.Span) {
	me, at := fromRoot(c, c.Root)
	if me > 0 {
		s.Recv(at(me-1), v)
	}
	if me+1 < c.Size {
		s.Send(at(me+1), v)
	}
}
