package algo

import "github.com/muster-mpi/muster/collectives/schedule"

// segment is the length, in elements, of the pieces that pipelined algorithms cut
// a vector into unless the call says: 64 KiB of float64, so that a few of them fit
// a second-level cache and each is long beside the cost of a message.
const segment = 8192

// stages is how many segments a rank in a pipeline has in scratch memory: one that
// is coming, one that is combined, one that is leaving.
const stages = 3

// segmentLen returns the length of c's segments.
func segmentLen(c *schedule.Call) int {
	if c.Segment > 0 {
		return c.Segment
	}
	return segment
}

// cut returns the pieces of v of n elements; the last may be shorter.
func cut(v schedule.Span, n int) []schedule.Span {
	var list []schedule.Span
	for off := 0; off < v.Len; off += n {
		list = append(list, v.Part(off, min(n, v.Len-off)))
	}
	return list
}

// share returns the pieces lo to hi−1 of v cut into parts pieces whose lengths
// differ by at most one element.
func share(v schedule.Span, parts, lo, hi int) schedule.Span {
	from, to := v.Len*lo/parts, v.Len*hi/parts
	return v.Part(from, to-from)
}

// slotsOf returns scratch memory for the segments in a pipeline, of length elements.
func slotsOf(s *schedule.Schedule, c *schedule.Call, length int) (slots [stages]schedule.Span) {
	for i := range min(stages, len(cut(c.Input(), length))) {
		slots[i] = s.Scratch(min(length, c.Count))
	}
	return slots
}
