package algo

import "github.com/muster-mpi/muster/collectives/schedule"

// A row is memory in which the blocks of the ranks lo to hi−1 lie one after the
// other, so that a run of them is one message. What lies in a message depends on
// counts alone, which all ranks know, and never on one rank's displacements.
type row struct {
	c      *schedule.Call
	lo, hi int
	span   schedule.Span
}

// rowIn returns a row in scratch memory.
func rowIn(s *schedule.Schedule, c *schedule.Call, lo, hi int) row {
	return row{c, lo, hi, s.Scratch(lenOf(c, lo, hi))}
}

// rowOf returns the row of all blocks of the buffer that Of divides: that buffer,
// or scratch memory if its displacements leave holes or keep another order.
func rowOf(s *schedule.Schedule, c *schedule.Call) row {
	whole := c.Block(0)
	whole.Len = 0
	for r := range c.Size {
		switch b := c.Block(r); {
		case c.Of.Displs == nil:
			whole.Len = lenOf(c, 0, c.Size)
			return row{c, 0, c.Size, whole}
		case b.Len == 0:
		case whole.Len == 0:
			whole = b
		case whole.Off+whole.Len != b.Off:
			return rowIn(s, c, 0, c.Size)
		default:
			whole.Len += b.Len
		}
	}
	return row{c, 0, c.Size, whole}
}

// lenOf returns the length of the blocks of ranks lo to hi−1 together.
func lenOf(c *schedule.Call, lo, hi int) int {
	if c.Of.Counts == nil {
		return (hi - lo) * c.Count
	}
	n := 0
	for _, k := range c.Of.Counts[lo:hi] {
		n += k
	}
	return n
}

// run returns the blocks of ranks lo to hi−1.
func (w row) run(lo, hi int) schedule.Span {
	return w.span.Part(lenOf(w.c, w.lo, lo), lenOf(w.c, lo, hi))
}

// block returns the block of rank r.
func (w row) block(r int) schedule.Span { return w.run(r, r+1) }

// pack copies the blocks from the caller's buffer into a row of scratch memory.
func (w row) pack(s *schedule.Schedule) {
	w.each(func(r int) { s.Copy(w.block(r), w.c.Block(r)) })
}

// unpack copies the blocks from a row of scratch memory to the caller's buffer.
func (w row) unpack(s *schedule.Schedule) {
	w.each(func(r int) { s.Copy(w.c.Block(r), w.block(r)) })
}

// each calls f for the ranks of a row that is scratch memory.
func (w row) each(f func(r int)) {
	if w.span.Buf != schedule.Temp {
		return
	}
	for r := w.lo; r < w.hi; r++ {
		f(r)
	}
}
