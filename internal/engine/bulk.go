package engine

import (
	"fmt"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// The payload of a message that was offered: granted by the receiver, sent in
// Bulk frames by the sender's outbox, and gathered by the receiver.

// chunkBytes is the size of one Bulk frame: small enough that other messages
// get between, large enough that its cost does not show.
const chunkBytes = 512 << 10

// maxGaps bounds Op.got. Parts of one message overtake each other only as far
// as there are roads between two ranks.
const maxGaps = 64

// grant answers an Offer. Engine.mu is held.
func (e *Engine) grant(op *Op, p *peer, h *wire.Header, want int, err error) {
	if e.pull(op, p, h, want, err) {
		return
	}
	e.reply(p, frame{h: wire.Header{Kind: wire.Grant, ID: h.ID, Arg: op.id, Bytes: uint64(want)}})
	if want == 0 {
		e.finish(op, err)
		return
	}
	op.phase, op.want, op.err = arriving, want, err
}

// granted starts the bulk of an offer that a receive has matched. Engine.mu is
// held.
func (e *Engine) granted(p *peer, h *wire.Header) error {
	op := e.answered(p, h.ID)
	if op == nil || op.eager || h.Bytes > uint64(op.env.Buf.Len()) {
		return fmt.Errorf("%w: Grant of %d bytes for operation %#x, which offers no such", ErrProtocol, h.Bytes, h.ID)
	}
	if h.Bytes == 0 {
		e.finish(op, nil)
		return nil
	}
	if h.Tag != 0 {
		return e.push(op, p, h)
	}
	op.phase, op.remote, op.want = sending, h.Arg, int(h.Bytes)
	op.inBulk = true
	p.mu.Lock()
	p.bulk.push(op)
	p.mu.Unlock()
	e.soil(p)
	return nil
}

// sendBulk sends the next part of the granted send at the head of p's queue and
// reports whether the link was full. The caller owns p.
func (e *Engine) sendBulk(p *peer, op *Op) (full bool) {
	n := min(op.want-op.sent, e.chunk)
	p.head = wire.Header{Kind: wire.Bulk, ID: op.remote, Arg: uint64(op.sent), Bytes: uint64(n)}
	op.held.Add(1) // before Send, during which the link may say Sent
	r, err := (*p.conn.Load()).Send(p.rank, &p.head, op.env.Buf.Slice(op.sent, op.sent+n), op.id)
	if err != nil || r != transport.Held {
		op.held.Add(-1)
	}
	if err != nil || r == transport.Full {
		e.broken(p, err)
		return true
	}
	op.sent += n
	if op.sent == op.want {
		e.dropBulk(p, op)
		return false
	}
	p.mu.Lock()
	p.bulk.pop()
	p.bulk.push(op) // to the back: large messages share the link
	p.mu.Unlock()
	return false
}

// dropBulk takes op off the head of p's queue: all of it is sent, or p is gone.
// The caller owns p.
func (e *Engine) dropBulk(p *peer, op *Op) {
	p.mu.Lock()
	p.bulk.pop()
	p.mu.Unlock()
	e.mu.Lock()
	op.inBulk = false
	if op.sent < op.want {
		op.err = e.gone(p)
	}
	e.settle(op)
	e.mu.Unlock()
}

// Sent ends a Held (transport.Handler).
func (e *Engine) Sent(_ int, token uint64) {
	e.mu.Lock()
	e.sent(token)
	e.mu.Unlock()
}

// sent is Sent under Engine.mu.
func (e *Engine) sent(token uint64) {
	if op := e.op(token); op != nil {
		op.held.Add(-1)
		e.settle(op)
	}
}

// settle completes a send that has left the queue, once no link reads its
// buffer any more: the link has said Sent for every part or, of a send that has
// failed, Lost. After Close it will say neither, and is not waited for.
// Engine.mu is held.
func (e *Engine) settle(op *Op) {
	if op.phase != sending || op.inBulk {
		return
	}
	if op.held.Load() == 0 || op.err != nil && (e.peer(op.peer).cut || e.over() != nil) {
		e.finish(op, op.err)
	}
}

// deliverBulk copies a part of a granted message to where it is wanted.
// Engine.mu is not held.
func (e *Engine) deliverBulk(rank int, h *wire.Header, payload layout.Buffer) {
	p := e.peer(rank)
	e.mu.Lock()
	op, err := e.awaits(p, h, payload.Len())
	if op == nil {
		e.mu.Unlock()
		if err != nil {
			e.violate(rank, err)
		}
		return
	}
	// The copy may be long. Nobody completes op meanwhile: only its peer's
	// link does, which is here, and Fail and Close, which leave it to us.
	op.copying = true
	e.mu.Unlock()
	layout.Copy(op.env.Buf, int(h.Arg), payload, 0)
	e.mu.Lock()
	op.copying = false
	e.gathered(p, op)
	e.mu.Unlock()
}

// bulkArrived is deliverBulk under Engine.mu, for links whose parts are small.
func (e *Engine) bulkArrived(p *peer, h *wire.Header, payload layout.Buffer) error {
	op, err := e.awaits(p, h, payload.Len())
	if op != nil {
		layout.Copy(op.env.Buf, int(h.Arg), payload, 0)
		e.gathered(p, op)
	}
	return err
}

// awaits returns the receive that a Bulk frame of n bytes is for, and notes that
// its bytes have come; nil if p is lost, and an error if there is none. Engine.mu
// is held.
func (e *Engine) awaits(p *peer, h *wire.Header, n int) (*Op, error) {
	if p.lost || e.over() != nil {
		return nil, nil
	}
	op := e.op(h.ID)
	if op == nil || op.phase != arriving || op.peer != p.rank || n == 0 || uint64(n) != h.Bytes ||
		h.Arg > uint64(op.want) || uint64(n) > uint64(op.want)-h.Arg || !op.got.add(h.Arg, h.Arg+uint64(n)) || len(op.got) > maxGaps {
		return nil, fmt.Errorf("%w: bulk of %d bytes at %d for operation %#x, which expects no such", ErrProtocol, n, h.Arg, h.ID)
	}
	return op, nil
}

// gathered completes a receive whose last part has come, or whose peer was given
// up while one was copied. Engine.mu is held.
func (e *Engine) gathered(p *peer, op *Op) {
	if op.got[0] == (span{0, uint64(op.want)}) {
		e.finish(op, op.err)
	} else if err := e.gone(p); err != nil {
		e.finish(op, err)
	}
}
