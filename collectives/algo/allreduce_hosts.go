package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allReduceTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.AllReduce, Build: buildAllReduceTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial on each host and back, and recursive doubling among the hosts: ⌈log₂ hosts⌉·(α + n·β + n·γ) between hosts",
	Source:  magpie,
}

var (
	allReduceTwoLevelInRows  = inRows(allReduceTwoLevel)
	allReduceTwoLevelAligned = onAlignedHosts(allReduceTwoLevel)
)

// buildAllReduceTwoLevel combines the vectors of a host at its leader, those of the
// hosts at all leaders, and hands the result down.
func buildAllReduceTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	x := partial{s: s, span: c.Input(), into: c.Output()}
	h.inside(s, func(in *schedule.Call) { x.mergeTo(in, in.Root) })
	h.across(s, func(out *schedule.Call) {
		s.Copy(c.Output(), x.span) // of a rank alone on its host
		doubleUp(s, out, c.Output())
	})
	h.inside(s, func(in *schedule.Call) { bcastDown(s, in, in.Root, c.Output()) })
}
