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
	from, nin := p.lengths(src, nsrc, "src", false)
	to, nout := p.lengths(dst, ndst, "dst", true)
	in, out := make([]T, nin), make([]T, nout)
	p.mem[schedule.In], p.mem[schedule.Out] = in, out
	p.pack = func() { putTogether(in, src) }
	p.unpack = func() { takeApart(dst, out) }
	return from, to
}

// standFor has room stand for the elements of v, also for the result if written.
func (p *plan[T]) standFor(v datatype.View[T], room []T, written bool) {
	if p.err == nil {
		p.err = viewError(v, written)
	}
	p.pack = func() { v.CopyTo(room) }
	if written {
		p.unpack = func() { v.CopyFrom(room) }
	}
}

// viewError returns what is wrong with v: one that is written must not name an element
// twice.
func viewError[T any](v datatype.View[T], written bool) error {
	err := v.Err()
	if err == nil && written && v.Overlaps() {
		err = datatype.ErrOverlap
	}
	return err
}

// lengths returns how many elements each of n views has, and all together. It refuses
// views of which something is wrong.
func (p *plan[T]) lengths(views []datatype.View[T], n int, what string, written bool) (counts []int, total int) {
	if len(views) != n {
		p.refuse("%s has %d views, want %d", what, len(views), n)
		return nil, 0
	}
	counts = make([]int, len(views))
	for r, v := range views {
		if err := viewError(v, written); err != nil && p.err == nil {
			p.err = fmt.Errorf("%s[%d]: %w", what, r, err)
		}
		counts[r] = v.Len()
		total += v.Len()
	}
	return counts, total
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
