package collectives

import (
	"fmt"
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/datatype"
)

// packed gives the plan, as its buffers, room for the elements of the views one after the
// other, and returns how many each has. There are to be so many views to receive into and
// to send from.
func (p *plan[T]) packed(dst, src []datatype.View[T], ndst, nsrc int) (from, to []int) {
	dst, src = slices.Clone(dst), slices.Clone(src)
	in, from := p.roomFor(src, nsrc, "src", false)
	out, to := p.roomFor(dst, ndst, "dst", true)
	p.mem[schedule.In], p.mem[schedule.Out] = in, out
	p.pack = func() { putTogether(in, src) }
	p.unpack = func() { takeApart(dst, out) }
	return from, to
}

// roomFor returns room for the elements of n views one after the other, and how many
// each has. Those that are written must not name an element twice.
func (p *plan[T]) roomFor(views []datatype.View[T], n int, what string, written bool) ([]T, []int) {
	if len(views) != n {
		p.refuse("%s has %d views, want %d", what, len(views), n)
		return nil, nil
	}
	counts, total := make([]int, len(views)), 0
	for r, v := range views {
		err := v.Err()
		if err == nil && written && v.Overlaps() {
			err = datatype.ErrOverlap
		}
		if err != nil && p.err == nil {
			p.err = fmt.Errorf("%s[%d]: %w", what, r, err)
		}
		counts[r] = v.Len()
		total += v.Len()
	}
	return make([]T, total), counts
}

// putTogether copies the elements of views to b. Views without errors, of these lengths
// and without overlap: no copy can fail, here or in takeApart.
func putTogether[T any](b []T, views []datatype.View[T]) {
	for _, v := range views {
		n, _ := v.CopyTo(b)
		b = b[n:]
	}
}

// takeApart copies the elements of b to where views name them.
func takeApart[T any](views []datatype.View[T], b []T) {
	for _, v := range views {
		n, _ := v.CopyFrom(b)
		b = b[n:]
	}
}
