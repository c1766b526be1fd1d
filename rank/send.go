package rank

import (
	"context"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Send sends buf to dest with tag and returns when buf may be reused (MPI_Send,
// MPI 4.1 §3.2 and §3.4). For a short message that is mostly at once, for a long
// one when a receive has taken it: a program must count on neither. If ctx ends
// while Send waits, either the message is taken back and the error is
// ErrCancelled, or a receive has matched it and Send succeeds. A send to Null
// does nothing.
//
// Errors: ErrRank, ErrTag, ErrElement, ErrComm, ErrFreed (by this rank, or by
// the receiver before it has taken the message), ErrFailed, ErrCancelled,
// ErrAborted, ErrLeft. A receiver whose buffer is too short or of another type
// gets the error of that, not the sender.
func Send[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	var p payload
	load(&p, buf)
	return c.send(ctx, record.OpSend, engine.Standard, dest, tag, &p)
}

// Ssend is Send that returns no sooner than the matching receive has started,
// however short the message (MPI_Ssend).
func Ssend[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	var p payload
	load(&p, buf)
	return c.send(ctx, record.OpSsend, engine.Synchronous, dest, tag, &p)
}

// Rsend is Ssend for programs that know the matching receive to be posted
// (MPI_Rsend). If it is not, the message is not delivered and the error is
// ErrNotReady, where the standard leaves it undefined what happens.
func Rsend[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	var p payload
	load(&p, buf)
	return c.send(ctx, record.OpRsend, engine.Ready, dest, tag, &p)
}

// SendView is Send of the elements of v, which are read from where they lie. It
// matches a Recv as well as a RecvView. Errors: as Send, and those of v
// (datatype.ErrView).
func SendView[T any](ctx context.Context, c *Comm, dest int, tag Tag, v datatype.View[T]) error {
	p := view(v, false)
	return c.send(ctx, record.OpSend, engine.Standard, dest, tag, &p)
}

// SsendView is Ssend of the elements of v; as SendView.
func SsendView[T any](ctx context.Context, c *Comm, dest int, tag Tag, v datatype.View[T]) error {
	p := view(v, false)
	return c.send(ctx, record.OpSsend, engine.Synchronous, dest, tag, &p)
}

// Isend starts a Send and returns at once (MPI_Isend, MPI 4.1 §3.7). buf
// belongs to the send until the Request completes: it may be read, also by other
// sends, and not written. The order of the calls is the order of the messages,
// whenever they are waited for. Errors, of the Request: as Send.
func Isend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	var p payload
	load(&p, buf)
	return c.isend(record.OpIsend, engine.Standard, dest, tag, &p)
}

// Issend starts an Ssend; as Isend (MPI_Issend). The Request is complete no
// sooner than the matching receive has started.
func Issend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	var p payload
	load(&p, buf)
	return c.isend(record.OpIssend, engine.Synchronous, dest, tag, &p)
}

// Irsend starts an Rsend; as Isend (MPI_Irsend).
func Irsend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	var p payload
	load(&p, buf)
	return c.isend(record.OpIrsend, engine.Ready, dest, tag, &p)
}

// IsendView starts a SendView; as Isend. The elements of v belong to the send
// until the Request completes; the others of its slice do not.
func IsendView[T any](c *Comm, dest int, tag Tag, v datatype.View[T]) Request {
	p := view(v, false)
	return c.isend(record.OpIsend, engine.Standard, dest, tag, &p)
}

func (c *Comm) send(ctx context.Context, op record.Op, mode engine.Mode, dest int, tag Tag, p *payload) error {
	if err := c.checkSend(op, dest, tag, p); err != nil {
		return err
	}
	if dest == Null {
		return nil
	}
	if err := c.job.engine.Send(ctx, c.envelope(op, mode, dest, tag, p)); err != nil {
		return c.fail(op.String(), dest, tag, err)
	}
	return nil
}

// isend starts a send.
func (c *Comm) isend(op record.Op, mode engine.Mode, dest int, tag Tag, p *payload) Request {
	if err := c.checkSend(op, dest, tag, p); err != nil {
		return refused(err)
	}
	var ref engine.Ref
	var err error
	if dest == Null {
		ref = c.job.engine.Completed(nil, engine.EmptyStatus)
	} else if ref, err = c.job.engine.Isend(c.envelope(op, mode, dest, tag, p)); err != nil {
		return refused(c.fail(op.String(), dest, tag, err))
	}
	ref.Note = note(op, dest)
	return Request{c: c, ref: ref, tag: tag}
}

// envelope completes what the engine sees of a call, in p.
func (c *Comm) envelope(op record.Op, mode engine.Mode, peer int, tag Tag, p *payload) *engine.Envelope {
	env := &p.env
	env.Context, env.Space, env.Mode, env.What = c.ctx, c.space, mode, op
	env.Peer, env.Tag = peer, int64(tag)
	return env
}
