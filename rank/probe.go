package rank

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Probe waits until a message from source with tag could be received, and tells
// of it without receiving it (MPI_Probe). Where other goroutines receive too,
// the next receive may get another message: use Mprobe. Status.Len counts bytes;
// Count tells elements. A probe of Null returns at once. If ctx ends first the
// error is ErrCancelled. Errors: as Recv, without those about the buffer.
// Source: MPI 4.1 §3.8.1.
func Probe(ctx context.Context, c *Comm, source int, tag Tag) (Status, error) {
	const op = record.OpProbe
	if err := c.checkRecv(op, source, tag, new(payload)); err != nil {
		return Status{}, err
	}
	if source == Null {
		return nullStatus, nil
	}
	env := c.envelope(op, engine.Standard, source, tag, new(payload))
	_, s, err := c.job.engine.Probe(ctx, env, false)
	if err != nil {
		return Status{}, c.fail(op.String(), source, tag, err)
	}
	return statusOf(s, 1), nil
}

// Iprobe is Probe without waiting; false if there is no such message now
// (MPI_Iprobe). A loop of Iprobes finds a message that was sent. Errors: as Probe,
// without ErrCancelled.
func Iprobe(c *Comm, source int, tag Tag) (Status, bool, error) {
	const op = record.OpIprobe
	if err := c.checkRecv(op, source, tag, new(payload)); err != nil {
		return Status{}, false, err
	}
	if source == Null {
		return nullStatus, true, nil
	}
	s, ok, err := c.job.engine.Find(c.ctx, c.space, source, int64(tag))
	if err != nil || !ok {
		return Status{}, false, c.fail(op.String(), source, tag, err)
	}
	return statusOf(s, 1), true, nil
}

// Message is a message that Mprobe took: no other receive or probe sees it, and
// it must be received with Mrecv or Imrecv, once, also by another goroutine
// (MPI_Message, MPI 4.1 §3.8.2).
type Message struct {
	c      *Comm
	m      *engine.Message // nil: from Null
	status Status
}

// Status tells of the message; Len counts bytes, and Count tells elements.
func (m *Message) Status() Status {
	if m == nil {
		return emptyStatus
	}
	return m.status
}

// Mprobe waits for the earliest message from source with tag and takes it out of
// matching (MPI_Mprobe): the next receive or probe gets the next message. A probe
// of Null returns a message from Null at once, whose Mrecv is as immediate. If ctx
// ends first the error is ErrCancelled and nothing was taken. Errors: as Probe.
func Mprobe(ctx context.Context, c *Comm, source int, tag Tag) (*Message, error) {
	const op = record.OpMprobe
	if err := c.checkRecv(op, source, tag, new(payload)); err != nil {
		return nil, err
	}
	if source == Null {
		return &Message{c: c, status: nullStatus}, nil
	}
	return c.mprobe(ctx, op, source, tag)
}

// Improbe is Mprobe without waiting; nil if there is no such message now
// (MPI_Improbe). Errors: as Iprobe.
func Improbe(c *Comm, source int, tag Tag) (*Message, error) {
	const op = record.OpImprobe
	if err := c.checkRecv(op, source, tag, new(payload)); err != nil {
		return nil, err
	}
	if source == Null {
		return &Message{c: c, status: nullStatus}, nil
	}
	m, err := c.job.engine.Take(c.ctx, c.space, source, int64(tag))
	if err != nil || m == nil {
		return nil, c.fail(op.String(), source, tag, err)
	}
	return &Message{c, m, statusOf(m.Status, 1)}, nil
}

// Mrecv receives m, which must not be nil, into buf (MPI_Mrecv). m has matched, so
// ctx cannot cancel it any more: Mrecv returns when it is there. An object is
// received by RecvObject only. Errors: as Recv without ErrCancelled; ErrRequest if
// m was received before.
func Mrecv[T any](ctx context.Context, m *Message, buf []T) (Status, error) {
	p := slice(buf)
	if err := m.check(record.OpMrecv, &p); err != nil {
		return Status{}, err
	}
	return m.recv(ctx, record.OpMrecv, &p)
}

// MrecvView is Mrecv into the elements of v, as RecvView.
func MrecvView[T any](ctx context.Context, m *Message, v datatype.View[T]) (Status, error) {
	p := view(v, true)
	if err := m.check(record.OpMrecv, &p); err != nil {
		return Status{}, err
	}
	return m.recv(ctx, record.OpMrecv, &p)
}

// MrecvAlloc is Mrecv into a new slice, as RecvAlloc.
func MrecvAlloc[T any](ctx context.Context, m *Message) ([]T, Status, error) {
	p := slice[T](nil)
	if err := m.check(record.OpMrecv, &p); err != nil {
		return nil, Status{}, err
	}
	return alloc[T](ctx, m, record.OpMrecv)
}

// Imrecv starts an Mrecv and returns at once; as Irecv (MPI_Imrecv).
func Imrecv[T any](m *Message, buf []T) Request {
	p := slice(buf)
	const op = record.OpImrecv
	if err := m.check(op, &p); err != nil {
		return refused(err)
	}
	source, tag := m.status.Source, m.status.Tag
	var ref engine.Ref
	var err error
	if m.m == nil {
		ref = m.c.job.engine.Completed(nil, fromNull)
	} else if ref, err = m.c.job.engine.Imrecv(m.m, m.c.envelope(op, engine.Standard, source, tag, &p)); err != nil {
		return refused(m.c.fail(op.String(), source, tag, err))
	}
	ref.Note = note(op, source)
	return Request{c: m.c, ref: ref, tag: tag}
}

func (c *Comm) mprobe(ctx context.Context, op record.Op, source int, tag Tag) (*Message, error) {
	env := c.envelope(op, engine.Standard, source, tag, new(payload))
	m, s, err := c.job.engine.Probe(ctx, env, true)
	if err != nil {
		return nil, c.fail(op.String(), source, tag, err)
	}
	return &Message{c, m, statusOf(s, 1)}, nil
}

func (m *Message) recv(ctx context.Context, op record.Op, p *payload) (Status, error) {
	if m.m == nil {
		return nullStatus, nil
	}
	s, err := m.c.job.engine.Mrecv(ctx, m.m, m.c.envelope(op, engine.Standard, m.status.Source, m.status.Tag, p))
	if err != nil {
		return statusOf(s, p.env.Unit), m.c.failRecv(op, m.status.Source, m.status.Tag, s, p.env.Unit, err)
	}
	return statusOf(s, p.env.Unit), nil
}

// check returns an error if m cannot be received into p: also for the nil
// Message that Improbe returns when there is none.
func (m *Message) check(op record.Op, p *payload) error {
	if m == nil || m.c == nil {
		return &Error{Op: op.String(), Rank: Undefined, Peer: Null, Tag: AnyTag, Site: engine.CallSite(), Err: fmt.Errorf("%w: the message is nil", ErrArgument)}
	}
	return m.c.checkRecv(op, m.status.Source, m.status.Tag, p)
}
