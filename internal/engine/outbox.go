package engine

import (
	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// frame is a frame that waits for its link.
type frame struct {
	h   wire.Header
	buf layout.Buffer
	ctx *Context // of frames that name one, so that Bind can precede them
	op  uint64   // the send whose first frame this is; 0: of none
}

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
	for e.ndirty.Load() > 0 && e.started.Load() {
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
	if e.ndue.Load() > 0 { // work calls Idle, with none left
		e.work()
	}
}

// kick sends what is queued for p, or leaves it to whoever is sending now.
func (e *Engine) kick(p *peer) {
	for {
		switch p.state.Load() {
		case unowned:
			// Under the lock, so that sendNow can rely on what it found.
			e.mu.Lock()
			mine := p.state.CompareAndSwap(unowned, owned)
			e.mu.Unlock()
			if mine {
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
	e.mu.Lock()
	e.writable(e.peer(rank))
	e.mu.Unlock()
}

// writable is Writable under Engine.mu.
func (e *Engine) writable(p *peer) {
	p.mu.Lock()
	p.writable++
	p.blocked = false
	p.mu.Unlock()
	e.soil(p)
}

// pump sends queued frames and bulk in turn until there is no more or the link
// is full. The caller owns p.
func (e *Engine) pump(p *peer) {
	for {
		gone := e.gone(p)
		p.mu.Lock()
		if p.blocked && gone == nil {
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
		switch {
		case op != nil && gone != nil:
			e.dropBulk(p, op)
		case op != nil:
			full = e.sendBulk(p, op)
		default:
			full = e.sendFrame(p, f, gone)
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

// sendFrame sends the frame at the head of p's queue, or drops it if p is gone,
// and reports whether the link was full. The caller owns p.
func (e *Engine) sendFrame(p *peer, f frame, gone error) (full bool) {
	switch {
	case gone != nil:
	case f.h.Kind == wire.Unbind && !p.boundTo(f.h.Context):
		// Free was not sure whether a send had just told the peer.
	case e.transmit(p, f.ctx, e.offerAgain(p, &f), f.buf):
		return true
	case f.h.Kind == wire.Unbind:
		p.setBound(f.h.Context, false)
	}
	p.mu.Lock()
	p.frames.pop()
	p.nframe.Add(-1)
	p.first = false
	p.mu.Unlock()
	switch {
	case f.op != 0:
		e.sentFirst(p, f, gone)
	case f.h.Kind == wire.Bye && gone == nil:
		e.saidBye(p, f.h.Arg)
	}
	return false
}

// offerAgain returns the header of f. An Offer that was made before its link was up
// did not know how to be copied, and may now.
func (e *Engine) offerAgain(p *peer, f *frame) *wire.Header {
	if f.h.Kind == wire.Offer && f.h.Arg == 0 {
		e.mu.Lock()
		if op := e.op(f.op); op != nil && op.phase == offered {
			f.h.Arg = e.reach(p, op.env.Buf)
		}
		e.mu.Unlock()
	}
	return &f.h
}

// sentFirst completes the send whose first frame f has left the queue, unless
// an answer will. Fail and Close leave sends alone whose frame they find
// queued, so whether p is gone must be asked after that.
func (e *Engine) sentFirst(p *peer, f frame, err error) {
	if f.h.ID != 0 {
		if err = e.gone(p); err == nil {
			return
		}
	}
	e.mu.Lock()
	if op := e.op(f.op); op != nil && (op.phase == queued || op.phase == offered) {
		e.finish(op, err)
	}
	e.mu.Unlock()
}

// transmit hands one frame to the link, after a Bind if the peer does not know
// its context yet, and reports whether the link was full. A link that breaks
// counts as full until Fail decides about the peer. The caller owns p.
func (e *Engine) transmit(p *peer, ctx *Context, h *wire.Header, buf layout.Buffer) (full bool) {
	if p.conn.Load() == nil {
		e.mu.Lock()
		e.resolve(p)
		e.mu.Unlock()
	}
	conn := *p.conn.Load()
	if ctx != nil && ctx.number != 0 && !p.boundTo(ctx.number) {
		keep := *h
		var b [ContextIDBytes]byte
		p.head = wire.Header{Kind: wire.Bind, Context: ctx.number, Bytes: ContextIDBytes}
		if r, err := conn.Send(p.rank, &p.head, layout.Of(ctx.id.Append(b[:0])), 0); err != nil || r == transport.Full {
			e.broken(p, err)
			return true
		}
		p.setBound(ctx.number, true)
		p.head = keep
	} else if h != &p.head {
		p.head = *h
	}
	r, err := conn.Send(p.rank, &p.head, buf, 0)
	e.broken(p, err)
	return r == transport.Full || err != nil
}

// resolve finds the link to p. Engine.mu is held.
func (e *Engine) resolve(p *peer) {
	if p.conn.Load() != nil {
		return
	}
	conn := e.route(p.rank)
	_, p.mild = conn.(transport.Poller)
	if s, ok := conn.(transport.Sizer); ok {
		p.eager = min(s.EagerBytes(), e.cfg.EagerBytes)
	}
	p.conn.Store(&conn)
	p.used.Store(true)
}

// eagerBytes returns the size of the largest message that goes to p eagerly.
func (e *Engine) eagerBytes(p *peer) int {
	if p.eager > 0 {
		return p.eager
	}
	return e.cfg.EagerBytes
}

// broken reports the link to p as lost if err says so.
func (e *Engine) broken(p *peer, err error) {
	if err != nil {
		e.Lost(p.rank, err)
	}
}
