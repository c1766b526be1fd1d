package rank

import (
	"context"
	"fmt"
	"sync"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/record"
)

// sendBuffer is the room for buffered sends. Messages have memory of their own;
// the buffer counts it, so that what fits does not depend on the order in which
// messages leave.
type sendBuffer struct {
	size int

	mu   sync.Mutex
	used int
	idle chan struct{} // closed while used is 0
}

// BsendOverhead is what a buffered message takes of the buffer besides its
// bytes (MPI_BSEND_OVERHEAD).
const BsendOverhead = 64

// AttachBuffer gives c room for buffered sends: bytes in all, for messages that
// have not left yet, each with BsendOverhead (MPI_Comm_attach_buffer, MPI 4.1
// §3.6; MPI_Buffer_attach is that of the world). A communicator without a buffer
// uses the world's. Errors: ErrBuffer if it has one, ErrArgument for a negative
// size, ErrComm, ErrFreed.
func (c *Comm) AttachBuffer(bytes int) error {
	if err := c.usable("AttachBuffer"); err != nil {
		return err
	}
	c.mu.Lock()
	attached := c.buffer != nil
	if !attached && bytes >= 0 {
		c.buffer = &sendBuffer{size: bytes, idle: closedChannel}
	}
	c.mu.Unlock()
	switch {
	case bytes < 0:
		return c.fail("AttachBuffer", Null, AnyTag, fmt.Errorf("%w: a buffer of %d bytes", ErrArgument, bytes))
	case attached:
		return c.fail("AttachBuffer", Null, AnyTag, fmt.Errorf("%w: the communicator has a buffer already", ErrBuffer))
	}
	return nil
}

// FlushBuffer returns when all messages in c's own buffer have left
// (MPI_Comm_flush_buffer): a long one has when a receive has taken it. If ctx
// ends first the error is its cause. Errors: ErrBuffer if c has none, ErrComm,
// ErrFreed.
func (c *Comm) FlushBuffer(ctx context.Context) error {
	_, err := c.drainBuffer(ctx, "FlushBuffer", false)
	return err
}

// DetachBuffer is FlushBuffer, then takes the buffer away and returns its size
// in bytes (MPI_Comm_detach_buffer). If ctx ends first the error is its cause and
// the buffer stays. Errors: as FlushBuffer.
func (c *Comm) DetachBuffer(ctx context.Context) (int, error) {
	return c.drainBuffer(ctx, "DetachBuffer", true)
}

func (c *Comm) drainBuffer(ctx context.Context, op string, detach bool) (int, error) {
	if err := c.usable(op); err != nil {
		return 0, err
	}
	c.mu.Lock()
	b := c.buffer
	c.mu.Unlock()
	if b == nil {
		return 0, c.fail(op, Null, AnyTag, fmt.Errorf("%w: none is attached", ErrBuffer))
	}
	for {
		b.mu.Lock()
		idle := b.idle
		b.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return 0, c.fail(op, Null, AnyTag, context.Cause(ctx))
		}
		if !detach {
			return b.size, nil
		}
		c.mu.Lock()
		b.mu.Lock()
		done := b.used == 0
		if done && c.buffer == b {
			c.buffer = nil
		}
		b.mu.Unlock()
		c.mu.Unlock()
		if done {
			return b.size, nil
		}
	}
}

// take reserves room for a message and returns the memory for it.
func (b *sendBuffer) take(n int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	need := n + BsendOverhead
	if need > b.size-b.used {
		return nil, fmt.Errorf("%w: the message needs %d bytes, %d of %d are free", ErrBuffer, need, b.size-b.used, b.size)
	}
	if b.used == 0 {
		b.idle = make(chan struct{})
	}
	b.used += need
	return make([]byte, n), nil
}

// release gives back the room of a message of n bytes.
func (b *sendBuffer) release(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used -= n + BsendOverhead; b.used == 0 {
		close(b.idle)
	}
}

// Bsend copies buf into the attached buffer, sends it from there and returns at
// once, whatever the receiver does (MPI_Bsend). Messages of Bsend and Send arrive
// in the order of the calls, and Leave delivers what is still there. ctx is only
// looked at before. Errors: ErrBuffer if there is no room, with the bytes needed
// and free; else as Send. What befalls the message later is not told.
func Bsend[T any](ctx context.Context, c *Comm, dest int, tag Tag, buf []T) error {
	if err := context.Cause(ctx); err != nil {
		if err := c.usable("Bsend"); err != nil {
			return err
		}
		return c.fail("Bsend", dest, tag, fmt.Errorf("%w: %w", ErrCancelled, err))
	}
	p := slice(buf)
	_, err := c.bsend(record.OpBsend, dest, tag, &p)
	return err
}

// Ibsend starts a Bsend; its Request is complete as soon as the copy is made,
// which is at once, and must be waited for all the same (MPI_Ibsend). Errors, of
// the Request: as Bsend.
func Ibsend[T any](c *Comm, dest int, tag Tag, buf []T) Request {
	p := slice(buf)
	return c.ibsend(dest, tag, &p)
}

func (c *Comm) ibsend(dest int, tag Tag, p *payload) Request {
	r, err := c.bsend(record.OpIbsend, dest, tag, p)
	if err != nil {
		return refused(err)
	}
	return r
}

// bsend returns a complete Request.
func (c *Comm) bsend(op record.Op, dest int, tag Tag, p *payload) (Request, error) {
	if err := c.checkSend(op, dest, tag, p); err != nil {
		return Request{}, err
	}
	if dest != Null {
		b := c.sendBuffer()
		if b == nil {
			return Request{}, c.fail(op.String(), dest, tag, fmt.Errorf("%w: none is attached", ErrBuffer))
		}
		n := p.env.Buf.Len()
		copied, err := b.take(n)
		if err != nil {
			return Request{}, c.fail(op.String(), dest, tag, err)
		}
		p.env.Buf.ReadAt(copied, 0)
		env := *c.envelope(op, engine.Standard, dest, tag, p)
		env.Buf = layout.Of(copied)
		ref, err := c.job.engine.Isend(&env)
		if err == nil {
			err = c.job.engine.Then(ref, func(engine.Status, error) { b.release(n) })
		}
		if err != nil {
			b.release(n)
			return Request{}, c.fail(op.String(), dest, tag, err)
		}
	}
	var ref engine.Ref // of Bsend, null
	if op == record.OpIbsend {
		ref = c.job.engine.Completed(nil, engine.EmptyStatus)
	}
	ref.Note = note(op, dest)
	return Request{c: c, ref: ref, tag: tag}, nil
}

// sendBuffer returns the buffer that c's buffered sends use; nil if there is
// none.
func (c *Comm) sendBuffer() *sendBuffer {
	for _, c := range []*Comm{c, c.job.world} {
		c.mu.Lock()
		b := c.buffer
		c.mu.Unlock()
		if b != nil {
			return b
		}
	}
	return nil
}
