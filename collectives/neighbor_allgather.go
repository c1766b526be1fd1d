package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// NeighborAllGather sends src along every edge that leaves this rank, and returns in
// dst what has come along the edges that lead to it, in their order
// (MPI_Neighbor_allgather, MPI 4.1 §8.6.1). len(src) is the same on all ranks; dst has
// as many elements for each edge, or is nil and is made, and shares none with src. The
// block of an edge from rank.Null is not touched.
//
// All ranks of n.Comm() must call it, in the same order among its collective calls.
// Cost: one step, len(src) for each edge.
func NeighborAllGather[T any](ctx context.Context, n Neighborhood, dst, src []T, opts ...Option) ([]T, error) {
	p := neighborAllGather(n, "NeighborAllGather", dst, src, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// INeighborAllGather starts a NeighborAllGather; dst must not be nil
// (MPI_Ineighbor_allgather).
func INeighborAllGather[T any](n Neighborhood, dst, src []T, opts ...Option) rank.Request {
	p := neighborAllGather(n, "NeighborAllGather", dst, src, opts)
	p.given(dst)
	return p.start()
}

// NeighborAllGatherInit makes a persistent NeighborAllGather; as INeighborAllGather
// (MPI_Neighbor_allgather_init).
func NeighborAllGatherInit[T any](n Neighborhood, dst, src []T, opts ...Option) *rank.Persistent {
	p := neighborAllGather(n, "NeighborAllGather", dst, src, opts)
	p.given(dst)
	return p.persist()
}

// NeighborAllGatherV is NeighborAllGather of blocks of different lengths: that of an
// edge is as long as src of the rank that it comes from (MPI_Neighbor_allgatherv).
// blocks has an entry for each edge that leads here. All ranks give its Counts, or
// none does and they are exchanged, which costs a call more. It returns the blocks
// too, as they lie in the result. dst may be longer than they need.
func NeighborAllGatherV[T any](ctx context.Context, n Neighborhood, dst, src []T, blocks Blocks, opts ...Option) ([]T, Blocks, error) {
	if blocks.Counts == nil {
		var err error
		p := neighborAllGather(n, "NeighborAllGatherV", nil, []int{len(src)}, withoutUsing(opts))
		if err = p.do(ctx); err != nil {
			return dst, blocks, err
		}
		blocks.Counts = p.mem[schedule.Out]
	}
	p := neighborAllGatherV(n, dst, src, blocks, opts)
	err := p.do(ctx)
	return p.large(dst), blocks, err
}

// INeighborAllGatherV starts a NeighborAllGatherV. All ranks give the Counts, and dst
// (MPI_Ineighbor_allgatherv).
func INeighborAllGatherV[T any](n Neighborhood, dst, src []T, blocks Blocks, opts ...Option) rank.Request {
	p := neighborAllGatherV(n, dst, src, blocks, opts)
	p.given(dst)
	return p.start()
}

// NeighborAllGatherVInit makes a persistent NeighborAllGatherV; as INeighborAllGatherV
// (MPI_Neighbor_allgatherv_init).
func NeighborAllGatherVInit[T any](n Neighborhood, dst, src []T, blocks Blocks, opts ...Option) *rank.Persistent {
	p := neighborAllGatherV(n, dst, src, blocks, opts)
	p.given(dst)
	return p.persist()
}

func neighborAllGather[T any](n Neighborhood, name string, dst, src []T, opts []Option) (p plan[T]) {
	in, out := p.over(n, name, schedule.AllGather, opts)
	p.call.Count = len(src)
	p.buffers(p.fit(dst, len(in)*len(src), "dst", false), src)
	p.alongEqual(in, out, allOf(len(src)))
	return p
}

func neighborAllGatherV[T any](n Neighborhood, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	in, out := p.over(n, "NeighborAllGatherV", schedule.AllGather, opts)
	need := p.dividedAmong(in, blocks, "dst", true)
	p.buffers(p.fit(dst, need, "dst", true), src)
	if p.err == nil {
		p.along(in, out, spans(schedule.Out, blocks), allOf(len(src)))
	}
	return p
}

// allOf returns that every edge carries all n elements of the source.
func allOf(n int) func(int) schedule.Span {
	return func(int) schedule.Span { return schedule.Span{Buf: schedule.In, Len: n} }
}
