package schedule

import (
	"cmp"
	"fmt"
	"slices"
)

// mostElements bounds what a call's lengths may add up to, so that no sum overflows.
const mostElements = 1 << 40

// brought is a span that a rank brings, and the number of its first element among
// all that the rank brings.
type brought struct {
	Span
	index int
}

// wanted is a span of a rank's Out that the operation defines. Its elements are
// those of rank from, or the combination of those of ranks 0 to until−1; the first
// has that index.
type wanted struct {
	Span
	from  int
	until int
	index int
}

// meaning is what a call says of one rank.
type meaning struct {
	brings []brought // of AllToAll, Scatter, ReduceScatter: by rank
	wants  []wanted
	sizes  [Buffers]int // how long In and Out are at least; 0: the rank has none
	may    []Span       // where in Out it may write, ascending, disjoint
}

// counted returns an error if b does not describe blocks of p ranks.
func (b *Blocks) counted(what string, p int) error {
	switch {
	case b.Counts != nil && len(b.Counts) != p:
		return fmt.Errorf("%s has %d counts, want %d", what, len(b.Counts), p)
	case b.Displs != nil && len(b.Displs) != p:
		return fmt.Errorf("%s has %d displacements, want %d", what, len(b.Displs), p)
	}
	total := 0
	for _, n := range b.Counts {
		if n < 0 || n > mostElements-total {
			return fmt.Errorf("%s has a count of %d", what, n)
		}
		total += n
	}
	for _, d := range b.Displs {
		if d < 0 || d > mostElements {
			return fmt.Errorf("%s has a displacement of %d", what, d)
		}
	}
	return nil
}

// sound returns an error if c is no call of rank r of p that first's rank takes
// part in.
func (c *Call) sound(first *Call, r, p int) error {
	switch {
	case c.Op >= Operations || c.Op != first.Op:
		return fmt.Errorf("is in %v, rank 0 in %v", c.Op, first.Op)
	case c.Size != p || c.Rank != r:
		return fmt.Errorf("is called rank %d of %d, want %d of %d", c.Rank, c.Size, r, p)
	case c.Op.Rooted() && (c.Root < 0 || c.Root >= p || c.Root != first.Root):
		return fmt.Errorf("has root %d, rank 0 has %d", c.Root, first.Root)
	case c.Count < 0 || c.Count > mostElements/p || c.Count != first.Count && c.Op != AllToAll:
		return fmt.Errorf("has count %d, rank 0 has %d", c.Count, first.Count)
	case c.Op != AllToAll && !slices.Equal(c.Of.Counts, first.Of.Counts):
		return fmt.Errorf("has other block lengths than rank 0")
	}
	for what, b := range map[string]*Blocks{"Of": &c.Of, "From": &c.From, "To": &c.To} {
		if err := b.counted(what, p); err != nil {
			return err
		}
	}
	return nil
}

// spans calls yield with where each rank's block lies and how many elements are in
// the blocks before it.
func (c *Call) spans(buf Buffer, b *Blocks, yield func(r int, at Span, before int)) {
	before := 0
	for r := range c.Size {
		at := Span{buf, before, c.Count}
		if b.Counts != nil {
			at.Len = b.Counts[r]
		}
		if b.Displs != nil {
			at.Off = b.Displs[r]
		}
		yield(r, at, before)
		before += at.Len
	}
}

// bring notes what the rank brings.
func (m *meaning) bring(c *Call) {
	add := func(s Span, index int) { m.brings = append(m.brings, brought{s, index}) }
	each := func(_ int, at Span, before int) { add(at, before) }
	switch c.Op {
	case Barrier:
	case Bcast:
		if c.Rank == c.Root {
			add(c.Input(), 0)
		}
	case Scatter:
		if c.Rank == c.Root {
			c.spans(c.in(), &c.Of, each)
		}
	case ReduceScatter:
		c.spans(c.in(), &c.Of, each)
	case AllToAll:
		c.spans(c.in(), &c.From, each)
	default:
		add(c.Input(), 0)
	}
}

// want notes what the rank shall hold in the end; all has what each rank brings.
func (m *meaning) want(c *Call, all []meaning) {
	leaf := func(s Span, from, index int) {
		m.wants = append(m.wants, wanted{Span: s, from: from, index: index})
	}
	sum := func(s Span, until, index int) {
		m.wants = append(m.wants, wanted{Span: s, from: -1, until: until, index: index})
	}
	switch c.Op {
	case Bcast:
		leaf(c.Output(), c.Root, 0)
	case Scatter:
		leaf(c.Output(), c.Root, all[c.Root].brings[c.Rank].index)
	case Gather, AllGather:
		if c.Op == AllGather || c.Rank == c.Root {
			c.spans(Out, &c.Of, func(r int, at Span, _ int) { leaf(at, r, 0) })
		}
	case AllToAll:
		c.spans(Out, &c.To, func(r int, at Span, _ int) { leaf(at, r, all[r].brings[c.Rank].index) })
	case Reduce:
		if c.Rank == c.Root {
			sum(c.Output(), c.Size, 0)
		}
	case AllReduce:
		sum(c.Output(), c.Size, 0)
	case ReduceScatter:
		sum(c.Output(), c.Size, m.brings[c.Rank].index)
	case Scan:
		sum(c.Output(), c.Rank+1, 0)
	case ExScan:
		if c.Rank > 0 {
			sum(c.Output(), c.Rank, 0)
		}
		m.sizes[Out] = c.Count
	}
}

// bound sets the sizes of the buffers and where the rank may write.
func (m *meaning) bound() error {
	for _, b := range m.brings {
		m.sizes[b.Buf] = max(m.sizes[b.Buf], b.Off+b.Len)
	}
	for _, w := range m.wants {
		m.sizes[w.Buf] = max(m.sizes[w.Buf], w.Off+w.Len)
		if w.Len > 0 {
			m.may = append(m.may, w.Span)
		}
	}
	slices.SortFunc(m.may, func(a, b Span) int { return cmp.Compare(a.Off, b.Off) })
	n := 0
	for _, s := range m.may {
		switch {
		case n == 0 || m.may[n-1].Off+m.may[n-1].Len < s.Off:
			m.may[n] = s
			n++
		case m.may[n-1].Off+m.may[n-1].Len > s.Off:
			return fmt.Errorf("has blocks %v and %v in its result, which overlap", m.may[n-1], s)
		default:
			m.may[n-1].Len += s.Len
		}
	}
	m.may = m.may[:n]
	return nil
}

// reset empties m and keeps its memory.
func (m *meaning) reset() {
	*m = meaning{brings: m.brings[:0], wants: m.wants[:0], may: m.may[:0]}
}

// allows reports whether the operation lets the rank write to s.
func (m *meaning) allows(s Span) bool {
	if s.Buf == Temp {
		return true
	}
	k, _ := slices.BinarySearchFunc(m.may, s.Off, func(t Span, off int) int {
		if t.Off+t.Len <= off {
			return -1
		}
		return 1
	})
	return s.Buf == Out && k < len(m.may) && m.may[k].Off <= s.Off && s.Off+s.Len <= m.may[k].Off+m.may[k].Len
}
