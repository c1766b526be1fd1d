package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// AllReduce combines the ranks' vectors element by element, x₀ ⊕ x₁ ⊕ …, and gives
// every rank the result, in buf (MPI_Allreduce in place, MPI 4.1 §6.9.6). len(buf)
// and op are the same on all ranks. All get the same bits, and get them again in
// every run with as many ranks, unless AnyOrder permits otherwise.
func AllReduce[T any](ctx context.Context, c *rank.Comm, buf []T, op Operation[T], opts ...Option) error {
	p := allReduce(c, buf, nil, op, opts)
	return p.do(ctx)
}

// AllReduceTo is AllReduce of src into dst, which are of one length and either the
// same or apart (MPI_Allreduce).
func AllReduceTo[T any](ctx context.Context, c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) error {
	p := allReduceTo(c, dst, src, op, opts)
	return p.do(ctx)
}

// IAllReduce starts an AllReduce (MPI_Iallreduce).
func IAllReduce[T any](c *rank.Comm, buf []T, op Operation[T], opts ...Option) rank.Request {
	p := allReduce(c, buf, nil, op, opts)
	return p.start()
}

// IAllReduceTo starts an AllReduceTo.
func IAllReduceTo[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) rank.Request {
	p := allReduceTo(c, dst, src, op, opts)
	return p.start()
}

// AllReduceInit makes a persistent AllReduce (MPI_Allreduce_init).
func AllReduceInit[T any](c *rank.Comm, buf []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := allReduce(c, buf, nil, op, opts)
	return p.persist()
}

// AllReduceToInit makes a persistent AllReduceTo.
func AllReduceToInit[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := allReduceTo(c, dst, src, op, opts)
	return p.persist()
}

// allReduce is in place if src is nil.
func allReduce[T any](c *rank.Comm, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		return allReduceAcross(c, dst, src, op, opts)
	}
	p.begin(c, "AllReduce", schedule.AllReduce, opts)
	p.vector(dst, src, op)
	return p
}

func allReduceTo[T any](c *rank.Comm, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	if crosses(c) {
		return allReduceAcross(c, dst, src, op, opts)
	}
	p.begin(c, "AllReduce", schedule.AllReduce, opts)
	p.vectorTo(dst, src, op)
	return p
}

// vector gives the plan its operation and its vectors, which are dst alone if src is nil.
func (p *plan[T]) vector(dst, src []T, op Operation[T]) {
	p.reducing(op)
	p.call.Count = len(dst)
	p.call.InPlace = src == nil
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
}

// vectorTo is vector for the forms with a source and a destination.
func (p *plan[T]) vectorTo(dst, src []T, op Operation[T]) {
	if len(dst) != len(src) {
		p.refuse("%d elements to and %d from, want as many", len(dst), len(src))
	}
	if p.sameOrApart(dst, src) || len(src) == 0 {
		src = nil
	}
	p.vector(dst, src, op)
}
