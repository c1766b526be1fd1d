package engine

import (
	"context"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Send sends and returns when env.Buf may be reused, which for the synchronous
// modes is not before a receive has matched. If ctx ends first, the message is
// either taken back, and the error is ErrCancelled with ctx's cause, or already
// matched, and Send succeeds.
func (e *Engine) Send(ctx context.Context, env *Envelope) error {
	p := e.peer(env.Context.world(env.Peer))
	e.mu.Lock()
	if err := e.refusal(p, env.Context); err != nil {
		e.mu.Unlock()
		return err
	}
	eager := e.spend(p, env)
	if eager && env.Mode == Standard && e.sendNow(p, env) {
		e.recordSent(env)
		e.leave()
		return nil
	}
	ref, err := e.queue(p, env, eager)
	if err != nil {
		return err
	}
	_, err = e.Conclude(ctx, ref)
	return err
}

// Isend starts a send and returns at once. env.Buf belongs to the operation
// until it completes.
func (e *Engine) Isend(env *Envelope) (Ref, error) {
	p := e.peer(env.Context.world(env.Peer))
	e.mu.Lock()
	if err := e.refusal(p, env.Context); err != nil {
		e.mu.Unlock()
		return Ref{}, err
	}
	eager := e.spend(p, env)
	if eager && env.Mode == Standard && e.sendNow(p, env) {
		e.recordSent(env)
		op := e.completed(env, EmptyStatus)
		ref := op.ref()
		e.leave()
		return ref, nil
	}
	return e.queue(p, env, eager)
}

// recordSent records a send that went at once. It comes after the frame, which the
// peer waits for; nothing between the two can block. Engine.mu is held.
func (e *Engine) recordSent(env *Envelope) {
	e.records.DoneLocked(env.What, env.Context.number, int32(env.Peer), env.shownTag(), int64(env.Buf.Len()))
}

// refusal returns why nothing can be sent to p on c, if so.
func (e *Engine) refusal(p *peer, c *Context) error {
	if c.freeing.Load() {
		return ErrFreed
	}
	return e.gone(p)
}

// spend reports whether env goes eagerly, and takes its credit if so. Engine.mu
// is held.
func (e *Engine) spend(p *peer, env *Envelope) bool {
	n := env.Buf.Len()
	if n > e.eagerBytes(p) {
		return false
	}
	cost := eagerCost(n)
	if p.credit < cost && len(e.pollers) > 0 {
		// A rank that only sends looks for returned credit here.
		e.enter()
		for e.progress() {
		}
		e.watchers--
		if e.refusal(p, env.Context) != nil {
			return false // queue says so
		}
	}
	if p.credit < cost {
		return false
	}
	p.credit -= cost
	return true
}

// sendNow sends an eager message at once, if the link takes it and nothing is
// queued before it. Engine.mu is held; it is released meanwhile unless the link
// to p is mild and p knows the context.
func (e *Engine) sendNow(p *peer, env *Envelope) (sent bool) {
	if p.nframe.Load() != 0 || p.state.Load() != unowned {
		return false
	}
	if p.conn.Load() == nil {
		e.resolve(p)
	}
	// Only who holds the lock becomes the owner of an unowned peer.
	if n := env.Context.number; p.mild && (n == 0 || p.boundNow(n)) {
		env.header(&p.head, wire.Eager)
		r, err := (*p.conn.Load()).Send(p.rank, &p.head, env.Buf, 0)
		if err != nil {
			e.news(p.rank, err, true)
		}
		return r == transport.Taken && err == nil
	}
	p.state.Store(owned)
	e.mu.Unlock()
	// Who owned p before may have queued a frame since we looked, and release
	// looks for owners once the context is being freed.
	if p.nframe.Load() == 0 && !env.Context.freeing.Load() {
		env.header(&p.head, wire.Eager)
		sent = !e.transmit(p, env.Context, &p.head, env.Buf)
	}
	e.disown(p)
	e.Idle()
	e.mu.Lock()
	return sent
}

// queue starts a send through the outbox. Engine.mu is held, and released.
func (e *Engine) queue(p *peer, env *Envelope, eager bool) (Ref, error) {
	if err := e.refusal(p, env.Context); err != nil {
		if eager {
			p.credit += eagerCost(env.Buf.Len())
		}
		e.leave()
		return Ref{}, err
	}
	op := e.newOp()
	op.take(env)
	op.peer, op.status = p.rank, Status{}
	op.slot = e.records.BeginLocked(env.What, env.Context.number, int32(env.Peer), env.shownTag(), int64(env.Buf.Len()))
	op.phase, op.send, op.eager = offered, true, eager
	env.Context.pending++
	ref := op.ref()
	kind := wire.Offer
	if eager {
		kind = wire.Eager
	}
	f := frame{ctx: env.Context, op: op.id}
	env.header(&f.h, kind)
	if eager {
		f.buf = env.Buf
	} else {
		f.h.Arg = e.reach(p, env.Buf)
	}
	if eager && env.Mode == Standard {
		op.phase = queued
	} else {
		f.h.ID = op.id
	}
	p.push(f)
	e.mu.Unlock()
	e.kick(p)
	e.work()
	return ref, nil
}

// header fills h in as that of env's first frame.
func (env *Envelope) header(h *wire.Header, kind wire.Kind) {
	h.Kind, h.Flags, h.Space = kind, 0, env.Space
	h.Context = env.Context.number
	h.Source = uint32(env.Context.self)
	h.Layout = env.Layout
	h.Tag = env.Tag
	h.Bytes = uint64(env.Buf.Len())
	h.ID, h.Arg = 0, 0
	switch env.Mode {
	case Synchronous:
		h.Flags |= wire.FlagSync
	case Ready:
		h.Flags |= wire.FlagSync | wire.FlagReady
	}
	if env.Object {
		h.Flags |= wire.FlagObject
	}
}

// cancelSend takes back a send that no receive has matched, if it can. The
// operation completes in any case, sooner or later: with ErrCancelled, or as
// if nobody had asked. Engine.mu is held.
func (e *Engine) cancelSend(op *Op) {
	p := e.peer(op.peer)
	p.mu.Lock()
	gone := p.frames.remove(p.first, func(f *frame) bool {
		return f.op == op.id
	})
	if gone {
		p.nframe.Add(-1)
	}
	p.mu.Unlock()
	if gone {
		if op.eager {
			p.credit += eagerCost(op.env.Buf.Len())
		}
		e.finish(op, ErrCancelled)
		return
	}
	if op.phase == offered {
		op.withdrawing = true
		e.reply(p, frame{ctx: op.env.Context, h: wire.Header{
			Kind: wire.Withdraw, Space: op.env.Space, Context: op.env.Context.number, ID: op.id,
		}})
	}
}
