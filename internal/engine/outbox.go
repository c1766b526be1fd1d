package engine

import (
	"sync"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// peer is what this rank knows of another.
type peer struct {
	rank int

	// state is the right to call Conn.Send for this peer. Who changes it from
	// unowned to owned has the right, and on giving it up must look whether
	// somebody queued work meanwhile (more) and do that first. So nobody
	// waits for the right, and a delivery that leads back to the same peer
	// on one stack queues instead of locking itself out.
	state atomic.Uint32

	// head is the header of the frame being sent. It belongs to the owner of
	// state; on a stack it would escape through the Conn interface.
	head wire.Header

	credit atomic.Int64 // eager bytes we may still send
	nframe atomic.Int32 // frames in the queue

	mu       sync.Mutex
	frames   queue[frame]
	bulk     queue[*Op] // granted sends, served in turn
	turn     bool       // bulk's turn, when both have work
	first    bool       // the frame at the head is being sent
	blocked  bool       // the link was Full; Writable clears it
	writable uint32     // counts Writable calls
	conn     transport.Conn

	// bound[n]: the peer has been told what we call n. Written by the owner of
	// state, read by Context.Free; mu guards it.
	bound []bool

	// Guarded by Engine.mu.
	numbers []*Context // what the peer calls its contexts
	spent   int64      // eager credit the peer has spent and not got back
	owed    int64      // the part of it that is ours to give back
	dirty   bool       // in Engine.dirty
	byeSent uint64     // the last Bye sent; see drain.go
	byeSeen uint64
	lost    bool // Config.Lost has been told

	used atomic.Bool           // frames were sent or have arrived
	dead atomic.Pointer[error] // set by Fail
}

const (
	unowned uint32 = iota
	owned
	more
)

// frame is a frame that waits for its link.
type frame struct {
	h      wire.Header
	buf    layout.Buffer
	ctx    *Context // of frames that name one, so that Bind can precede them
	op     *Op      // of a queued standard send: complete when the link took it
	number uint32   // of an Unbind
	free   bool     // the frame is an Unbind
}

// chunkBytes is the size of one Bulk frame: small enough that other messages
// get between, large enough that its cost does not show.
const chunkBytes = 512 << 10

// push queues f without sending it.
func (p *peer) push(f frame) {
	p.mu.Lock()
	p.frames.push(f)
	p.nframe.Add(1)
	p.mu.Unlock()
}

// reply queues f for the next Idle. Engine.mu is held.
func (e *Engine) reply(p *peer, f frame) {
	p.push(f)
	e.soil(p)
}

// replyBulk queues a granted send for the next Idle. Engine.mu is held.
func (e *Engine) replyBulk(p *peer, op *Op) {
	p.mu.Lock()
	p.bulk.push(op)
	p.mu.Unlock()
	e.soil(p)
}

// soil marks p as having work for the next Idle. Engine.mu is held.
func (e *Engine) soil(p *peer) {
	p.used.Store(true)
	if !p.dirty {
		p.dirty = true
		e.dirty = append(e.dirty, p)
		e.ndirty.Add(1)
	}
}

// Idle sends what deliveries have queued (transport.Handler).
func (e *Engine) Idle() {
	for e.ndirty.Load() > 0 {
		e.mu.Lock()
		n := len(e.dirty)
		if n == 0 {
			e.mu.Unlock()
			return
		}
		p := e.dirty[n-1]
		e.dirty = e.dirty[:n-1]
		e.ndirty.Add(-1)
		p.dirty = false
		e.mu.Unlock()
		e.kick(p)
	}
}

// kick sends what is queued for p, or leaves it to whoever is sending now.
func (e *Engine) kick(p *peer) {
	for {
		switch p.state.Load() {
		case unowned:
			if p.state.CompareAndSwap(unowned, owned) {
				e.pump(p)
				e.disown(p)
				return
			}
		case owned:
			if p.state.CompareAndSwap(owned, more) {
				return
			}
		default:
			return
		}
	}
}

// disown gives the right to send up, after doing what others queued.
func (e *Engine) disown(p *peer) {
	for !p.state.CompareAndSwap(owned, unowned) {
		p.state.Store(owned)
		e.pump(p)
	}
}

// Writable ends a Full (transport.Handler).
func (e *Engine) Writable(rank int) {
	p := e.peer(rank)
	p.mu.Lock()
	p.writable++
	p.blocked = false
	p.mu.Unlock()
	e.mu.Lock()
	e.soil(p)
	e.mu.Unlock()
}

// pump sends queued frames and bulk in turn until there is no more or the link
// is full. The caller owns p.
func (e *Engine) pump(p *peer) {
	for {
		p.mu.Lock()
		dead := p.dead.Load() != nil
		if p.blocked && !dead {
			p.mu.Unlock()
			return
		}
		var f frame
		var op *Op
		switch {
		case p.frames.len() > 0 && (!p.turn || p.bulk.len() == 0):
			f = p.frames.front()
			p.turn = true
		case p.bulk.len() > 0:
			op = p.bulk.front()
			p.turn = false
		default:
			p.mu.Unlock()
			return
		}
		seen := p.writable
		p.first = op == nil
		p.mu.Unlock()

		full := false
		if op != nil {
			full = e.sendBulk(p, op, dead)
		} else {
			full = e.sendFrame(p, f, dead)
		}
		if !full {
			continue
		}
		p.mu.Lock()
		p.first = false
		p.blocked = p.writable == seen
		p.mu.Unlock()
	}
}

// sendFrame sends the frame at the head of p's queue and reports whether the
// link was full. The caller owns p.
func (e *Engine) sendFrame(p *peer, f frame, dead bool) (full bool) {
	var err error
	if dead {
		err = *p.dead.Load()
	} else if e.transmit(p, f.ctx, f.h, f.buf) {
		return true
	} else if f.free {
		p.setBound(f.number, false)
	}
	p.mu.Lock()
	p.frames.pop()
	p.nframe.Add(-1)
	p.first = false
	p.mu.Unlock()
	if f.op != nil {
		e.mu.Lock()
		e.finish(f.op, err)
		e.mu.Unlock()
	}
	return false
}

// transmit hands one frame to the link, after a Bind if the peer does not know
// its context yet, and reports whether the link was full. A link that breaks
// counts as full until Fail decides about the peer. The caller owns p.
func (e *Engine) transmit(p *peer, ctx *Context, h wire.Header, buf layout.Buffer) (full bool) {
	if p.conn == nil {
		p.conn = e.route(p.rank)
		p.used.Store(true)
	}
	if ctx != nil && ctx.number != 0 && !p.boundTo(ctx.number) {
		var b [ContextIDBytes]byte
		p.head = wire.Header{Kind: wire.Bind, Context: ctx.number, Bytes: ContextIDBytes}
		if r, err := p.conn.Send(p.rank, &p.head, layout.Of(ctx.id.Append(b[:0])), 0); err != nil || r == transport.Full {
			e.broken(p, err)
			return true
		}
		p.setBound(ctx.number, true)
	}
	p.head = h
	r, err := p.conn.Send(p.rank, &p.head, buf, 0)
	e.broken(p, err)
	return r == transport.Full || err != nil
}

// broken reports the link to p as lost if err says so.
func (e *Engine) broken(p *peer, err error) {
	if err != nil {
		e.Lost(p.rank, err)
	}
}

// sendBulk sends the next part of a granted send and reports whether the link
// was full. The caller owns p.
func (e *Engine) sendBulk(p *peer, op *Op, dead bool) (full bool) {
	if !dead {
		n := min(op.want-op.sent, chunkBytes)
		p.head = wire.Header{Kind: wire.Bulk, ID: op.remote, Arg: uint64(op.sent), Bytes: uint64(n)}
		op.holds.Add(1)
		r, err := p.conn.Send(p.rank, &p.head, op.env.Buf.Slice(op.sent, op.sent+n), op.id)
		if err != nil || r != transport.Held {
			op.holds.Add(-1)
		}
		if err != nil || r == transport.Full {
			e.broken(p, err)
			return true
		}
		op.sent += n
	}
	p.mu.Lock()
	p.bulk.pop()
	if !dead && op.sent < op.want {
		p.bulk.push(op) // to the back: large messages share the link
		p.mu.Unlock()
		return false
	}
	p.mu.Unlock()
	if dead {
		// The link is gone and with it whoever held the buffer.
		e.mu.Lock()
		e.finish(op, *p.dead.Load())
		e.mu.Unlock()
		return false
	}
	e.letGo(op)
	return false
}

// letGo gives up one hold on op's buffer and completes op with the last.
func (e *Engine) letGo(op *Op) {
	if op.holds.Add(-1) == 0 {
		e.mu.Lock()
		e.finish(op, nil)
		e.mu.Unlock()
	}
}

// Sent ends a Held (transport.Handler).
func (e *Engine) Sent(_ int, token uint64) {
	e.mu.Lock()
	op := e.op(token)
	e.mu.Unlock()
	if op != nil {
		e.letGo(op)
	}
}

// boundTo reports whether the peer has been told what we call number.
func (p *peer) boundTo(number uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(number) < len(p.bound) && p.bound[number]
}

func (p *peer) setBound(number uint32, v bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for int(number) >= len(p.bound) {
		p.bound = append(p.bound, false)
	}
	p.bound[number] = v
}

// context returns what the peer calls number. Engine.mu is held.
func (p *peer) context(number uint32) *Context {
	if int(number) < len(p.numbers) {
		return p.numbers[number]
	}
	return nil
}
