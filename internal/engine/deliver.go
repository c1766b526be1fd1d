package engine

import (
	"fmt"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// Deliver takes one frame (transport.Handler).
func (e *Engine) Deliver(rank int, h *wire.Header, payload layout.Buffer) {
	if h.Kind == wire.Bulk {
		e.deliverBulk(rank, h, payload)
		return
	}
	if h.Kind >= wire.FirstUser {
		e.deliverUser(rank, h, payload)
		return
	}
	p := e.peer(rank)
	e.mu.Lock()
	err := e.arrived(p, h, payload)
	e.mu.Unlock()
	if err != nil {
		e.violate(rank, err)
	}
}

// deliverUser hands a frame to the handler of its kind.
func (e *Engine) deliverUser(rank int, h *wire.Header, payload layout.Buffer) {
	e.mu.Lock()
	f, quiet := e.handlers[h.Kind], e.peer(rank).lost || e.over() != nil
	e.mu.Unlock()
	switch {
	case quiet:
		return
	case f == nil:
		var kept bool
		if f, kept = e.keepEarly(rank, h, payload); kept {
			return
		}
	}
	if f == nil {
		e.violate(rank, fmt.Errorf("%w: frame of kind %v, which nobody handles", ErrProtocol, h.Kind))
		return
	}
	f(rank, h, payload)
}

// maxEarly bounds the frames that are kept for a handler to come, maxEarlyBytes the
// payload of each.
const (
	maxEarly      = 64
	maxEarlyBytes = 64 << 10
)

// earlyFrame came before there was a handler for its kind.
type earlyFrame struct {
	rank    int
	h       wire.Header
	payload []byte
}

// keepEarly keeps a frame of a kind that nobody handles yet: the peer's library may
// have begun earlier than this rank's. It does not once there are too many, or if
// somebody handles the kind by now: then f does.
func (e *Engine) keepEarly(rank int, h *wire.Header, payload layout.Buffer) (f func(int, *wire.Header, layout.Buffer), kept bool) {
	if payload.Len() > maxEarlyBytes {
		return nil, false
	}
	b := make([]byte, payload.Len())
	payload.ReadAt(b, 0)
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.handlers[h.Kind]; f != nil || len(e.early) >= maxEarly {
		return f, false
	}
	e.early = append(e.early, earlyFrame{rank, *h, b})
	return nil, true
}

// violate treats a peer that breaks the protocol as a lost link. Engine.mu is
// not held.
func (e *Engine) violate(rank int, err error) {
	e.reportLost(rank, fmt.Errorf("rank %d: %w", rank, err))
}

// arrived handles every frame but Bulk and those of other users. Engine.mu is
// held.
func (e *Engine) arrived(p *peer, h *wire.Header, payload layout.Buffer) error {
	if p.lost || e.over() != nil {
		return nil
	}
	if !p.used.Load() { // a store costs more
		p.used.Store(true)
	}
	switch h.Kind {
	case wire.Eager, wire.Offer:
		return e.arrive(p, h, payload)
	case wire.Grant:
		return e.granted(p, h)
	case wire.Ack:
		if op := e.answered(p, h.ID); op != nil && op.eager {
			e.finish(op, nil)
			return nil
		}
		return fmt.Errorf("%w: Ack of operation %#x, which waits for none", ErrProtocol, h.ID)
	case wire.Credit:
		if h.Bytes > uint64(e.window-p.credit) {
			return fmt.Errorf("%w: Credit of %d bytes beyond the window of %d", ErrProtocol, h.Bytes, e.window)
		}
		p.credit += int64(h.Bytes)
		return nil
	case wire.Withdraw:
		return e.withdraw(p, h)
	case wire.Withdrawn:
		return e.withdrawn(p, h)
	case wire.Bind:
		return e.bind(p, h.Context, payload)
	case wire.Unbind:
		return e.unbind(p, h.Context)
	case wire.Bye:
		return e.bye(p, h)
	case wire.Pulled:
		return e.pulled(p, h)
	case wire.Pushed:
		return e.pushed(p, h)
	}
	return fmt.Errorf("%w: frame of kind %v", ErrProtocol, h.Kind)
}

// arrive matches a message or queues it. Engine.mu is held.
func (e *Engine) arrive(p *peer, h *wire.Header, payload layout.Buffer) error {
	n := payload.Len()
	switch {
	case h.Kind == wire.Eager && uint64(n) != h.Bytes:
		return fmt.Errorf("%w: eager message of %d bytes says it has %d", ErrProtocol, n, h.Bytes)
	case h.Kind == wire.Offer && n != 0:
		return fmt.Errorf("%w: offer with a payload of %d bytes", ErrProtocol, n)
	}
	c := e.lookup(p, h.Context)
	if c == nil {
		return fmt.Errorf("%w: message for context number %d, which is not bound", ErrProtocol, h.Context)
	}
	if !c.flat || int(h.Source) != p.rank || p.rank >= c.size { // else no call is needed to see who speaks
		if err := c.speaker(p.rank, int(h.Source)); err != nil {
			return err
		}
	}
	if h.Kind == wire.Eager {
		if p.spent += eagerCost(n); p.spent > e.window {
			return fmt.Errorf("%w: eager messages of %d bytes beyond the credit of %d", ErrProtocol, p.spent, e.window)
		}
	}
	s := &c.spaces[h.Space]
	if r := s.match.Claim(int32(h.Source), h.Tag); r != nil {
		e.take(r.Ref.(*Op), p, h, payload)
		return nil
	}
	if c.freeing.Load() {
		e.refuse(p, h)
		return nil
	}
	if h.Flags&wire.FlagReady != 0 {
		e.reply(p, frame{h: wire.Header{Kind: wire.Withdrawn, ID: h.ID, Arg: withdrawnUnready}})
		e.owe(p, h)
		return nil
	}
	m := e.takeMessage()
	m.head, m.peer = *h, p.rank
	m.m.Source, m.m.Tag = int32(h.Source), h.Tag
	if h.Kind == wire.Eager {
		m.data = e.bytes.get(n)
		payload.ReadAt(m.data, 0)
		e.stats.UnexpectedBytes += int64(n)
		e.stats.PeakBytes = max(e.stats.PeakBytes, e.stats.UnexpectedBytes)
	}
	s.match.Arrive(&m.m)
	for _, w := range s.probers {
		if w.matches(&m.m) {
			w.waiter.wake()
		}
	}
	return nil
}

// speaker checks that the world rank of a frame's link is who the frame says
// it comes from. Before this rank has made c its group is not known here;
// NewContext checks what came until then.
func (c *Context) speaker(world, source int) error {
	switch {
	case c.flat && source == world && source < c.size:
		return nil
	case c.group == nil && source < c.e.cfg.Size:
		return nil
	case c.group != nil && source < c.group.Size() && c.group.World(source) == world:
		return nil
	}
	return fmt.Errorf("%w: rank %d of the world says it is rank %d of a communicator where it is not", ErrProtocol, world, source)
}

// answered returns the send of this rank to p that waits for an answer and is
// called id; nil if there is none. Engine.mu is held.
func (e *Engine) answered(p *peer, id uint64) *Op {
	if op := e.op(id); op != nil && op.phase == offered && op.peer == p.rank {
		return op
	}
	return nil
}

// withdraw answers a sender that wants its message back. Engine.mu is held.
func (e *Engine) withdraw(p *peer, h *wire.Header) error {
	answer := frame{h: wire.Header{Kind: wire.Withdrawn, ID: h.ID, Arg: withdrawnMatched}}
	c := e.lookup(p, h.Context)
	if c == nil {
		return fmt.Errorf("%w: Withdraw for context number %d, which is not bound", ErrProtocol, h.Context)
	}
	s := &c.spaces[h.Space]
	for m := range s.match.Messages {
		if m := m.Ref.(*message); m.peer == p.rank && m.head.ID == h.ID {
			s.match.Retract(&m.m)
			answer.h.Arg = withdrawnGone
			e.owe(p, &m.head)
			e.dropMessage(m)
			break
		}
	}
	e.reply(p, answer)
	return nil
}

// withdrawn handles the end of a send that was not received. Engine.mu is held.
func (e *Engine) withdrawn(p *peer, h *wire.Header) error {
	if h.Arg == withdrawnMatched {
		return nil // its Grant or Ack came first, or will come from a matched probe
	}
	op := e.answered(p, h.ID)
	switch {
	case op == nil:
	case h.Arg == withdrawnGone && op.withdrawing:
		e.finish(op, ErrCancelled)
		return nil
	case h.Arg == withdrawnFreed:
		e.finish(op, ErrFreed)
		return nil
	case h.Arg == withdrawnUnready && op.env.Mode == Ready:
		e.finish(op, ErrNotReady)
		return nil
	}
	return fmt.Errorf("%w: Withdrawn with %d for operation %#x, which asked for no such", ErrProtocol, h.Arg, h.ID)
}
