package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// AllGather gives every rank the src of all, in rank order, and returns them
// (MPI_Allgather, MPI 4.1 §6.7). len(src) is the same on all ranks; dst has
// p·len(src) elements, or is nil and is made. A nil src, or the rank's own block of
// dst, says that its part is there already.
func AllGather[T any](ctx context.Context, c *rank.Comm, dst, src []T, opts ...Option) ([]T, error) {
	p := allGather(c, "AllGather", dst, src, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// IAllGather starts an AllGather; dst must not be nil (MPI_Iallgather).
func IAllGather[T any](c *rank.Comm, dst, src []T, opts ...Option) rank.Request {
	p := allGather(c, "AllGather", dst, src, opts)
	p.given(dst)
	return p.start()
}

// AllGatherInit makes a persistent AllGather; as IAllGather (MPI_Allgather_init).
func AllGatherInit[T any](c *rank.Comm, dst, src []T, opts ...Option) *rank.Persistent {
	p := allGather(c, "AllGather", dst, src, opts)
	p.given(dst)
	return p.persist()
}

// AllGatherV is AllGather of blocks of different lengths (MPI_Allgatherv). All ranks
// give the Counts of blocks, or none does and they are exchanged, which costs a call
// more; each may have Displs of its own. It returns the blocks too, as they lie in
// the result. dst may be longer than they need.
func AllGatherV[T any](ctx context.Context, c *rank.Comm, dst, src []T, blocks Blocks, opts ...Option) ([]T, Blocks, error) {
	if blocks.Counts == nil && !crosses(c) {
		var err error
		if blocks.Counts, err = exchangeCounts(ctx, c, "AllGatherV", len(src), opts); err != nil {
			return dst, blocks, err
		}
	}
	p := allGatherV(c, dst, src, blocks, opts)
	err := p.do(ctx)
	return p.large(dst), blocks, err
}

// IAllGatherV starts an AllGatherV. All ranks give the Counts, and dst
// (MPI_Iallgatherv).
func IAllGatherV[T any](c *rank.Comm, dst, src []T, blocks Blocks, opts ...Option) rank.Request {
	p := allGatherV(c, dst, src, blocks, opts)
	p.given(dst)
	return p.start()
}

// AllGatherVInit makes a persistent AllGatherV; as IAllGatherV
// (MPI_Allgatherv_init).
func AllGatherVInit[T any](c *rank.Comm, dst, src []T, blocks Blocks, opts ...Option) *rank.Persistent {
	p := allGatherV(c, dst, src, blocks, opts)
	p.given(dst)
	return p.persist()
}

func allGather[T any](c *rank.Comm, name string, dst, src []T, opts []Option) (p plan[T]) {
	if crosses(c) {
		return allGatherAcross(c, name, dst, src, Blocks{}, opts)
	}
	p.begin(c, name, schedule.AllGather, opts)
	if p.err != nil {
		return p
	}
	n := len(src)
	if src == nil {
		if n = len(dst) / p.call.Size; n*p.call.Size != len(dst) {
			p.refuse("dst has %d elements, which %d ranks do not divide", len(dst), p.call.Size)
		}
	}
	p.call.Count = n
	p.allGathered(dst, src, n*p.call.Size, false)
	return p
}

func allGatherV[T any](c *rank.Comm, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	if crosses(c) {
		return allGatherAcross(c, "AllGatherV", dst, src, blocks, opts)
	}
	p.begin(c, "AllGatherV", schedule.AllGather, opts)
	n := p.divided(blocks, true)
	p.allGathered(dst, src, n, true)
	return p
}

// allGathered gives the plan its buffers; dst has n elements, or with more perhaps more.
func (p *plan[T]) allGathered(dst, src []T, n int, more bool) {
	if dst = p.fit(dst, n, "dst", more); p.err != nil {
		return
	}
	p.mem[schedule.Out] = dst
	p.owned(dst, src)
	p.ownBlock(src)
}
