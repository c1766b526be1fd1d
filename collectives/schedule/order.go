package schedule

import "slices"

// order is what ordered needs for one rank.
type order struct {
	before []uint64 // for each step, the set of those that it waits for, at whatever distance
	cuts   [Buffers][]int
	cells  []cell
	reads  []readBy
}

// cell is a run of a buffer that no span cuts.
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
	words := (len(steps) + 63) / 64
	first := [Buffers]int{0, len(o.cuts[0]), len(o.cuts[0]) + len(o.cuts[1])}
	o.cells = o.cells[:0]
	for range first[2] + len(o.cuts[2]) {
		o.cells = append(o.cells, cell{-1, -1})
	}
	o.reads = o.reads[:0]
	var room [3]Span
	for i := range steps {
		before := o.before[i*words : (i+1)*words]
		late := func(j int32) bool { return j >= 0 && int(j) != i && before[j/64]>>(j%64)&1 == 0 }
		over := func(s Span) []cell {
			lo, _ := slices.BinarySearch(o.cuts[s.Buf], s.Off)
			hi, _ := slices.BinarySearch(o.cuts[s.Buf][lo:], s.Off+s.Len)
			return o.cells[first[s.Buf]+lo : first[s.Buf]+lo+hi]
		}
		spans, written := steps[i].spans(&room)
		for n, s := range spans {
			if n == 0 && written {
				continue
			}
			cells := over(s)
			for c := range cells {
				if late(cells[c].writer) {
					return k.wrong(r, i, "reads %v, but does not wait for step %d (%v)", s, cells[c].writer, steps[cells[c].writer])
				}
				o.reads = append(o.reads, readBy{int32(i), cells[c].reads})
				cells[c].reads = int32(len(o.reads) - 1)
			}
		}
		if !written {
			continue
		}
		cells := over(spans[0])
		for c := range cells {
			if late(cells[c].writer) {
				return k.wrong(r, i, "writes %v, but does not wait for step %d (%v)", spans[0], cells[c].writer, steps[cells[c].writer])
			}
			for x := cells[c].reads; x >= 0; x = o.reads[x].next {
				if j := o.reads[x].step; late(j) {
					return k.wrong(r, i, "writes %v, but does not wait for step %d (%v)", spans[0], j, steps[j])
				}
			}
			cells[c] = cell{int32(i), -1}
		}
	}
	return nil
}

// reach fills in before.
func (o *order) reach(steps []Step) {
	words := (len(steps) + 63) / 64
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

// cut fills in where spans begin and end, ascending.
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
	}
}
