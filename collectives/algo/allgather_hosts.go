package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allGatherTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.AllGather, Build: buildAllGatherTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial on each host and back, and recursive doubling among the hosts: ⌈log₂ hosts⌉·α + p·n·β between hosts",
	Source:  magpie,
}

// buildAllGatherTwoLevel gathers the blocks of a host at its leader, those of the
// hosts at all leaders, and hands them down.
func buildAllGatherTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	q := h.reordered(true)
	all := rowOf(s, q)
	host := h.hostOf(all, h.mine)
	h.inside(s, func(in *schedule.Call) {
		in.Of = h.blocksInside(q)
		gatherRow(s, in, c.Input(), row{in, 0, in.Size, host.span})
	})
	h.across(s, func(out *schedule.Call) {
		out.Of = h.blocksAcross(q)
		doubleRow(s, out, host.span, row{out, 0, out.Size, all.span})
	})
	h.inside(s, func(in *schedule.Call) { bcastDown(s, in, in.Root, all.span) })
	all.unpack(s)
}
