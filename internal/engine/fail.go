package engine

import (
	"fmt"

	"github.com/muster-mpi/muster/internal/wire"
)

// FailedError is ErrFailed with the rank that failed, of the world, and why.
type FailedError struct {
	World int
	Cause error
}

func (f *FailedError) Error() string {
	return fmt.Sprintf("rank %d of the world failed: %v", f.World, f.Cause)
}

func (f *FailedError) Is(target error) bool { return target == ErrFailed }

func (f *FailedError) Unwrap() error { return f.Cause }

// Lost hears of a link that broke (transport.Handler). It holds no payload any
// more, which sends to a rank given up by Fail have waited for. A peer that said
// its last Bye has merely left.
func (e *Engine) Lost(rank int, cause error) {
	p := e.peer(rank)
	e.mu.Lock()
	p.cut = true
	if p.dead.Load() != nil {
		for _, op := range e.ops {
			if op.peer == rank {
				e.settle(op)
			}
		}
	}
	e.mu.Unlock()
	e.reportLost(rank, cause)
}

// reportLost tells Config.Lost, once, that there is no more to hope from a
// peer; without one it gives the peer up. Engine.mu is not held.
func (e *Engine) reportLost(rank int, cause error) {
	p := e.peer(rank)
	e.mu.Lock()
	known := p.lost || p.byeSeen == lastBye || e.over() != nil
	p.lost = true
	e.mu.Unlock()
	switch {
	case known:
	case e.cfg.Lost != nil:
		e.cfg.Lost(rank, cause)
	default:
		e.fail(rank, cause)
	}
}

// Fail gives a rank up: every operation that needs it completes with a
// FailedError, and every later one is refused with it. A receive from AnySource
// needs every rank of its communicator. A send whose buffer a link still reads
// completes when the link has let go of it.
func (e *Engine) Fail(rank int, cause error) {
	e.fail(rank, cause)
	e.Idle()
}

// fail is Fail, and leaves it to the caller to call Idle.
func (e *Engine) fail(rank int, cause error) {
	p := e.peer(rank)
	var err error = &FailedError{rank, cause}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone(p) != nil {
		return
	}
	p.lost = true
	p.dead.Store(&err)
	e.failures.Add(1)
	inQueue := make(map[uint64]bool)
	p.listQueued(inQueue)
	for _, op := range e.ops {
		if op.peer == rank || op.phase == posted && e.unreachable(&op.env) != nil {
			e.abandon(op, err, inQueue)
		}
	}
	for _, c := range e.contexts {
		e.dropOffers(c, rank)
		e.wakeProbers(c)
	}
	e.wakeLeaving()
	e.soil(p)
}

// Close ends the Engine: every operation completes with cause and every later
// one is refused with it. The links are closed by their owner, before or
// after.
func (e *Engine) Close(cause error) {
	e.mu.Lock()
	if e.over() != nil {
		e.mu.Unlock()
		return
	}
	e.closed.Store(&cause)
	inQueue := make(map[uint64]bool)
	for i := range e.peers {
		if p := e.peers[i].Load(); p != nil {
			p.listQueued(inQueue)
			e.soil(p)
		}
	}
	for _, op := range e.ops {
		e.abandon(op, cause, inQueue)
	}
	for _, c := range e.contexts {
		e.wakeProbers(c)
	}
	e.wakeLeaving()
	e.mu.Unlock()
	e.Idle()
}

// abandon completes op with err, unless somebody works on it without the lock:
// then that one will. inQueue names the sends whose first frame is in an outbox.
// Engine.mu is held.
func (e *Engine) abandon(op *Op, err error, inQueue map[uint64]bool) {
	switch op.phase {
	case posted:
		op.env.Context.spaces[op.env.Space].match.Withdraw(&op.recv)
		e.finish(op, err)
	case arriving:
		if !op.copying {
			e.finish(op, err)
		}
	case queued, offered:
		if !inQueue[op.id] {
			e.finish(op, err)
		}
	case sending:
		op.err = err
		e.settle(op)
	case pulling, pushing:
		e.abandonMove(op, err)
	case external:
		e.finish(op, err)
	}
}

// listQueued adds the sends whose first frame waits in p's queue to ids.
func (p *peer) listQueued(ids map[uint64]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.frames.len() {
		if op := p.frames.at(i).op; op != 0 {
			ids[op] = true
		}
	}
}

// dropOffers drops the messages of c whose payload a failed rank has kept.
// Engine.mu is held.
func (e *Engine) dropOffers(c *Context, rank int) {
	for i := range c.spaces {
		s := &c.spaces[i]
		for m := range s.match.Messages {
			if m := m.Ref.(*message); m.head.Kind == wire.Offer && m.peer == rank {
				s.match.Retract(&m.m)
				e.dropMessage(m)
			}
		}
	}
}

// wakeProbers makes every probe look again. Engine.mu is held.
func (e *Engine) wakeProbers(c *Context) {
	for i := range c.spaces {
		for _, w := range c.spaces[i].probers {
			w.waiter.wake()
		}
	}
}

// wakeLeaving makes Drain look again. Engine.mu is held.
func (e *Engine) wakeLeaving() {
	if e.leaving != nil {
		e.leaving.wake()
	}
}
