package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceScatterTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.ReduceScatter, Build: buildReduceScatterTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial on each host, then among the hosts, and back: ⌈log₂ hosts⌉·(2·α + p·n·(β + γ)) + p·n·β between hosts",
	Source:  magpie,
}

var (
	reduceScatterTwoLevelInRows  = inRows(reduceScatterTwoLevel)
	reduceScatterTwoLevelAligned = onAlignedHosts(reduceScatterTwoLevel)
)

// buildReduceScatterTwoLevel combines the vectors of a host at its leader and those
// of the hosts at the first of them, and scatters the blocks the same way back.
func buildReduceScatterTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	q := h.reordered(true)
	all := rowOf(s, q)
	all.pack(s)
	x := partial{s: s, span: all.span}
	h.inside(s, func(in *schedule.Call) { x.mergeTo(in, in.Root) })
	h.across(s, func(out *schedule.Call) { x.mergeTo(out, out.Root) })

	var host row
	switch {
	case !h.leads():
	case h.mine == h.root:
		host = h.hostOf(row{q, 0, c.Size, x.span}, h.mine)
	default:
		host = rowIn(s, q, h.start(h.mine), h.start(h.mine+1))
	}
	h.across(s, func(out *schedule.Call) {
		out.Of = h.blocksAcross(q)
		scatterRow(s, out, row{out, 0, out.Size, x.span}, host.span)
	})
	h.inside(s, func(in *schedule.Call) {
		in.Of = h.blocksInside(q)
		scatterRow(s, in, row{in, 0, in.Size, host.span}, c.Output())
	})
}
