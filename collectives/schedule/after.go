package schedule

import "slices"

// extent is a run of a buffer whose elements were last touched by the same steps.
type extent struct {
	lo, hi  int
	writer  int   // last step that wrote here; -1: none
	readers []int // steps that have read it since
}

// extents is a buffer's disjoint extents, ascending; what lies between was not
// touched.
type extents []extent

// split makes lo and hi boundaries and returns which extents lie between, after
// filling what was not touched.
func (m *extents) split(lo, hi int) (first, last int) {
	x := *m
	first, _ = slices.BinarySearchFunc(x, lo, func(e extent, at int) int {
		if e.hi <= at {
			return -1
		}
		return 1
	})
	if first < len(x) && x[first].lo < lo {
		x = slices.Insert(x, first, x[first])
		x[first].hi, x[first+1].lo = lo, lo
		x[first+1].readers = slices.Clone(x[first+1].readers)
		first++
	}
	last = first
	for at := lo; at < hi; last++ {
		switch {
		case last == len(x) || x[last].lo >= hi:
			x = slices.Insert(x, last, extent{lo: at, hi: hi, writer: -1})
		case x[last].lo > at:
			x = slices.Insert(x, last, extent{lo: at, hi: x[last].lo, writer: -1})
		case x[last].hi > hi:
			x = slices.Insert(x, last, x[last])
			x[last].hi, x[last+1].lo = hi, hi
			x[last+1].readers = slices.Clone(x[last+1].readers)
		}
		at = x[last].hi
	}
	*m = x
	return first, last
}

// read notes that step i reads s, and adds to after whom it waits for.
func (m *extents) read(i int, s Span, after []int) []int {
	if s.Len == 0 {
		return after
	}
	first, last := m.split(s.Off, s.Off+s.Len)
	for k := first; k < last; k++ {
		e := &(*m)[k]
		if e.writer >= 0 {
			after = append(after, e.writer)
		}
		e.readers = append(e.readers, i)
	}
	return after
}

// write notes that step i writes s, and adds to after whom it waits for.
func (m *extents) write(i int, s Span, after []int) []int {
	if s.Len == 0 {
		return after
	}
	first, last := m.split(s.Off, s.Off+s.Len)
	for _, e := range (*m)[first:last] {
		if e.writer >= 0 {
			after = append(after, e.writer)
		}
		after = append(after, e.readers...)
	}
	*m = slices.Replace(*m, first, last, extent{lo: s.Off, hi: s.Off + s.Len, writer: i})
	return after
}

// tidy sorts after and drops step i itself and repetitions.
func tidy(after []int, i int) []int {
	slices.Sort(after)
	after = slices.Compact(after)
	return slices.DeleteFunc(after, func(j int) bool { return j == i })
}
