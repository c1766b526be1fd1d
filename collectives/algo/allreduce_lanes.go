package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceLanes = Algorithm{
	Name: "lanes", Op: schedule.AllReduce, Build: buildAllReduceLanes,
	Refuses: needsLanes,
	Cost: "2·log₂ m·α + 2·(m−1)/m·n·β on each host, of m ranks, and recursive doubling among the hosts: " +
		"⌈log₂ hosts⌉·(α + n/m·(β + γ)) for each of m ranks at a time",
	Source: "Träff, Hunold: Decomposing MPI Collectives for Exploiting Multi-lane Communication (2020)",
}

var (
	allReduceLanesInRows  = inRows(allReduceLanes)
	allReduceLanesAligned = onAlignedHosts(allReduceLanes)
)

// needsLanes refuses hosts of different numbers of ranks.
func needsLanes(c *schedule.Call) string {
	if why := needsTwoLevels(c); why != "" {
		return why
	}
	all := ranksByHost(c)
	for _, ranks := range all {
		if len(ranks) != len(all[0]) {
			return "needs the same number of ranks on every host"
		}
	}
	return ""
}

// buildAllReduceLanes shares out the vector within each host by recursive halving;
// then each piece is combined among those who have it, one of each host, all at a
// time; then every host gathers its pieces.
func buildAllReduceLanes(s *schedule.Schedule, c *schedule.Call) {
	h, out := hostsOf(c), c.Output()
	x := partial{s: s, span: c.Input(), into: out}
	f := foldOf(len(h.ranks[h.mine]))
	goesOn, me, lo := false, 0, 0
	h.inside(s, func(in *schedule.Call) {
		if goesOn = x.fold(f, 0, in.Rank); goesOn {
			me = f.place(in.Rank)
			lo = x.halve(f, 0, me, func(i int) int { return c.Count * i / f.places })
		}
	})
	if goesOn {
		h.alike(s, func(lane *schedule.Call) { doubleUp(s, lane, share(out, f.places, lo, lo+1)) })
	}
	h.inside(s, func(in *schedule.Call) {
		if !goesOn {
			s.Recv(in.Rank-1, out)
			return
		}
		unhalve(s, f, me, out, lo)
		if in.Rank < 2*f.pairs {
			s.Send(in.Rank+1, out)
		}
	})
}
