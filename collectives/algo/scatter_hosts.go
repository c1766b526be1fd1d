package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var scatterTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.Scatter, Build: buildScatterTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial among the hosts, then on each; one message comes to a host",
	Source:  magpie,
}

// buildScatterTwoLevel scatters the blocks of each host to its leader, and from there
// to its ranks.
func buildScatterTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	q := h.reordered(c.Rank == c.Root)
	var all, host row
	switch {
	case c.Rank == c.Root:
		all = rowOf(s, q)
		all.pack(s)
		host = h.hostOf(all, h.mine)
	case h.leads():
		host = rowIn(s, q, h.start(h.mine), h.start(h.mine+1))
	}
	h.across(s, func(out *schedule.Call) {
		out.Of = h.blocksAcross(q)
		scatterRow(s, out, row{out, 0, out.Size, all.span}, host.span)
	})
	h.inside(s, func(in *schedule.Call) {
		in.Of = h.blocksInside(q)
		scatterRow(s, in, row{in, 0, in.Size, host.span}, c.Output())
	})
}
