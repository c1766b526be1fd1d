package layout

import "math"

// cursor walks the runs of a Plan in packed order.
type cursor struct {
	plan *Plan
	at   int // memory offset of the next byte
	left int // bytes of its run from there on

	i, j, k int // strided: the run's place in inner, mid and outer; indexed: k numbers it
}

// seek returns the cursor at packed offset off of a plan that has such a byte.
func (p *Plan) seek(off int) cursor {
	c := cursor{plan: p}
	if p.runs != nil {
		c.k = p.find(off)
		r := p.runs[c.k]
		c.at, c.left = r.mem+off-r.packed, p.runs[c.k+1].packed-off
		return c
	}
	if off >= p.block {
		c.i, off = divide(off, p.block)
		c.j, c.i = divide(c.i, p.inner.Count)
		c.k, c.j = divide(c.j, p.mid.Count)
	}
	c.at = p.rowAt(c.j, c.k) + c.i*p.inner.Stride + off
	c.left = p.block - off
	return c
}

// take moves c over n ≤ left bytes, to the next run if this one ends.
func (c *cursor) take(n int) {
	c.at += n
	c.left -= n
	if c.left > 0 {
		return
	}
	if c.plan.runs == nil {
		c.at -= c.plan.block
		c.skip(1)
	} else if c.k++; c.k+1 < len(c.plan.runs) {
		c.at, c.left = c.plan.runs[c.k].mem, c.plan.runLen(c.k)
	}
}

// skip moves a cursor at the beginning of a run of a strided plan over n runs,
// at most those that are left in its row.
func (c *cursor) skip(n int) {
	p := c.plan
	c.left = p.block
	c.at += n * p.inner.Stride
	if c.i += n; c.i < p.inner.Count {
		return
	}
	c.i = 0
	if c.j++; c.j == p.mid.Count {
		c.j = 0
		c.k++
	}
	c.at = p.rowAt(c.j, c.k)
}

// rowAt returns the memory offset of the first run of row j of plane k.
func (p *Plan) rowAt(j, k int) int {
	at := p.base + j*p.mid.Stride
	for d := len(p.outer) - 1; d >= 0 && k > 0; d-- {
		n := p.outer[d].Count
		at += k % n * p.outer[d].Stride
		k /= n
	}
	return at
}

// divide divides a ≥ 0 by b > 0. Processors are several times slower at it
// when told that the numbers have 64 bits.
func divide(a, b int) (quotient, rest int) {
	switch {
	case a < b:
		return 0, a
	case uint64(a) <= math.MaxUint32: // and so b
		q := uint32(a) / uint32(b)
		return int(q), a - int(q)*b
	}
	return a / b, a % b
}
