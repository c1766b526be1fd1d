package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var scanDoubling = Algorithm{
	Name: "recursive-doubling", Op: schedule.Scan, Build: buildScanDoubling,
	Bracketing: Canonical,
	Cost:       "⌈log₂ p⌉·(α + n·β + 2·n·γ)",
	Source:     "MPICH, scan_intra_recursive_doubling.c",
}

// buildScanDoubling merges aligned blocks of ranks pairwise. A rank of the upper
// block of two puts what the lower one has before its prefix. A block is merged only
// where ranks follow that need it.
func buildScanDoubling(s *schedule.Schedule, c *schedule.Call) {
	out, prefix, block := c.Output(), c.Input(), c.Input()
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
		s.Recv(partner, tmp)
		if needed && block != prefix {
			s.Reduce(own, tmp, block)
		}
		s.Reduce(out, tmp, prefix)
		if block == prefix { // this rank is the last of its block
			block = out
		}
		prefix = out
	}
	s.Copy(out, prefix)
}

// mergedNeeded reports whether ranks follow the block of 2·bit ranks that c.Rank is
// of. If so, all of its ranks are there.
func mergedNeeded(c *schedule.Call, bit int) bool { return c.Rank|(2*bit-1) < c.Size-1 }
