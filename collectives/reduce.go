package collectives

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Reduce combines the ranks' vectors element by element, x₀ ⊕ x₁ ⊕ … in this order
// whatever the root, and leaves the result in the root's buf; that of the others
// stays as it is (MPI_Reduce in place, MPI 4.1 §6.9.1). len(buf) and op are the same
// on all ranks. The result has the bits of AllReduce.
func Reduce[T any](ctx context.Context, c *rank.Comm, root int, buf []T, op Operation[T], opts ...Option) error {
	p := reduce(c, root, buf, op, opts)
	return p.do(ctx)
}

// ReduceTo is Reduce of src into the root's dst, which others may leave nil
// (MPI_Reduce).
func ReduceTo[T any](ctx context.Context, c *rank.Comm, root int, dst, src []T, op Operation[T], opts ...Option) error {
	p := reduceTo(c, root, dst, src, op, opts)
	return p.do(ctx)
}

// IReduce starts a Reduce (MPI_Ireduce).
func IReduce[T any](c *rank.Comm, root int, buf []T, op Operation[T], opts ...Option) rank.Request {
	p := reduce(c, root, buf, op, opts)
	return p.start()
}

// IReduceTo starts a ReduceTo.
func IReduceTo[T any](c *rank.Comm, root int, dst, src []T, op Operation[T], opts ...Option) rank.Request {
	p := reduceTo(c, root, dst, src, op, opts)
	return p.start()
}

// ReduceInit makes a persistent Reduce (MPI_Reduce_init).
func ReduceInit[T any](c *rank.Comm, root int, buf []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := reduce(c, root, buf, op, opts)
	return p.persist()
}

// ReduceToInit makes a persistent ReduceTo.
func ReduceToInit[T any](c *rank.Comm, root int, dst, src []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := reduceTo(c, root, dst, src, op, opts)
	return p.persist()
}

func reduce[T any](c *rank.Comm, root int, buf []T, op Operation[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		return reduceAcross(c, root, buf, buf, op, opts)
	}
	p.begin(c, "Reduce", schedule.Reduce, opts)
	p.rooted(root)
	p.reduction(buf, buf, op)
	return p
}

func reduceTo[T any](c *rank.Comm, root int, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		return reduceAcross(c, root, dst, src, op, opts)
	}
	p.begin(c, "Reduce", schedule.Reduce, opts)
	p.rooted(root)
	if p.isRoot() {
		if len(dst) != len(src) {
			p.refuse("%d elements to and %d from, want as many", len(dst), len(src))
		}
		p.sameOrApart(dst, src)
	}
	p.reduction(dst, src, op)
	return p
}

// reduction is vector for a Reduce, whose root alone has dst. Ranks must not differ in
// whether they are in place, since it is part of the schedule's key alone.
func (p *plan[T]) reduction(dst, src []T, op Operation[T]) {
	p.reducing(op)
	p.call.Count = len(src)
	p.mem[schedule.In] = src
	if p.isRoot() {
		p.mem[schedule.Out] = dst
		p.call.InPlace = p.err == nil && len(src) > 0 && &src[0] == &dst[0]
	}
}

// ReduceLocal sets inout[i] = in[i] ⊕ inout[i], without any communication
// (MPI_Reduce_local, MPI 4.1 §6.9.7). Errors: rank.ErrArgument.
func ReduceLocal[T any](in, inout []T, op Operation[T]) error {
	if op == nil || op().Apply == nil {
		return fmt.Errorf("ReduceLocal: %w: the operation is nil", rank.ErrArgument)
	}
	if len(in) != len(inout) {
		return fmt.Errorf("ReduceLocal: %w: %d elements and %d, want as many", rank.ErrArgument, len(in), len(inout))
	}
	op().Apply(inout, in, inout)
	return nil
}
