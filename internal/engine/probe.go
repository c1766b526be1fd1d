package engine

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// prober is a goroutine that waits for a message without receiving it.
type prober struct {
	source int32
	tag    int64
	waiter *waiter
}

func (p *prober) matches(m *match.Message) bool {
	return (p.source == match.AnySource || p.source == m.Source) && (p.tag == match.AnyTag || p.tag == m.Tag)
}

// Probe waits for a message that source and tag match. With take it is taken
// out of matching and returned (matched probe), else only its status is.
func (e *Engine) Probe(ctx context.Context, env *Envelope, take bool) (*Message, Status, error) {
	ctx = orForever(ctx)
	slot := e.records.Begin(env.What, env.Context.number, int32(env.Peer), env.Tag, 0)
	defer slot.End(e.records)
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &env.Context.spaces[env.Space]
	var w *prober
	defer func() {
		if w != nil {
			s.forgetProber(w)
			e.waiters = append(e.waiters, w.waiter)
		}
	}()
	var p pace
	for {
		if err := e.usable(env.Context); err != nil {
			return nil, Status{}, err
		}
		if take {
			if m := e.extract(env.Context, env.Space, env.Peer, env.Tag); m != nil {
				return m, m.Status, nil
			}
		} else if m := s.match.Find(int32(env.Peer), env.Tag); m != nil {
			return nil, m.Ref.(*message).status(), nil
		}
		if err := e.unreachable(env); err != nil {
			return nil, Status{}, err
		}
		if w == nil {
			w = &prober{source: int32(env.Peer), tag: env.Tag, waiter: e.newWaiter()}
			s.probers = append(s.probers, w)
		}
		if len(e.pollers) > 0 && !p.over {
			e.look(&p, w.waiter)
			continue
		}
		if err := e.park(ctx, w.waiter, slot, nil); err != nil {
			return nil, Status{}, fmt.Errorf("%w: %w", ErrCancelled, err)
		}
	}
}

func (s *space) forgetProber(w *prober) {
	for i, p := range s.probers {
		if p == w {
			s.probers = append(s.probers[:i], s.probers[i+1:]...)
			return
		}
	}
}

// Message is a message taken out of matching by a matched probe. It must be
// received, once.
type Message struct {
	m      *message
	ctx    *Context
	space  wire.Space
	Status Status
}

// Mrecv receives the message that a matched probe took, also when its
// communicator is being freed. Context, Space, Peer and Tag of env are set to
// the message's.
func (e *Engine) Mrecv(ctx context.Context, msg *Message, env *Envelope) (Status, error) {
	ref, err := e.Imrecv(msg, env)
	if err != nil {
		return Status{}, err
	}
	return e.Conclude(ctx, ref)
}

// Imrecv starts the receive of a message that a matched probe took; see Mrecv.
func (e *Engine) Imrecv(msg *Message, env *Envelope) (Ref, error) {
	e.mu.Lock()
	if msg.m == nil {
		e.mu.Unlock()
		return Ref{}, ErrStale
	}
	if err := e.over(); err != nil {
		e.mu.Unlock()
		return Ref{}, err
	}
	m := msg.m
	msg.m = nil
	env.Context, env.Space = msg.ctx, msg.space
	env.Peer, env.Tag = int(m.m.Source), m.m.Tag
	op := e.newRecv(env)
	msg.ctx.pending-- // op holds the context now
	op.phase = arriving
	e.takeQueued(op, m)
	ref := op.ref()
	e.mu.Unlock()
	e.Idle()
	return ref, nil
}

// Find reports the earliest message that source and tag match, and leaves it
// to be matched.
func (e *Engine) Find(c *Context, s wire.Space, source int, tag int64) (Status, bool, error) {
	e.drive()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(c); err != nil {
		return Status{}, false, err
	}
	m := c.spaces[s].match.Find(int32(source), tag)
	if m == nil {
		return Status{}, false, nil
	}
	return m.Ref.(*message).status(), true, nil
}

// Take takes the earliest message that source and tag match out of matching;
// nil if there is none.
func (e *Engine) Take(c *Context, s wire.Space, source int, tag int64) (*Message, error) {
	e.drive()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(c); err != nil {
		return nil, err
	}
	return e.extract(c, s, source, tag), nil
}

// extract is Take under Engine.mu.
func (e *Engine) extract(c *Context, s wire.Space, source int, tag int64) *Message {
	m := c.spaces[s].match.Take(int32(source), tag)
	if m == nil {
		return nil
	}
	c.pending++ // the message is to be received before c goes
	msg := m.Ref.(*message)
	return &Message{m: msg, ctx: c, space: s, Status: msg.status()}
}

// usable returns why nothing can be started on c, if so.
func (e *Engine) usable(c *Context) error {
	if c.freeing.Load() {
		return ErrFreed
	}
	return e.over()
}

// status is what a receive or probe that finds m tells of it.
func (m *message) status() Status { return statusOf(&m.head) }

func statusOf(h *wire.Header) Status {
	return Status{
		Source: int(h.Source), Tag: h.Tag, Bytes: int(h.Bytes),
		Kind: Kind{Layout: h.Layout, Object: h.Flags&wire.FlagObject != 0},
	}
}
