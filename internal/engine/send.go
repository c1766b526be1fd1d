package engine

import (
	"context"

	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// Send sends and returns when env.Buf may be reused, which for the synchronous
// modes is not before a receive has matched. If ctx ends first, the message is
// either taken back, and the error is ErrCancelled with ctx's cause, or already
// matched, and Send succeeds.
func (e *Engine) Send(ctx context.Context, env *Envelope) error {
	p := e.peer(env.Context.group.World(env.Peer))
	if err := e.refusal(p, env.Context); err != nil {
		return err
	}
	slot := e.records.Begin(env.What, env.Context.number, int32(env.Peer), env.Tag, int64(env.Buf.Len()))
	eager := e.spend(p, env)
	if eager && env.Mode == Standard && e.sendNow(p, env) {
		slot.End(e.records)
		return nil
	}
	ref, err := e.queue(p, env, slot, eager)
	if err != nil {
		return err
	}
	_, err = e.Conclude(ctx, ref)
	return err
}

// Isend starts a send and returns at once. env.Buf belongs to the operation
// until it completes.
func (e *Engine) Isend(env *Envelope) (Ref, error) {
	p := e.peer(env.Context.group.World(env.Peer))
	if err := e.refusal(p, env.Context); err != nil {
		return Ref{}, err
	}
	slot := e.records.Begin(env.What, env.Context.number, int32(env.Peer), env.Tag, int64(env.Buf.Len()))
	eager := e.spend(p, env)
	if eager && env.Mode == Standard && e.sendNow(p, env) {
		slot.End(e.records)
		return e.Completed(env, EmptyStatus), nil
	}
	return e.queue(p, env, slot, eager)
}

// refusal returns why nothing can be sent to p on c, if so.
func (e *Engine) refusal(p *peer, c *Context) error {
	if c.freeing.Load() {
		return ErrFreed
	}
	return e.gone(p)
}

// spend reports whether env goes eagerly, and takes its credit if so.
func (e *Engine) spend(p *peer, env *Envelope) bool {
	n := env.Buf.Len()
	if n > e.cfg.EagerBytes {
		return false
	}
	cost := eagerCost(n)
	if p.credit.Add(-cost) >= 0 {
		return true
	}
	p.credit.Add(cost)
	if len(e.pollers) == 0 {
		return false
	}
	e.drive() // a rank that only sends looks for returned credit here
	if p.credit.Add(-cost) >= 0 {
		return true
	}
	p.credit.Add(cost)
	return false
}

// sendNow sends an eager message at once, if the link takes it and nothing is
// queued before it.
func (e *Engine) sendNow(p *peer, env *Envelope) bool {
	if p.nframe.Load() != 0 || !p.state.CompareAndSwap(unowned, owned) {
		return false
	}
	// Whoever owned p before may have queued a frame since we looked, and
	// release looks for owners once the context is being freed.
	sent := p.nframe.Load() == 0 && !env.Context.freeing.Load() &&
		!e.transmit(p, env.Context, env.header(wire.Eager), env.Buf)
	e.disown(p)
	e.Idle()
	return sent
}

// queue starts a send through the outbox.
func (e *Engine) queue(p *peer, env *Envelope, slot record.Slot, eager bool) (Ref, error) {
	e.mu.Lock()
	if err := e.refusal(p, env.Context); err != nil {
		e.mu.Unlock()
		if eager {
			p.credit.Add(eagerCost(env.Buf.Len()))
		}
		slot.End(e.records)
		return Ref{}, err
	}
	op := e.newOp()
	op.env, op.peer, op.slot = *env, p.rank, slot
	op.phase, op.send, op.eager = offered, true, eager
	env.Context.pending++
	ref := Ref{op, op.gen.Load()}
	kind := wire.Offer
	if eager {
		kind = wire.Eager
	}
	f := frame{h: env.header(kind), ctx: env.Context, op: op.id}
	if !eager {
		if d := e.direct(p); d != nil {
			f.h.Arg = d.Reach(p.rank, env.Buf)
		}
	}
	if eager {
		f.buf = env.Buf
	}
	if eager && env.Mode == Standard {
		op.phase = queued
	} else {
		f.h.ID = op.id
	}
	p.push(f)
	e.mu.Unlock()
	e.kick(p)
	e.Idle()
	return ref, nil
}

// header returns the header of env's first frame.
func (env *Envelope) header(kind wire.Kind) wire.Header {
	h := wire.Header{
		Kind:    kind,
		Space:   env.Space,
		Context: env.Context.number,
		Source:  uint32(env.Context.self),
		Layout:  env.Layout,
		Tag:     env.Tag,
		Bytes:   uint64(env.Buf.Len()),
	}
	switch env.Mode {
	case Synchronous:
		h.Flags |= wire.FlagSync
	case Ready:
		h.Flags |= wire.FlagSync | wire.FlagReady
	}
	if env.Object {
		h.Flags |= wire.FlagObject
	}
	return h
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
			p.credit.Add(eagerCost(op.env.Buf.Len()))
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
