package rank

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/record"
)

// SendRecv sends sbuf to dest and receives into rbuf from source, both under
// way at once, so that ranks in a ring cannot block each other (MPI_Sendrecv,
// MPI 4.1 §3.10). It returns when sbuf may be reused and the message is in rbuf.
// Its halves match any other send or receive. Either peer may be Null. sbuf and
// rbuf must not overlap: ErrArgument. The status is the receive's. If the send
// fails, also because ctx ended, that is the error, and the receive is cancelled
// unless it has matched: see Status.Cancelled. Errors: as Send and Recv.
func SendRecv[S, R any](ctx context.Context, c *Comm, dest int, stag Tag, sbuf []S, source int, rtag Tag, rbuf []R) (Status, error) {
	var out, in payload
	load(&out, sbuf)
	load(&in, rbuf)
	return c.sendRecv(ctx, dest, stag, &out, source, rtag, &in)
}

// SendRecvReplace is SendRecv from and into buf (MPI_Sendrecv_replace). It
// sends from a copy, which it allocates.
func SendRecvReplace[T any](ctx context.Context, c *Comm, dest int, stag Tag, source int, rtag Tag, buf []T) (Status, error) {
	var out, in payload
	load(&out, slices.Clone(buf))
	load(&in, buf)
	return c.sendRecv(ctx, dest, stag, &out, source, rtag, &in)
}

func (c *Comm) sendRecv(ctx context.Context, dest int, stag Tag, out *payload, source int, rtag Tag, in *payload) (Status, error) {
	const op = record.OpSendRecv
	if err := c.checkSend(op, dest, stag, out); err != nil {
		return Status{}, err
	}
	if err := c.checkRecv(op, source, rtag, in); err != nil {
		return Status{}, err
	}
	if source != Null && dest != Null && overlap(out.env.Buf, in.env.Buf) {
		return Status{}, c.fail(op.String(), dest, stag, fmt.Errorf("%w: the buffers to send and to receive overlap; SendRecvReplace copies", ErrArgument))
	}
	r := c.irecv(op, source, rtag, in)
	if dest != Null {
		if err := c.job.engine.Send(ctx, c.envelope(op, engine.Standard, dest, stag, out)); err != nil {
			_ = r.Cancel()
			status, _ := r.Wait(context.Background())
			return status, c.fail(op.String(), dest, stag, err)
		}
	}
	if r.c == nil {
		return r.Wait(ctx)
	}
	s, err := c.job.engine.Conclude(ctx, r.ref)
	return r.finish(s, in.env.Unit, err)
}

// overlap reports whether two buffers of one run each share a byte.
func overlap(a, b layout.Buffer) bool {
	x, _ := a.Contiguous()
	y, _ := b.Contiguous()
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	from, to := uintptr(unsafe.Pointer(&x[0])), uintptr(unsafe.Pointer(&y[0]))
	return from < to+uintptr(len(y)) && to < from+uintptr(len(x))
}
