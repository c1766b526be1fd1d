package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var barrierTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.Barrier, Build: buildBarrierTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "up and down a tree on each host, and dissemination among the hosts: ⌈log₂ hosts⌉·α between hosts",
	Source:  magpie,
}

// magpie is where going through one rank of each host is from.
const magpie = "Kielmann, Hofman, Bal, Plaat, Bhoedjang: MagPIe: MPI's Collective Communication Operations for Clustered Wide Area Systems (1999)"

// buildBarrierTwoLevel has the leaders, once all of their hosts have come, tell each
// other, and then their hosts.
func buildBarrierTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h, token := hostsOf(c), s.Token()
	h.inside(s, func(in *schedule.Call) { tokenUp(s, in, token) })
	h.across(s, func(out *schedule.Call) { s.Copy(token, disseminate(s, out, token)) })
	h.inside(s, func(in *schedule.Call) { bcastDown(s, in, 0, token) })
}
