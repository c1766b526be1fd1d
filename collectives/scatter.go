package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Scatter gives rank r the r-th of p equal parts of the root's src, in dst, and
// returns it (MPI_Scatter, MPI 4.1 §6.6). len(dst) is the same on all ranks, and
// src has p·len(dst) elements; other ranks than the root may give any. At the root a
// nil dst, or its own part of src, leaves that part where it is.
func Scatter[T any](ctx context.Context, c *rank.Comm, root int, dst, src []T, opts ...Option) ([]T, error) {
	p := scatter(c, root, dst, src, opts)
	err := p.do(ctx)
	return dst, err
}

// IScatter starts a Scatter (MPI_Iscatter).
func IScatter[T any](c *rank.Comm, root int, dst, src []T, opts ...Option) rank.Request {
	p := scatter(c, root, dst, src, opts)
	return p.start()
}

// ScatterInit makes a persistent Scatter (MPI_Scatter_init).
func ScatterInit[T any](c *rank.Comm, root int, dst, src []T, opts ...Option) *rank.Persistent {
	p := scatter(c, root, dst, src, opts)
	return p.persist()
}

// ScatterV is Scatter of blocks of different lengths (MPI_Scatterv). All ranks give
// the Counts of blocks; or none does, and then each gets as much as its dst holds,
// which costs a call more. With Counts a nil dst is made; the root's then too. Displs
// only count at the root; src may be longer than they need.
func ScatterV[T any](ctx context.Context, c *rank.Comm, root int, dst, src []T, blocks Blocks, opts ...Option) ([]T, error) {
	if blocks.Counts == nil && !crosses(c) {
		var err error
		if blocks.Counts, err = exchangeCounts(ctx, c, "ScatterV", len(dst), opts); err != nil {
			return dst, err
		}
	}
	if dst == nil && c != nil && !c.IsInter() && len(blocks.Counts) == c.Size() {
		dst = make([]T, max(0, blocks.Counts[c.Rank()]))
	}
	p := scatterV(c, root, dst, src, blocks, opts)
	err := p.do(ctx)
	return dst, err
}

// IScatterV starts a ScatterV. All ranks give the Counts (MPI_Iscatterv).
func IScatterV[T any](c *rank.Comm, root int, dst, src []T, blocks Blocks, opts ...Option) rank.Request {
	p := scatterV(c, root, dst, src, blocks, opts)
	return p.start()
}

// ScatterVInit makes a persistent ScatterV; as IScatterV (MPI_Scatterv_init).
func ScatterVInit[T any](c *rank.Comm, root int, dst, src []T, blocks Blocks, opts ...Option) *rank.Persistent {
	p := scatterV(c, root, dst, src, blocks, opts)
	return p.persist()
}

func scatter[T any](c *rank.Comm, root int, dst, src []T, opts []Option) (p plan[T]) {
	if crosses(c) {
		return scatterAcross(c, "Scatter", root, dst, src, Blocks{}, opts)
	}
	p.begin(c, "Scatter", schedule.Scatter, opts)
	p.rooted(root)
	if p.err != nil {
		return p
	}
	n := len(dst)
	if p.isRoot() {
		if dst == nil {
			n = len(src) / p.call.Size
		}
		if len(src) != n*p.call.Size {
			p.refuse("src has %d elements, want %d for each of %d ranks", len(src), n, p.call.Size)
		}
	}
	p.call.Count = n
	p.scattered(dst, src)
	return p
}

func scatterV[T any](c *rank.Comm, root int, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	if crosses(c) {
		return scatterAcross(c, "ScatterV", root, dst, src, blocks, opts)
	}
	p.begin(c, "ScatterV", schedule.Scatter, opts)
	p.rooted(root)
	if !p.isRoot() {
		blocks.Displs = nil
	}
	if n := p.divided(blocks, false); p.isRoot() && len(src) < n {
		p.refuse("src has %d elements, want %d", len(src), n)
	}
	p.scattered(dst, src)
	return p
}

// scattered gives the plan its buffers. In place the root's part is where it belongs.
func (p *plan[T]) scattered(dst, src []T) {
	if p.err != nil {
		return
	}
	want := p.call.BlockLen(p.call.Rank)
	if p.isRoot() {
		at := p.call.Block(p.call.Rank)
		p.call.InPlace = dst == nil || at.Len > 0 && len(dst) == at.Len && &src[at.Off] == &dst[0]
		if p.call.InPlace {
			p.mem[schedule.Out] = src
			return
		}
		p.sameOrApart(dst, src)
		p.mem[schedule.In] = src
	}
	if len(dst) != want {
		p.refuse("dst has %d elements, want %d", len(dst), want)
	}
	p.mem[schedule.Out] = dst
}
