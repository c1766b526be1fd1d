package collectives

import (
	"context"
	"fmt"
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// NeighborAllToAll sends the i-th of the equal blocks of src along the i-th edge that
// leaves this rank, and returns in dst what has come along the edges that lead to it,
// in their order (MPI_Neighbor_alltoall, MPI 4.1 §8.6.2). All blocks have the same
// length, on all ranks; dst has one for each edge, or is nil and is made, and shares no
// element with src. The block of an edge from rank.Null is not touched, that of one to
// it is not sent. A rank that no edge leaves gives dst, which says how long a block is.
//
// All ranks of n.Comm() must call it, in the same order among its collective calls.
// Cost: one step, a block for each edge.
func NeighborAllToAll[T any](ctx context.Context, n Neighborhood, dst, src []T, opts ...Option) ([]T, error) {
	p := neighborAllToAll(n, "NeighborAllToAll", dst, src, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// INeighborAllToAll starts a NeighborAllToAll; dst must not be nil
// (MPI_Ineighbor_alltoall).
func INeighborAllToAll[T any](n Neighborhood, dst, src []T, opts ...Option) rank.Request {
	p := neighborAllToAll(n, "NeighborAllToAll", dst, src, opts)
	p.given(dst)
	return p.start()
}

// NeighborAllToAllInit makes a persistent NeighborAllToAll; as INeighborAllToAll
// (MPI_Neighbor_alltoall_init).
func NeighborAllToAllInit[T any](n Neighborhood, dst, src []T, opts ...Option) *rank.Persistent {
	p := neighborAllToAll(n, "NeighborAllToAll", dst, src, opts)
	p.given(dst)
	return p.persist()
}

// NeighborAllToAllV is NeighborAllToAll of blocks of different lengths
// (MPI_Neighbor_alltoallv): from divides src among the edges that leave this rank, to
// divides dst among those that lead here. to may have no Counts, on all ranks or on
// none: they are exchanged then, which costs a call more. It returns to as well.
func NeighborAllToAllV[T any](ctx context.Context, n Neighborhood, dst, src []T, to, from Blocks, opts ...Option) ([]T, Blocks, error) {
	if to.Counts == nil && n != nil && len(from.Counts) == len(n.EdgesOut()) {
		to.Counts = make([]int, len(n.EdgesIn()))
		p := neighborAllToAll(n, "NeighborAllToAllV", to.Counts, from.Counts, withoutUsing(opts))
		if err := p.do(ctx); err != nil {
			return dst, to, err
		}
	}
	p := neighborAllToAllV(n, dst, src, to, from, opts)
	err := p.do(ctx)
	return p.large(dst), to, err
}

// INeighborAllToAllV starts a NeighborAllToAllV; to must have Counts, and dst not be
// nil (MPI_Ineighbor_alltoallv).
func INeighborAllToAllV[T any](n Neighborhood, dst, src []T, to, from Blocks, opts ...Option) rank.Request {
	p := neighborAllToAllV(n, dst, src, to, from, opts)
	p.given(dst)
	return p.start()
}

// NeighborAllToAllVInit makes a persistent NeighborAllToAllV; as INeighborAllToAllV
// (MPI_Neighbor_alltoallv_init).
func NeighborAllToAllVInit[T any](n Neighborhood, dst, src []T, to, from Blocks, opts ...Option) *rank.Persistent {
	p := neighborAllToAllV(n, dst, src, to, from, opts)
	p.given(dst)
	return p.persist()
}

// NeighborAllToAllW is NeighborAllToAllV in which every block lies as a View of its own
// says (MPI_Neighbor_alltoallw): src[i] goes along the i-th edge that leaves this rank,
// dst[i] comes along the i-th that leads here and has as many elements as are sent
// along it. The blocks are copied together on the way. Views to receive into must not
// name an element twice, nor what another view names.
func NeighborAllToAllW[T any](ctx context.Context, n Neighborhood, dst, src []datatype.View[T], opts ...Option) error {
	p := neighborAllToAllW(n, dst, src, opts)
	return p.do(ctx)
}

// INeighborAllToAllW starts a NeighborAllToAllW. What src names is read now, what dst
// names is written when the Request completes (MPI_Ineighbor_alltoallw).
func INeighborAllToAllW[T any](n Neighborhood, dst, src []datatype.View[T], opts ...Option) rank.Request {
	p := neighborAllToAllW(n, dst, src, opts)
	return p.start()
}

// NeighborAllToAllWInit makes a persistent NeighborAllToAllW; as INeighborAllToAllW at
// each Start (MPI_Neighbor_alltoallw_init).
func NeighborAllToAllWInit[T any](n Neighborhood, dst, src []datatype.View[T], opts ...Option) *rank.Persistent {
	p := neighborAllToAllW(n, dst, src, opts)
	return p.persist()
}

func neighborAllToAll[T any](n Neighborhood, name string, dst, src []T, opts []Option) (p plan[T]) {
	in, out := p.over(n, name, schedule.AllToAll, opts)
	if p.err != nil {
		return p
	}
	// The blocks of one side say how long they are on both.
	of, buf, blocks := "src", src, len(out)
	switch {
	case len(out) > 0:
	case len(src) > 0:
		p.refuse("src has %d elements, and no edge leaves the rank", len(src))
	case len(in) > 0 && dst == nil:
		p.refuse("dst is nil, and without an edge that leaves the rank nothing says how long a block is")
	default:
		of, buf, blocks = "dst", dst, len(in)
	}
	count := 0
	if blocks > 0 {
		if count = len(buf) / blocks; count*blocks != len(buf) {
			p.refuse("%s has %d elements, which %d edges do not divide", of, len(buf), blocks)
		}
	}
	p.call.Count = count
	p.buffers(p.fit(dst, len(in)*count, "dst", false), src)
	p.alongEqual(in, out, func(i int) schedule.Span { return schedule.Span{Buf: schedule.In, Off: i * count, Len: count} })
	return p
}

func neighborAllToAllV[T any](n Neighborhood, dst, src []T, to, from Blocks, opts []Option) (p plan[T]) {
	in, out := p.over(n, "NeighborAllToAllV", schedule.AllToAll, opts)
	need := p.dividedAmong(in, to, "dst", true)
	dst = p.fit(dst, need, "dst", true)
	if need := p.dividedAmong(out, from, "src", false); p.err == nil && len(src) < need {
		p.refuse("src has %d elements, want %d", len(src), need)
	}
	p.buffers(dst, src)
	if p.err == nil {
		p.along(in, out, spans(schedule.Out, to), spans(schedule.In, from))
	}
	return p
}

func neighborAllToAllW[T any](n Neighborhood, dst, src []datatype.View[T], opts []Option) (p plan[T]) {
	in, out := p.over(n, "NeighborAllToAllW", schedule.AllToAll, opts)
	if p.err != nil {
		return p
	}
	taken := slices.Clone(dst)
	for i := range min(len(taken), len(in)) {
		if in[i].Rank == rank.Null {
			taken[i] = datatype.View[T]{} // nothing is received, so nothing is touched
		}
	}
	from, to := p.packed(taken, src, len(in), len(out))
	if p.err != nil {
		return p
	}
	p.along(in, out, spans(schedule.Out, Blocks{Counts: to}), spans(schedule.In, Blocks{Counts: from}))
	return p
}

// dividedAmong returns how long a buffer is at least that b divides among list, and
// refuses a b that does not.
func (p *plan[T]) dividedAmong(list []Edge, b Blocks, what string, written bool) (n int) {
	if p.err == nil {
		var err error
		if n, err = extent(b, len(list), written); err != nil {
			p.err = fmt.Errorf("the blocks of %s: %w", what, err)
		}
	}
	return n
}
