package collectives

import (
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// swap has the leaders of the groups exchange a for b.
func (x *inter) swap(a, b schedule.Span) {
	if x.me == 0 {
		x.Send(x.other(0), a)
		x.Recv(x.other(0), b)
	}
}

// reduceAcross combines the other group's vectors at its leader, which sends the result
// to the root.
func reduceAcross[T any](c *rank.Comm, root int, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	p.cross(c, "Reduce", schedule.Reduce, opts)
	part := p.crossRoot(root)
	p.reducing(op)
	n := len(src)
	switch part {
	case asRoot:
		n = len(dst)
	case onOther:
		if dst = nil; p.call.Rank == 0 {
			dst = make([]T, n) // of the group's own sum, on its way to the root
		}
	}
	p.call.Count = n
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
	p.across(func(x *inter) {
		all := schedule.Span{Buf: schedule.Out, Len: n}
		switch part {
		case asRoot:
			x.Recv(x.other(0), all)
		case onOther:
			x.within(schedule.Reduce, n)
			if x.me == 0 {
				x.Send(x.other(root), all)
			}
		}
	})
	return p
}

// allReduceAcross has each group combine its vectors at its leader; the leaders swap, and
// each hands the other's result down.
func allReduceAcross[T any](c *rank.Comm, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	p.cross(c, "AllReduce", schedule.AllReduce, opts)
	p.reducing(op)
	if len(dst) != len(src) {
		p.refuse("%d elements to and %d from, want as many", len(dst), len(src))
	}
	p.refuseInPlace(dst, src)
	n := len(src)
	p.call.Count = n
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
	p.across(func(x *inter) {
		all := schedule.Span{Buf: schedule.Out, Len: n}
		theirs := x.Scratch(n)
		x.within(schedule.Reduce, n)
		x.swap(all, theirs)
		if x.me == 0 {
			x.Copy(all, theirs)
		}
		x.within(schedule.Bcast, n)
	})
	return p
}

// reduceScatterAcross gives this group's ranks blocks of the other group's sum.
func reduceScatterAcross[T any](c *rank.Comm, name string, dst, src []T, counts []int, op Operation[T], opts []Option) (p plan[T]) {
	p.cross(c, name, schedule.ReduceScatter, opts)
	p.reducing(op)
	total := p.divided(Blocks{Counts: counts}, false)
	if p.err != nil {
		return p
	}
	if len(src) != total {
		p.refuse("src has %d elements, want %d: as many on both sides", len(src), total)
	}
	own := counts[c.Rank()]
	dst = p.fit(dst, own, "dst", false)
	p.refuseInPlace(dst, src)
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
	if p.err == nil && c.Rank() == 0 {
		// The leader's Out is the sum of all on the way; its own block comes out of it.
		p.mem[schedule.Out] = make([]T, total)
		p.result = dst
		sum := p.mem[schedule.Out]
		p.unpack = func() { copy(dst, sum) }
	}
	p.call.Of, p.call.Count = Blocks{}, total
	p.across(func(x *inter) {
		theirs := x.Scratch(total)
		x.within(schedule.Reduce, total)
		x.swap(schedule.Span{Buf: schedule.Out, Len: total}, theirs)
		if x.me != 0 {
			x.Recv(0, schedule.Span{Buf: schedule.Out, Len: own})
			return
		}
		off := 0
		for r, n := range counts {
			if r == 0 {
				x.Copy(schedule.Span{Buf: schedule.Out, Len: n}, theirs.Part(0, n))
			} else {
				x.Send(r, theirs.Part(off, n))
			}
			off += n
		}
	})
	return p
}
