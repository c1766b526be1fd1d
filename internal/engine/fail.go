package engine

import (
	"fmt"
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

// Lost hears of a link that broke (transport.Handler). A peer that said its
// last Bye has merely left.
func (e *Engine) Lost(rank int, cause error) {
	p := e.peer(rank)
	e.mu.Lock()
	known := p.lost || p.byeSeen == lastBye || e.closed != nil
	p.lost = true
	e.mu.Unlock()
	switch {
	case known:
	case e.cfg.Lost != nil:
		e.cfg.Lost(rank, cause)
	default:
		e.Fail(rank, cause)
	}
}

// Fail gives a rank up: every operation that needs it completes with a
// FailedError, and every later one is refused with it. A receive from AnySource
// needs every rank of its communicator.
func (e *Engine) Fail(rank int, cause error) {
	p := e.peer(rank)
	var err error = &FailedError{rank, cause}
	e.mu.Lock()
	if p.dead.Load() != nil || e.closed != nil {
		e.mu.Unlock()
		return
	}
	p.lost = true
	p.dead.Store(&err)
	e.failures++
	inBulk := make(map[*Op]bool)
	p.mu.Lock()
	for i := range p.bulk.n {
		inBulk[*p.bulk.at(i)] = true
	}
	p.mu.Unlock()
	for _, op := range e.ops {
		switch op.phase {
		case posted:
			if e.unreachable(&op.env) != nil && op.env.Context.spaces[op.env.Space].match.Withdraw(&op.recv) {
				e.finish(op, err)
			}
		case arriving:
			if op.peer == rank && !op.copying {
				e.finish(op, err)
			}
		case offered:
			if op.peer == rank {
				e.finish(op, err)
			}
		case sending:
			if op.peer == rank && !inBulk[op] {
				e.finish(op, err)
			}
		}
	}
	for _, c := range e.contexts {
		e.wakeProbers(c)
	}
	if e.leaving != nil {
		e.leaving.wake()
	}
	e.soil(p)
	e.mu.Unlock()
	e.Idle()
}

// wakeProbers makes every probe look again. Engine.mu is held.
func (e *Engine) wakeProbers(c *Context) {
	for i := range c.spaces {
		for _, w := range c.spaces[i].probers {
			w.waiter.wake()
		}
	}
}

// Close ends the Engine: every operation completes with cause and every later
// one is refused with it. The links are closed by their owner, before or
// after.
func (e *Engine) Close(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed != nil {
		return
	}
	e.closed = cause
	e.down.Store(true)
	for _, op := range e.ops {
		switch {
		case op.phase == idle || op.phase == complete || op.copying:
		case op.phase == posted:
			op.env.Context.spaces[op.env.Space].match.Withdraw(&op.recv)
			e.finish(op, cause)
		default:
			e.finish(op, cause)
		}
	}
	for _, c := range e.contexts {
		e.wakeProbers(c)
	}
	if e.leaving != nil {
		e.leaving.wake()
	}
}
