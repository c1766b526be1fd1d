package rank

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Request is an operation that was started (MPI_Request, MPI 4.1 §3.7). It is a
// value and may be copied. One call ends it, the first Wait or Test that finds it
// complete, Then, or Free, and any use of any copy after that is ErrRequest. A
// Request whose operation could not be started, because its arguments were wrong
// or a rank has failed, is complete and gives that error to every call. The zero
// Request is the null request (MPI_REQUEST_NULL): complete, for every call, with
// the empty status {AnySource, AnyTag, 0}.
//
// Four words are what the compiler keeps in registers: see layout.Buffer. What only
// a live request is asked for lies with its operation.
type Request struct {
	c   *Comm      // nil: null, or the operation could not be started
	ref engine.Ref // its Note is the call and the peer: see note
	tag Tag
}

// note packs what was called, and with which peer: 24 bits are enough for as many ranks
// as there can be.
func note(op record.Op, peer int) uint32 { return uint32(peer)<<8 | uint32(op) }

func (r *Request) op() record.Op { return record.Op(r.ref.Note) }
func (r *Request) peer() int     { return int(int32(r.ref.Note) >> 8) }

// refused returns the Request of an operation that could not be started.
func refused(err error) Request { return Request{ref: engine.Refused(err)} }

// early returns why r could not be started, if so.
func (r *Request) early() error {
	if r.c != nil {
		return nil
	}
	return r.ref.Refusal()
}

// IsNull reports whether r is the null request.
func (r Request) IsNull() bool { return r.c == nil && r.ref.IsNull() }

// Wait returns when r is complete, and ends it (MPI_Wait): the buffer is the
// caller's again. If ctx ends first, the error is ErrPending with its
// cause, and r goes on: wait again, or Cancel. Only one goroutine may wait for a
// request: ErrConcurrent. Errors: those of the operation, ErrRequest.
func (r Request) Wait(ctx context.Context) (Status, error) { return r.wait(ctx) }

// wait is Wait without a copy of r.
func (r *Request) wait(ctx context.Context) (Status, error) {
	if r.c == nil {
		return emptyStatus, r.early()
	}
	t := r.c.job.engine.Turn()
	elem := t.Unit(r.ref)
	s, err := t.Wait(ctx, r.ref)
	t.End()
	if err != nil {
		return r.finish(s, elem, err)
	}
	return statusOf(s, elem), nil
}

// Test reports whether r is complete, and ends it if so, as Wait does (MPI_Test).
// It does not block, and a loop of Tests comes to an end if a Wait would. Errors:
// as Wait.
func (r Request) Test() (Status, bool, error) {
	if r.c == nil {
		return emptyStatus, true, r.early()
	}
	t := r.c.job.engine.Turn()
	elem := t.Unit(r.ref)
	s, done, err := t.Test(r.ref)
	t.End()
	if !done && err == nil {
		return Status{}, false, nil
	}
	status, err := r.finish(s, elem, err)
	return status, done, err
}

// Peek is Test that leaves r as it is, to be waited for
// (MPI_Request_get_status).
func (r Request) Peek() (Status, bool, error) {
	if r.c == nil {
		return emptyStatus, true, r.early()
	}
	t := r.c.job.engine.Turn()
	elem := t.Unit(r.ref)
	s, done, err := t.Peek(r.ref)
	t.End()
	if !done && err == nil {
		return Status{}, false, nil
	}
	status, err := r.finish(s, elem, err)
	return status, done, err
}

// Done returns a channel that is closed when r is complete; r must still be
// waited for, which then does not block. Of a null request, and of one that was
// ended before, it is closed already. The channel is made at the first call.
func (r Request) Done() <-chan struct{} {
	if r.c == nil {
		return closedChannel
	}
	return r.c.job.engine.Done(r.ref)
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Cancel cancels a receive that has not matched; on anything else it has no
// effect (MPI_Cancel, MPI 4.1 §3.8.4, sends apart: the context of a blocking
// send takes it back). r must still be waited for: its error is then
// ErrCancelled, with Status.Cancelled, or it was matched and completes as ever,
// never both and never neither. Cancel does not block. Errors: ErrRequest.
func (r Request) Cancel() error {
	if r.c == nil {
		return r.early()
	}
	if err := r.c.job.engine.Cancel(r.ref); err != nil {
		return r.c.fail("Cancel", r.peer(), r.tag, err)
	}
	return nil
}

// Then hands r over to f, which is called once, when r is complete, with what
// Wait would have returned, on another goroutine. r must not be used any more.
// Callbacks run few at a time, in the order of completion; f may call anything,
// and a panic in f is printed and ends f only. Errors: ErrRequest,
// ErrConcurrent; f is then not called.
func (r Request) Then(f func(Status, error)) error {
	if f == nil {
		return fmt.Errorf("rank: Then: %w: the function is nil", ErrArgument)
	}
	if r.c == nil {
		engine.RunCallback(func() { f(emptyStatus, r.early()) })
		return nil
	}
	elem := r.unit()
	err := r.c.job.engine.Then(r.ref, func(s engine.Status, err error) { f(r.finish(s, elem, err)) })
	if err != nil {
		return r.c.fail("Then", r.peer(), r.tag, err)
	}
	return nil
}

// Free lets r go: the operation finishes, nobody hears of it, and r must not be
// used any more (MPI_Request_free). Its buffer belongs to it until then, which
// only the peer can tell. Errors: ErrRequest, ErrConcurrent.
func (r Request) Free() error {
	if r.c == nil {
		return r.early()
	}
	if err := r.c.job.engine.Release(r.ref); err != nil {
		return r.c.fail("Free", r.peer(), r.tag, err)
	}
	return nil
}

// live reports whether r has not been waited for.
func (r Request) live() bool {
	if r.c == nil {
		return false
	}
	_, _, err := r.c.job.engine.Peek(r.ref)
	return !errors.Is(err, ErrRequest)
}

// unit returns the bytes of one element of a request that was started. What ends the
// request is to come after it.
func (r *Request) unit() int {
	t := r.c.job.engine.Turn()
	defer t.End()
	return t.Unit(r.ref)
}

// finish tells the engine's outcome in this package's terms, in elements of elem
// bytes.
func (r *Request) finish(s engine.Status, elem int, err error) (Status, error) {
	status := statusOf(s, elem)
	switch {
	case err == nil:
		return status, nil
	case errors.Is(err, ErrPending):
		// Nothing has failed, so the error policy has no say.
		return status, r.c.newError(r.op().String(), r.peer(), r.tag, err)
	}
	return status, r.c.failRecv(r.op(), r.peer(), r.tag, s, elem, err)
}

// NewRequest returns a Request that the caller completes by calling the
// function, once, from any goroutine; later calls do nothing (generalized
// request, MPI_Grequest_start and MPI_Grequest_complete, MPI 4.1 §13.2). Wait
// gives the status, with Len as Bytes, and the error inside an *Error. The
// Request belongs to c's job: when that ends, so does it.
func NewRequest(c *Comm) (Request, func(Status, error)) {
	ref, done := c.job.engine.External(record.OpWait, 1)
	ref.Note = note(record.OpWait, Null)
	r := Request{c: c, ref: ref, tag: AnyTag}
	return r, func(s Status, err error) {
		done(engine.Status{Source: s.Source, Tag: int64(s.Tag), Bytes: s.Bytes, Kind: engine.Kind{Cancelled: s.Cancelled}}, err)
	}
}
