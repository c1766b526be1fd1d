package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var reduceTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.Reduce, Build: buildReduceTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial on each host, then among the hosts: ⌈log₂ hosts⌉·(α + n·β + n·γ) between hosts",
	Source:  magpie,
}

var (
	reduceTwoLevelInRows  = inRows(reduceTwoLevel)
	reduceTwoLevelAligned = onAlignedHosts(reduceTwoLevel)
)

// buildReduceTwoLevel combines the vectors of a host at its leader, and those of the
// hosts at the root.
func buildReduceTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	x := partial{s: s, span: c.Input(), into: c.Output()}
	h.inside(s, func(in *schedule.Call) { x.mergeTo(in, in.Root) })
	h.across(s, func(out *schedule.Call) { x.mergeTo(out, out.Root) })
}
