package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// AllToAll sends the j-th of p equal parts of src to rank j, and returns in dst, in
// rank order, what the others have sent to this one (MPI_Alltoall, MPI 4.1 §6.8).
// dst and src have the same length, which is the same on all ranks; a nil dst is
// made. A nil src, or dst itself, sends what is in dst, to be replaced by what comes.
func AllToAll[T any](ctx context.Context, c *rank.Comm, dst, src []T, opts ...Option) ([]T, error) {
	p := allToAll(c, dst, src, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// IAllToAll starts an AllToAll; dst must not be nil (MPI_Ialltoall).
func IAllToAll[T any](c *rank.Comm, dst, src []T, opts ...Option) rank.Request {
	p := allToAll(c, dst, src, opts)
	p.given(dst)
	return p.start()
}

// AllToAllInit makes a persistent AllToAll; as IAllToAll (MPI_Alltoall_init).
func AllToAllInit[T any](c *rank.Comm, dst, src []T, opts ...Option) *rank.Persistent {
	p := allToAll(c, dst, src, opts)
	p.given(dst)
	return p.persist()
}

// AllToAllV is AllToAll of parts of different lengths (MPI_Alltoallv): from divides
// src, to divides dst. to may have no Counts, on all ranks or on none: they are
// exchanged then, which costs a call more. It returns to as well. A nil src, or dst
// itself, exchanges the blocks of dst in place; from is then not looked at, and rank
// i's count for j must be j's count for i.
func AllToAllV[T any](ctx context.Context, c *rank.Comm, dst, src []T, to, from Blocks, opts ...Option) ([]T, Blocks, error) {
	if to.Counts == nil && c != nil && !c.IsInter() && len(from.Counts) == c.Size() {
		to.Counts = make([]int, c.Size())
		p := allToAll(c, to.Counts, from.Counts, withoutUsing(opts))
		p.name = "AllToAllV"
		if err := p.do(ctx); err != nil {
			return dst, to, err
		}
	}
	p := allToAllV(c, dst, src, to, from, opts)
	err := p.do(ctx)
	return p.large(dst), to, err
}

// IAllToAllV starts an AllToAllV; to must have Counts, and dst not be nil
// (MPI_Ialltoallv).
func IAllToAllV[T any](c *rank.Comm, dst, src []T, to, from Blocks, opts ...Option) rank.Request {
	p := allToAllV(c, dst, src, to, from, opts)
	p.given(dst)
	return p.start()
}

// AllToAllVInit makes a persistent AllToAllV; as IAllToAllV (MPI_Alltoallv_init).
func AllToAllVInit[T any](c *rank.Comm, dst, src []T, to, from Blocks, opts ...Option) *rank.Persistent {
	p := allToAllV(c, dst, src, to, from, opts)
	p.given(dst)
	return p.persist()
}

func allToAll[T any](c *rank.Comm, dst, src []T, opts []Option) (p plan[T]) {
	if crosses(c) {
		return allToAllAcross(c, "AllToAll", dst, src, Blocks{}, Blocks{}, opts)
	}
	p.begin(c, "AllToAll", schedule.AllToAll, opts)
	if p.err != nil {
		return p
	}
	n := len(src)
	if src == nil {
		n = len(dst)
	}
	if p.call.Count = n / p.call.Size; p.call.Count*p.call.Size != n {
		p.refuse("%d elements, which %d ranks do not divide", n, p.call.Size)
	}
	p.exchanged(p.fit(dst, n, "dst", false), src)
	return p
}

func allToAllV[T any](c *rank.Comm, dst, src []T, to, from Blocks, opts []Option) (p plan[T]) {
	if crosses(c) {
		return allToAllAcross(c, "AllToAllV", dst, src, to, from, opts)
	}
	p.begin(c, "AllToAllV", schedule.AllToAll, opts)
	if p.err != nil {
		return p
	}
	var n int
	if n, p.err = extent(to, p.call.Size, true); p.err != nil {
		return p
	}
	p.call.To = to
	p.exchanged(p.fit(dst, n, "dst", true), src)
	if p.call.InPlace {
		from = to
	}
	need, err := extent(from, p.call.Size, false)
	switch {
	case p.err != nil:
	case err != nil:
		p.err = err
	case !p.call.InPlace && len(src) < need:
		p.refuse("src has %d elements, want %d", len(src), need)
	}
	p.call.From = from
	return p
}

// exchanged gives the plan its buffers, which are one if src is nil or dst.
func (p *plan[T]) exchanged(dst, src []T) {
	p.call.InPlace = src == nil || p.sameOrApart(dst, src)
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
}

// AllToAllW is AllToAllV in which every part lies as a View of its own says
// (MPI_Alltoallw): src[j] goes to rank j, dst[i] comes from rank i and has as many
// elements as rank i sends. The parts are copied together on the way. Views to
// receive into must not name an element twice.
func AllToAllW[T any](ctx context.Context, c *rank.Comm, dst, src []datatype.View[T], opts ...Option) error {
	p := allToAllW(c, dst, src, opts)
	return p.do(ctx)
}

// IAllToAllW starts an AllToAllW (MPI_Ialltoallw).
func IAllToAllW[T any](c *rank.Comm, dst, src []datatype.View[T], opts ...Option) rank.Request {
	p := allToAllW(c, dst, src, opts)
	return p.start()
}

// AllToAllWInit makes a persistent AllToAllW (MPI_Alltoallw_init). What is in src is
// read at each start.
func AllToAllWInit[T any](c *rank.Comm, dst, src []datatype.View[T], opts ...Option) *rank.Persistent {
	p := allToAllW(c, dst, src, opts)
	return p.persist()
}

// allToAllW is the plan of an exchange of the parts copied together.
func allToAllW[T any](c *rank.Comm, dst, src []datatype.View[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		return allToAllWAcross(c, dst, src, opts)
	}
	p.begin(c, "AllToAllW", schedule.AllToAll, opts)
	if p.err != nil {
		return p
	}
	p.call.From.Counts, p.call.To.Counts = p.packed(dst, src, p.call.Size, p.call.Size)
	return p
}
