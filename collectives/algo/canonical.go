package algo

import "github.com/muster-mpi/muster/collectives/schedule"

// combineAll combines parts, one of each rank, into dst with the canonical
// brackets. There are two or more; all but one lie in scratch memory, which is
// written over.
func combineAll(s *schedule.Schedule, dst schedule.Span, parts []schedule.Span) {
	f := foldOf(len(parts))
	join := func(a, b schedule.Span) schedule.Span {
		at := scratchOf(a, b)
		s.Reduce(at, a, b)
		return at
	}
	var tree func(lo, n int) schedule.Span
	tree = func(lo, n int) schedule.Span {
		switch {
		case n > 1:
			return join(tree(lo, n/2), tree(lo+n/2, n/2))
		case lo < f.pairs:
			return join(parts[2*lo], parts[2*lo+1])
		}
		return parts[f.rank(lo)]
	}
	half := f.places / 2
	reduceTo(s, dst, tree(0, half), tree(half, half))
}

// reduceTo is s.Reduce, but allows dst to overlap the operand that is not scratch
// memory in any way.
func reduceTo(s *schedule.Schedule, dst, a, b schedule.Span) {
	at := dst
	if dst != a && dst.Overlaps(a) || dst != b && dst.Overlaps(b) {
		at = scratchOf(a, b)
	}
	s.Reduce(at, a, b)
	s.Copy(dst, at)
}

// scratchOf returns a if it is scratch memory, else b.
func scratchOf(a, b schedule.Span) schedule.Span {
	if a.Buf == schedule.Temp {
		return a
	}
	return b
}

// collect gives rank r block r of the vectors of all ranks, combined with the
// canonical brackets into dst: each rank sends every other its part and puts its own
// together by itself. blocks are this rank's parts. It goes by segments, so
// scratch memory is a few of them from each rank and stays in cache; after each it
// calls then, unless that is nil, with what cuts the same segment out of a block.
//
// dst may be the beginning of a buffer that the blocks lie in: a segment of it then
// covers no later segment of any block.
func collect(s *schedule.Schedule, c *schedule.Call, blocks []schedule.Span, dst schedule.Span,
	then func(part func(schedule.Span) schedule.Span)) {
	p, longest := c.Size, 0
	if p == 1 {
		s.Copy(dst, blocks[0])
		return
	}
	for _, b := range blocks {
		longest = max(longest, b.Len)
	}
	var slots [stages][]schedule.Span
	length := segmentLen(c)
	for off, i := 0, 0; off < longest; off, i = off+length, (i+1)%stages {
		part := func(v schedule.Span) schedule.Span {
			from := min(off, v.Len)
			return v.Part(from, min(length, v.Len-from))
		}
		own := part(blocks[c.Rank])
		if slots[i] == nil {
			slots[i] = make([]schedule.Span, p)
			for r := range p {
				if r != c.Rank {
					slots[i][r] = s.Scratch(own.Len)
				}
			}
		}
		for k := 1; k < p; k++ {
			to := (c.Rank + k) % p
			s.Send(to, part(blocks[to]))
		}
		parts := make([]schedule.Span, p)
		parts[c.Rank] = own
		for k := 1; k < p; k++ {
			from := (c.Rank + p - k) % p
			parts[from] = slots[i][from].Part(0, own.Len)
			s.Recv(from, parts[from])
		}
		combineAll(s, part(dst), parts)
		if then != nil {
			then(part)
		}
	}
}
