package schedule

import "slices"

// extent is a run of a buffer whose elements were last touched by the same steps.
type extent struct {
	lo, hi  int
	writer  int // last step that wrote here; -1: none
	readers int // the last step that has read it since, in touched.reads; -1: none
}

// extents is a buffer's disjoint extents, ascending; what lies between was not
// touched.
type extents []extent

// touched is who has touched what, step by step.
type touched struct {
	in    [Buffers]extents
	reads []reading // lists, which extents that were one share
	after []int     // room for what the next step waits for
}

// reading is one step that has read an extent, and the one before it in the list.
type reading struct{ step, next int }

// reset forgets all and keeps the memory.
func (m *touched) reset() {
	for b := range m.in {
		m.in[b] = m.in[b][:0]
	}
	m.reads = m.reads[:0]
}

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
		first++
	}
	last = first
	for at := lo; at < hi; last++ {
		switch {
		case last == len(x) || x[last].lo >= hi:
			x = slices.Insert(x, last, extent{at, hi, -1, -1})
		case x[last].lo > at:
			x = slices.Insert(x, last, extent{at, x[last].lo, -1, -1})
		case x[last].hi > hi:
			x = slices.Insert(x, last, x[last])
			x[last].hi, x[last+1].lo = hi, hi
		}
		at = x[last].hi
	}
	*m = x
	return first, last
}

// read notes that step i reads s, and whom it waits for.
func (m *touched) read(i int, s Span) {
	if s.Len == 0 {
		return
	}
	x := &m.in[s.Buf]
	first, last := x.split(s.Off, s.Off+s.Len)
	for k := first; k < last; k++ {
		e := &(*x)[k]
		if e.writer >= 0 {
			m.after = append(m.after, e.writer)
		}
		m.reads = append(m.reads, reading{i, e.readers})
		e.readers = len(m.reads) - 1
	}
}

// write notes that step i writes s, and whom it waits for.
func (m *touched) write(i int, s Span) {
	if s.Len == 0 {
		return
	}
	x := &m.in[s.Buf]
	first, last := x.split(s.Off, s.Off+s.Len)
	for _, e := range (*x)[first:last] {
		if e.writer >= 0 && e.readers < 0 {
			m.after = append(m.after, e.writer)
		}
		for k := e.readers; k >= 0; k = m.reads[k].next {
			m.after = append(m.after, m.reads[k].step) // which waits for the writer
		}
	}
	(*x)[first] = extent{s.Off, s.Off + s.Len, i, -1}
	*x = slices.Delete(*x, first+1, last)
}

// waits appends to list whom step i waits for, ascending, each once, after its
// reads and writes were noted.
func (m *touched) waits(i int, list []int) []int {
	slices.Sort(m.after)
	last := -1
	for _, j := range m.after {
		if j != last && j != i {
			list = append(list, j)
		}
		last = j
	}
	m.after = m.after[:0]
	return list
}
