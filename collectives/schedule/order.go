package schedule

import "slices"

// order is what ordered needs for one rank.
type order struct {
	before []uint64        // for each step, the set of those that it waits for, at whatever distance
	words  int             // of one step in before
	cuts   [Buffers][]int  // where spans begin and end, ascending
	cells  [Buffers][]cell // from each cut to the next
	reads  []readBy        // lists
}

// cell is a run of a buffer that no span cuts, and who touched it last.
type cell struct {
	writer int32 // the last step that wrote it; −1: none
	reads  int32 // the first of who has read it since, in reads; −1: none
}

type readBy struct{ step, next int32 }

// ordered checks that of every two conflicting steps of rank r the later one waits
// for the earlier one. It is enough to look, for each element, from a read to the
// last write before it, and from a write to the last write and to the reads since:
// what is earlier is before those.
func (k *check) ordered(r int) error {
	steps := k.all[r].Steps
	o := &k.order
	o.reach(steps)
	o.cut(steps)
	o.reads = o.reads[:0]
	var room [3]Span
	for i := range steps {
		spans, written := steps[i].spans(&room)
		late, what := -1, "reads"
		for n, s := range spans {
			if !written || n > 0 {
				late = max(late, o.read(i, s))
			}
		}
		if late < 0 && written {
			late, what = o.write(i, spans[0]), "writes"
		}
		if late >= 0 {
			return k.wrong(r, i, "%s what step %d (%v) touches, but does not wait for it", what, late, steps[late])
		}
	}
	return nil
}

// read notes that step i reads s, and returns a step that it would have to wait for
// and does not; −1: none.
func (o *order) read(i int, s Span) int {
	late := -1
	cells := o.over(s)
	for c := range cells {
		if o.misses(i, cells[c].writer) {
			late = int(cells[c].writer)
		}
		o.reads = append(o.reads, readBy{int32(i), cells[c].reads})
		cells[c].reads = int32(len(o.reads) - 1)
	}
	return late
}

// write is read for a step that writes s.
func (o *order) write(i int, s Span) int {
	late := -1
	cells := o.over(s)
	for c := range cells {
		if o.misses(i, cells[c].writer) {
			late = int(cells[c].writer)
		}
		for x := cells[c].reads; x >= 0; x = o.reads[x].next {
			if o.misses(i, o.reads[x].step) {
				late = int(o.reads[x].step)
			}
		}
		cells[c] = cell{int32(i), -1}
	}
	return late
}

// misses reports whether j is another step than i and i does not wait for it.
func (o *order) misses(i int, j int32) bool {
	return j >= 0 && int(j) != i && o.before[i*o.words+int(j/64)]>>(j%64)&1 == 0
}

// over returns the cells that make up s.
func (o *order) over(s Span) []cell {
	cuts := o.cuts[s.Buf]
	lo, _ := slices.BinarySearch(cuts, s.Off)
	n, _ := slices.BinarySearch(cuts[lo:], s.Off+s.Len)
	return o.cells[s.Buf][lo : lo+n]
}

// reach fills in before.
func (o *order) reach(steps []Step) {
	words := (len(steps) + 63) / 64
	o.words = words
	if n := words * len(steps); n <= cap(o.before) {
		o.before = o.before[:n]
		clear(o.before)
	} else {
		o.before = make([]uint64, n)
	}
	for i := range steps {
		mine := o.before[i*words : i*words+i/64+1]
		for _, j := range steps[i].After {
			for w, set := range o.before[j*words : j*words+j/64+1] {
				mine[w] |= set
			}
			mine[j/64] |= 1 << (j % 64)
		}
	}
}

// cut fills in cuts, and cells that nobody has touched.
func (o *order) cut(steps []Step) {
	for b := range o.cuts {
		o.cuts[b] = o.cuts[b][:0]
	}
	var room [3]Span
	for i := range steps {
		spans, _ := steps[i].spans(&room)
		for _, s := range spans {
			o.cuts[s.Buf] = append(o.cuts[s.Buf], s.Off, s.Off+s.Len)
		}
	}
	for b := range o.cuts {
		slices.Sort(o.cuts[b])
		o.cuts[b] = slices.Compact(o.cuts[b])
		o.cells[b] = o.cells[b][:0]
		for range o.cuts[b] {
			o.cells[b] = append(o.cells[b], cell{-1, -1})
		}
	}
}
