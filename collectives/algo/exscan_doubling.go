package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var exScanDoubling = Algorithm{
	Name: "recursive-doubling", Op: schedule.ExScan, Build: buildExScanDoubling,
	Bracketing: Canonical,
	Cost:       "⌈log₂ p⌉·(α + n·β + 2·n·γ)",
	Source:     "MPICH, exscan_intra_recursive_doubling.c",
}

// buildExScanDoubling is the scan by recursive doubling with a prefix that begins as
// the first lower block instead of the rank's own vector.
func buildExScanDoubling(s *schedule.Schedule, c *schedule.Call) {
	out, block, begun := c.Output(), c.Input(), false
	tmp, own := s.Scratch(c.Count), s.Scratch(c.Count)
	for bit := 1; bit < c.Size; bit <<= 1 {
		partner, needed := c.Rank^bit, mergedNeeded(c, bit)
		if c.Rank < partner {
			if partner < c.Size {
				s.Send(partner, block)
			}
			if needed {
				s.Recv(partner, tmp)
				s.Reduce(own, block, tmp)
				block = own
			}
			continue
		}
		if needed {
			s.Send(partner, block)
		}
		came := tmp
		if !begun && !(needed && block == out) {
			came = out
		}
		s.Recv(partner, came)
		if needed {
			s.Reduce(own, came, block)
			block = own
		}
		if begun {
			s.Reduce(out, came, out)
		} else {
			s.Copy(out, came)
		}
		begun = true
	}
}
