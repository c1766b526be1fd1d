package rank

import (
	"context"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Send sends buf to dest with tag and returns when buf may be reused: at once
// for a short message, and for a long one when a receive has taken it, so a
// program must not count on either (MPI_Send). The receiver gets a copy. If ctx
// ends before a receive has matched, the message is taken back: ErrCancelled.
//
// Errors: ErrRank, ErrTag, ErrElement, ErrComm, ErrFreed, ErrFailed,
// ErrCancelled, ErrAborted. A receiver whose buffer is too short or of another
// type gets the error, not the sender.
func Send[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	return c.send(ctx, record.OpSend, engine.Standard, dest, tag, slice(buf))
}

// Ssend is Send that returns no sooner than the matching receive has started
// (MPI_Ssend).
func Ssend[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	return c.send(ctx, record.OpSsend, engine.Synchronous, dest, tag, slice(buf))
}

// Rsend is Ssend for programs that know the matching receive to be posted; if
// it is not, the message is not delivered and the error is ErrNotReady
// (MPI_Rsend, where that is undefined).
func Rsend[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	return c.send(ctx, record.OpRsend, engine.Ready, dest, tag, slice(buf))
}

// SendView is Send of the elements of v, which are read from where they lie.
func SendView[T any](ctx context.Context, c *Comm, dest int, tag Tag, v datatype.View[T]) error {
	return c.send(ctx, record.OpSend, engine.Standard, dest, tag, view(v, false))
}

// SsendView is Ssend of the elements of v.
func SsendView[T any](ctx context.Context, c *Comm, dest int, tag Tag, v datatype.View[T]) error {
	return c.send(ctx, record.OpSsend, engine.Synchronous, dest, tag, view(v, false))
}

// Isend starts a Send and returns at once. buf belongs to the send until the
// Request completes: it may be read, not written (MPI_Isend). What is wrong
// with the arguments is the Request's error.
func Isend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	return c.isend(record.OpIsend, engine.Standard, dest, tag, slice(buf))
}

// Issend starts an Ssend; as Isend (MPI_Issend).
func Issend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	return c.isend(record.OpIssend, engine.Synchronous, dest, tag, slice(buf))
}

// Irsend starts an Rsend; as Isend (MPI_Irsend).
func Irsend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	return c.isend(record.OpIrsend, engine.Ready, dest, tag, slice(buf))
}

// IsendView starts a SendView. The elements of v belong to the send until the
// Request completes.
func IsendView[T any](c *Comm, dest int, tag Tag, v datatype.View[T]) Request {
	return c.isend(record.OpIsend, engine.Standard, dest, tag, view(v, false))
}

func (c *Comm) send(ctx context.Context, op record.Op, mode engine.Mode, dest int, tag Tag, p payload) error {
	if err := c.checkSend(op, dest, tag, &p); err != nil {
		return err
	}
	if dest == Null {
		return nil
	}
	env := c.envelope(op, mode, dest, tag, &p)
	if err := c.job.engine.Send(ctx, &env); err != nil {
		return c.fail(op.String(), dest, tag, err)
	}
	return nil
}

func (c *Comm) isend(op record.Op, mode engine.Mode, dest int, tag Tag, p payload) Request {
	if err := c.checkSend(op, dest, tag, &p); err != nil {
		return Request{early: err}
	}
	r := Request{c: c, op: op, peer: dest, tag: tag, want: payload{elem: p.elem}}
	if dest == Null {
		r.ref = c.job.engine.Completed(nil, engine.EmptyStatus)
		return r
	}
	env := c.envelope(op, mode, dest, tag, &p)
	ref, err := c.job.engine.Isend(&env)
	if err != nil {
		return Request{early: c.fail(op.String(), dest, tag, err)}
	}
	r.ref = ref
	return r
}

// envelope is what the engine sees of a call.
func (c *Comm) envelope(op record.Op, mode engine.Mode, peer int, tag Tag, p *payload) engine.Envelope {
	return engine.Envelope{
		Context: c.ctx, Space: c.space, Mode: mode, Object: p.object,
		Peer: peer, Tag: int64(tag), Layout: p.layout, Buf: p.buf, What: op,
	}
}
