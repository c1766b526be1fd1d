package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var scanLinear = Algorithm{
	Name: "linear", Op: schedule.Scan, Build: buildScanLinear,
	Bracketing: Ordered,
	Cost:       "(p−1)·(α + n·β + n·γ)",
	Source:     "Open MPI, coll_base_scan.c: linear",
}

// buildScanLinear passes the prefix from rank to rank.
func buildScanLinear(s *schedule.Schedule, c *schedule.Call) { scanSegments(s, c, c.Count) }

var scanChain = Algorithm{
	Name: "chain", Op: schedule.Scan, Build: buildScanChain,
	Bracketing: Ordered,
	Cost:       "(p−2+k)·(α + n/k·(β + γ)), k segments",
	Source:     "Sanders, Träff: Parallel Prefix (Scan) Algorithms for MPI (2006)",
}

// buildScanChain passes the prefix from rank to rank in segments.
func buildScanChain(s *schedule.Schedule, c *schedule.Call) { scanSegments(s, c, segmentLen(c)) }

// scanSegments passes segments of length elements up the ranks, each adding its own.
func scanSegments(s *schedule.Schedule, c *schedule.Call, length int) {
	in, out := c.Input(), c.Output()
	if c.Rank == 0 {
		s.Copy(out, in)
	}
	slots := slotsOf(s, c, length)
	for i, sum := range cut(in, length) {
		if c.Rank > 0 {
			own, came := sum, slots[i%stages].Part(0, sum.Len)
			sum = out.Part(i*length, own.Len)
			s.Recv(c.Rank-1, came)
			s.Reduce(sum, came, own)
		}
		if c.Rank+1 < c.Size {
			s.Send(c.Rank+1, sum)
		}
	}
}
