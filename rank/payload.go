package rank

import (
	"fmt"
	"unsafe"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/record"
)

// payload is what a call sends or receives into, without its type: the call's
// envelope, in the making. The paths of every message pass it by pointer and fill
// it in place, since a large struct that is copied right after it was written
// makes the processor wait for its own stores.
type payload struct {
	env engine.Envelope // Buf, Layout, Object and Unit, the bytes of one element, until the call is known
	err error
}

// load sees buf as bytes.
func load[T any](p *payload, buf []T) {
	var zero T
	p.env.Unit = int(unsafe.Sizeof(zero))
	p.env.Buf = layout.Of(layout.BytesOf(buf))
	p.env.Layout, p.err = datatype.Fingerprint[T]()
}

// slice is load where it need not be quick.
func slice[T any](buf []T) (p payload) {
	load(&p, buf)
	return p
}

// view sees v as bytes. A view to receive into must not name an element twice.
func view[T any](v datatype.View[T], receive bool) (p payload) {
	var zero T
	if p.err = v.Err(); p.err != nil {
		return p
	}
	p.env.Layout, p.err = datatype.Fingerprint[T]()
	if p.err == nil && receive && v.Overlaps() {
		p.err = fmt.Errorf("%w: the view names an element twice: %w", ErrArgument, datatype.ErrOverlap)
	}
	p.env.Buf, p.env.Unit = v.Buffer(), int(unsafe.Sizeof(zero))
	return p
}

// packed is a payload of bytes that are no elements: an encoded object.
func packed(b []byte, codec uint32) payload {
	return payload{env: engine.Envelope{Buf: layout.Of(b), Layout: codec, Object: true, Unit: 1}}
}

// Status tells what a receive or probe found (MPI_Status). That of a send is
// empty.
type Status struct {
	Source    int // rank in the communicator; Null of a receive from Null
	Tag       Tag
	Len       int  // elements of the receive buffer's type; of a probe: bytes
	Bytes     int  // received; of a probe: sent
	Cancelled bool // the receive was cancelled, and has received nothing
}

// Count returns how many elements of type T the message of s has; false if its
// bytes are no whole number of them. It is 0 for types without size
// (MPI_Get_count).
func Count[T any](s Status) (int, bool) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	switch {
	case size == 0:
		return 0, true
	case s.Bytes%size != 0:
		return 0, false
	}
	return s.Bytes / size, true
}

// emptyStatus is that of a null request.
var emptyStatus = Status{Source: AnySource, Tag: AnyTag}

// nullStatus is that of a receive from Null, fromNull what the engine would call
// it.
var (
	nullStatus = Status{Source: Null, Tag: AnyTag}
	fromNull   = engine.Status{Source: Null, Tag: int64(AnyTag)}
)

// checkSend returns an error if dest or tag are not of c.
func (c *Comm) checkSend(op record.Op, dest int, tag Tag, p *payload) error {
	if !c.isOpen() {
		if err := c.usable(op.String()); err != nil {
			return err
		}
	}
	switch {
	case p.err != nil:
		return c.fail(op.String(), dest, tag, p.err)
	case dest == AnySource:
		return c.fail(op.String(), dest, tag, fmt.Errorf("%w: the destination is AnySource, which only receives and probes may name; legal are 0 to %d and Null", ErrRank, c.peers().Size()-1))
	case (dest < 0 || dest >= c.peers().Size()) && dest != Null:
		return c.fail(op.String(), dest, tag, fmt.Errorf("%w: destination %d, legal are 0 to %d and Null", ErrRank, dest, c.peers().Size()-1))
	case tag < 0:
		return c.fail(op.String(), dest, tag, fmt.Errorf("%w: %d, legal are 0 to MaxTag", ErrTag, tag))
	}
	return nil
}

// checkRecv returns an error if source or tag are not of c.
func (c *Comm) checkRecv(op record.Op, source int, tag Tag, p *payload) error {
	if !c.isOpen() {
		if err := c.usable(op.String()); err != nil {
			return err
		}
	}
	switch {
	case p.err != nil:
		return c.fail(op.String(), source, tag, p.err)
	case (source < 0 || source >= c.peers().Size()) && source != Null && source != AnySource:
		return c.fail(op.String(), source, tag, fmt.Errorf("%w: source %d, legal are 0 to %d, AnySource and Null", ErrRank, source, c.peers().Size()-1))
	case tag < 0 && tag != AnyTag:
		return c.fail(op.String(), source, tag, fmt.Errorf("%w: %d, legal are 0 to MaxTag and AnyTag", ErrTag, tag))
	}
	return nil
}
