package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// ReduceScatter combines the ranks' src element by element and gives rank r the
// r-th block of the result, of counts[r] elements, in dst, which it returns
// (MPI_Reduce_scatter, MPI 4.1 §6.10.2). src has as many elements as all blocks
// together, on every rank; dst has the rank's own, or is nil and is made. All ranks
// give counts, or none does, and then each gets as much as its dst holds, which costs
// a call more. dst may be the head of src, on every rank or on none, and the rest of
// src is then overwritten too; other overlap is ErrOverlap.
func ReduceScatter[T any](ctx context.Context, c *rank.Comm, dst, src []T, counts []int, op Operation[T], opts ...Option) ([]T, error) {
	if counts == nil {
		var err error
		if counts, err = exchangeCounts(ctx, c, "ReduceScatter", len(dst), opts); err != nil {
			return dst, err
		}
	}
	p := reduceScatter(c, dst, src, counts, op, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// IReduceScatter starts a ReduceScatter; counts must be given, and dst
// (MPI_Ireduce_scatter).
func IReduceScatter[T any](c *rank.Comm, dst, src []T, counts []int, op Operation[T], opts ...Option) rank.Request {
	p := reduceScatter(c, dst, src, counts, op, opts)
	p.given(dst)
	return p.start()
}

// ReduceScatterInit makes a persistent ReduceScatter; as IReduceScatter
// (MPI_Reduce_scatter_init).
func ReduceScatterInit[T any](c *rank.Comm, dst, src []T, counts []int, op Operation[T], opts ...Option) *rank.Persistent {
	p := reduceScatter(c, dst, src, counts, op, opts)
	p.given(dst)
	return p.persist()
}

// ReduceScatterBlock is ReduceScatter with blocks of one length: src has p of them
// (MPI_Reduce_scatter_block).
func ReduceScatterBlock[T any](ctx context.Context, c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) ([]T, error) {
	p := reduceScatterBlock(c, dst, src, op, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// IReduceScatterBlock starts a ReduceScatterBlock; dst must not be nil
// (MPI_Ireduce_scatter_block).
func IReduceScatterBlock[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) rank.Request {
	p := reduceScatterBlock(c, dst, src, op, opts)
	p.given(dst)
	return p.start()
}

// ReduceScatterBlockInit makes a persistent ReduceScatterBlock
// (MPI_Reduce_scatter_block_init).
func ReduceScatterBlockInit[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := reduceScatterBlock(c, dst, src, op, opts)
	p.given(dst)
	return p.persist()
}

func reduceScatter[T any](c *rank.Comm, dst, src []T, counts []int, op Operation[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		return reduceScatterAcross(c, "ReduceScatter", dst, src, counts, op, opts)
	}
	p.begin(c, "ReduceScatter", schedule.ReduceScatter, opts)
	p.reducing(op)
	n := p.divided(Blocks{Counts: counts}, false)
	p.reduceScattered(dst, src, n)
	return p
}

func reduceScatterBlock[T any](c *rank.Comm, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		counts := make([]int, c.Size())
		for r := range counts {
			counts[r] = len(src) / c.Size()
		}
		return reduceScatterAcross(c, "ReduceScatterBlock", dst, src, counts, op, opts)
	}
	p.begin(c, "ReduceScatterBlock", schedule.ReduceScatter, opts)
	p.reducing(op)
	if p.err != nil {
		return p
	}
	p.call.Count = len(src) / p.call.Size
	p.reduceScattered(dst, src, p.call.Count*p.call.Size)
	return p
}

// reduceScattered gives the plan its buffers; src has n elements. In place the result is
// the head of the buffer that src is, wherever this rank's block of it lies.
func (p *plan[T]) reduceScattered(dst, src []T, n int) {
	if p.err != nil {
		return
	}
	if len(src) != n {
		p.refuse("src has %d elements, want %d", len(src), n)
	}
	dst = p.fit(dst, p.call.BlockLen(p.call.Rank), "dst", false)
	if p.err == nil && len(dst) > 0 && &dst[0] == &src[0] {
		p.call.InPlace = true
		p.mem[schedule.Out] = src
		return
	}
	p.sameOrApart(dst, src)
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
}
