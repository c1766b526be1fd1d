package rank

import (
	"context"
	"errors"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Recv receives the earliest message from source with tag into buf and returns
// when it is there (MPI_Recv, MPI 4.1 §3.2). source may be AnySource and tag
// AnyTag. A shorter message leaves the rest of buf as it was: Status.Len tells.
// If ctx ends before a message has matched, the receive is withdrawn:
// ErrCancelled; a message that has matched is received all the same. When Recv
// returns, nothing touches buf any more. A receive from Null returns at once,
// with a status from Null, AnyTag and no elements.
//
// Errors: ErrTruncated (the message was longer than buf; what fits is in buf,
// the rest is gone, later messages are not affected), ErrType (the elements sent
// lie otherwise in memory; the message is gone and buf as it was), ErrRank,
// ErrTag, ErrElement, ErrComm, ErrFreed, ErrFailed, ErrCancelled, ErrAborted,
// ErrLeft.
func Recv[T any](ctx context.Context, c *Comm, source int, tag Tag, buf []T) (Status, error) {
	var p payload
	load(&p, buf)
	s, err := c.recv(ctx, record.OpRecv, source, tag, &p)
	return statusOf(s, p.env.Unit), err
}

// RecvView is Recv into the elements of v, which are written where they lie;
// the others of its slice stay as they were. It takes messages of Send as well as
// of SendView. Errors: as Recv, those of v (datatype.ErrView), and ErrArgument
// and datatype.ErrOverlap if v names an element twice.
func RecvView[T any](ctx context.Context, c *Comm, source int, tag Tag, v datatype.View[T]) (Status, error) {
	p := view(v, true)
	s, err := c.recv(ctx, record.OpRecv, source, tag, &p)
	return statusOf(s, p.env.Unit), err
}

// Irecv starts a Recv and returns at once (MPI_Irecv, MPI 4.1 §3.7). buf belongs
// to the receive until the Request completes: it may be neither read nor written,
// nor given to another receive. The order of the calls is the order in which
// receives get messages that both match. Errors, of the Request: as Recv.
func Irecv[T any](c *Comm, source int, tag Tag, buf []T) Request {
	var p payload
	load(&p, buf)
	return c.irecv(record.OpIrecv, source, tag, &p)
}

// IrecvView starts a RecvView; as Irecv.
func IrecvView[T any](c *Comm, source int, tag Tag, v datatype.View[T]) Request {
	p := view(v, true)
	return c.irecv(record.OpIrecv, source, tag, &p)
}

// RecvAlloc receives the earliest message from source with tag, whatever its
// length, into a new slice. It is one matched operation: no other receive can
// come between the length and the message. From Null the slice is nil. Blocking
// and errors: as Recv, without ErrTruncated (MPI_Mprobe, MPI_Get_count and
// MPI_Mrecv in one).
func RecvAlloc[T any](ctx context.Context, c *Comm, source int, tag Tag) ([]T, Status, error) {
	want := slice[T](nil)
	if err := c.checkRecv(record.OpRecv, source, tag, &want); err != nil {
		return nil, Status{}, err
	}
	if source == Null {
		return nil, nullStatus, nil
	}
	m, err := c.mprobe(ctx, record.OpRecv, source, tag)
	if err != nil {
		return nil, Status{}, err
	}
	return alloc[T](ctx, m, record.OpRecv)
}

// alloc receives m into a new slice.
func alloc[T any](ctx context.Context, m *Message, op record.Op) ([]T, Status, error) {
	var buf []T
	// A message of another type gets no room, and the receive says why.
	if n, whole := Count[T](m.status); m.m != nil && whole && m.m.Status.Layout == slice[T](nil).env.Layout {
		buf = make([]T, n)
	}
	p := slice(buf)
	status, err := m.recv(ctx, op, &p)
	if err != nil {
		return nil, status, err
	}
	return buf, status, nil
}

func (c *Comm) recv(ctx context.Context, op record.Op, source int, tag Tag, p *payload) (engine.Status, error) {
	if err := c.checkRecv(op, source, tag, p); err != nil {
		return engine.Status{}, err
	}
	if source == Null {
		return fromNull, nil
	}
	s, err := c.job.engine.Recv(ctx, c.envelope(op, engine.Standard, source, tag, p))
	if err != nil {
		err = c.failRecv(op, source, tag, s, p.env.Unit, err)
	}
	return s, err
}

// irecv starts a receive.
func (c *Comm) irecv(op record.Op, source int, tag Tag, p *payload) Request {
	if err := c.checkRecv(op, source, tag, p); err != nil {
		return refused(err)
	}
	var ref engine.Ref
	var err error
	if source == Null {
		ref = c.job.engine.Completed(nil, fromNull)
	} else if ref, err = c.job.engine.Irecv(c.envelope(op, engine.Standard, source, tag, p)); err != nil {
		return refused(c.fail(op.String(), source, tag, err))
	}
	ref.Note = note(op, source)
	return Request{c: c, ref: ref, tag: tag}
}

// failRecv makes the error of a receive of elements of elem bytes whose status
// was s.
func (c *Comm) failRecv(op record.Op, source int, tag Tag, s engine.Status, elem int, err error) error {
	if errors.Is(err, ErrTruncated) || errors.Is(err, ErrType) {
		source, tag, err = s.Source, Tag(s.Tag), describe(err, s.Source, elem)
	}
	return c.fail(op.String(), source, tag, err)
}

// statusOf tells the engine's status in elements of elem bytes.
func statusOf(s engine.Status, elem int) Status {
	t := Status{Source: s.Source, Tag: Tag(s.Tag), Bytes: s.Bytes, Cancelled: s.Cancelled}
	switch {
	case elem == 8: // what most programs send is spared a division
		t.Len = s.Bytes >> 3
	case elem > 0:
		t.Len = s.Bytes / elem
	}
	return t
}
