package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var exScanLinear = Algorithm{
	Name: "linear", Op: schedule.ExScan, Build: buildExScanLinear,
	Bracketing: Ordered,
	Cost:       "(p−1)·(α + n·β + n·γ)",
	Source:     "Open MPI, coll_base_exscan.c: linear",
}

// buildExScanLinear passes the prefix from rank to rank.
func buildExScanLinear(s *schedule.Schedule, c *schedule.Call) { exScanSegments(s, c, c.Count) }

var exScanChain = Algorithm{
	Name: "chain", Op: schedule.ExScan, Build: buildExScanChain,
	Bracketing: Ordered,
	Cost:       "(p−2+k)·(α + n/k·(β + γ)), k segments",
	Source:     "Sanders, Träff: Parallel Prefix (Scan) Algorithms for MPI (2006)",
}

// buildExScanChain passes the prefix from rank to rank in segments.
func buildExScanChain(s *schedule.Schedule, c *schedule.Call) { exScanSegments(s, c, segmentLen(c)) }

// exScanSegments passes segments of length elements up the ranks. What comes is a
// rank's result; with its own added, it is the next one's.
func exScanSegments(s *schedule.Schedule, c *schedule.Call, length int) {
	in, out, last := c.Input(), c.Output(), c.Rank == c.Size-1
	var sums, kept [stages]schedule.Span
	if c.Rank > 0 && !last {
		sums = slotsOf(s, c, length)
		if c.InPlace {
			kept = slotsOf(s, c, length)
		}
	}
	for i, sum := range cut(in, length) {
		if c.Rank > 0 {
			own, result := sum, out.Part(i*length, sum.Len)
			came := result
			if c.InPlace && !last {
				came = kept[i%stages].Part(0, own.Len)
			}
			s.Recv(c.Rank-1, came)
			if !last {
				sum = sums[i%stages].Part(0, own.Len)
				s.Reduce(sum, came, own)
			}
			s.Copy(result, came)
		}
		if !last {
			s.Send(c.Rank+1, sum)
		}
	}
}
