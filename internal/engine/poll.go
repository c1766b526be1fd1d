package engine

import (
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// Links that the waiting thread drives (transport.Poller) are polled under
// Engine.mu: one taking of the lock covers the arrival of a message, its match,
// and the end of the call that waited for it.
//
// They are in one of two states. Roused, peers do not ring, so somebody has to
// look: a thread that spins in a call, or the tick, a timer that comes while
// nobody does. Dozing, peers ring, and the Poller calls Wake. The change to
// dozing has to reach all other cores, which is dear; so a thread that parks
// makes it at once, but for a program that computes between two calls the tick
// does, after a while without a poll.

// tickEvery is the time between two looks at links that nobody polls and that
// were not told to ring.
const tickEvery = time.Millisecond

// recheckEvery bounds how long a parked call depends on the bell alone.
const recheckEvery = 100 * time.Millisecond

// held is the Handler that Poll is given: that of an Engine whose lock is held.
type held Engine

func (l *held) Deliver(rank int, h *wire.Header, payload layout.Buffer) {
	e := (*Engine)(l)
	switch {
	case h.Kind >= wire.FirstUser:
		e.mu.Unlock()
		e.deliverUser(rank, h, payload)
		e.mu.Lock()
	case h.Kind == wire.Bulk:
		e.news(rank, e.bulkArrived(e.peer(rank), h, payload), false)
	default:
		e.news(rank, e.arrived(e.peer(rank), h, payload), false)
	}
}

func (l *held) Sent(_ int, token uint64) { (*Engine)(l).sent(token) }

func (l *held) Writable(rank int) {
	e := (*Engine)(l)
	e.writable(e.peer(rank))
}

func (l *held) Lost(rank int, cause error) { (*Engine)(l).news(rank, cause, true) }

func (l *held) Idle() {}

// breach is an end of a link that was found under the lock, and is to be told
// without it.
type breach struct {
	rank  int
	cause error
	lost  bool // the link says so; else its peer broke the protocol
}

func (e *Engine) news(rank int, cause error, lost bool) {
	if cause != nil {
		e.breaches = append(e.breaches, breach{rank, cause, lost})
	}
}

// progress polls the links once and reports whether there was work. Engine.mu is
// held, but a handler of a registered kind is called without it.
func (e *Engine) progress() (worked bool) {
	if e.polling || e.over() != nil {
		return false
	}
	e.polling = true
	e.polls++
	for _, p := range e.pollers {
		if p.Poll((*held)(e)) {
			worked = true
		}
	}
	e.polling = false
	return worked
}

// chores reports whether something is due that is done without the lock.
// Engine.mu is held.
func (e *Engine) chores() bool {
	return len(e.moves) > 0 || e.ndirty.Load() > 0 || len(e.breaches) > 0 || len(e.continuations) > 0
}

// work does what is due without the lock: it continues what has waited, tells of
// broken links, sends what was queued, and copies one part of a large message.
// Engine.mu is not held.
func (e *Engine) work() {
	e.mu.Lock()
	breaches := e.breaches
	e.breaches = nil
	moving := len(e.moves) > 0
	due := e.continuations
	e.continuations = nil
	e.ndue.Store(0)
	e.mu.Unlock()
	for _, c := range due {
		c.f(c.status, c.err)
	}
	for _, b := range breaches {
		if b.lost {
			e.Lost(b.rank, b.cause)
		} else {
			e.violate(b.rank, b.cause)
		}
	}
	e.Idle()
	if moving && e.move() {
		e.Idle()
	}
}

// watch drives the links until op is complete, or until the thread has waited so
// long that it is to park. Engine.mu is held on entry and return, and given up in
// between.
func (e *Engine) watch(op *Op) {
	var p pace
	e.enter()
	for quick := quickLooks; ; quick-- {
		worked := e.progress()
		if op.phase == complete {
			break
		}
		if e.chores() {
			e.mu.Unlock()
			e.work()
			e.mu.Lock()
			if op.phase == complete {
				break
			}
			continue
		}
		if worked || quick > 0 && !e.cfg.Crowded {
			continue
		}
		op.spun = true
		e.mu.Unlock()
		more := e.spin(&p, op, nil)
		e.mu.Lock()
		op.spun = false
		if !more || op.phase == complete {
			break
		}
	}
	e.watchers--
}

// look is one turn of watch for a call that waits for something else than one
// operation, and whose waiter w is told of it. It is false when the thread has
// waited long enough. Engine.mu is held on entry and return.
func (e *Engine) look(p *pace, w *waiter) bool {
	e.enter()
	defer func() { e.watchers-- }()
	if e.progress() {
		return true
	}
	select {
	case <-w.ch: // for this turn, or what woke it would do so for ever
		return true
	default:
	}
	if e.chores() {
		e.mu.Unlock()
		e.work()
		e.mu.Lock()
		return true
	}
	e.mu.Unlock()
	more := e.spin(p, nil, w)
	e.mu.Lock()
	return more
}

// enter begins a watch. Engine.mu is held.
func (e *Engine) enter() {
	e.watchers++
	if e.dozing {
		e.rouse()
	}
}

// drive polls once, and does what comes of it. Engine.mu is not held.
func (e *Engine) drive() {
	if len(e.pollers) == 0 {
		return
	}
	e.mu.Lock()
	e.enter()
	e.progress()
	e.watchers--
	e.leave()
}

// leave releases Engine.mu, and does what has become due without it.
func (e *Engine) leave() {
	chores := e.chores()
	e.mu.Unlock()
	if chores {
		e.work()
	}
}

// rouse ends dozing. Engine.mu is held.
func (e *Engine) rouse() {
	e.dozing = false
	for _, p := range e.pollers {
		p.Rouse()
	}
	e.arm(&e.ticker, tickEvery)
}

// doze has the links ring from now on, unless somebody watches them, something has
// just come, or something is left to do that is done without the lock. It reports
// whether they do. Engine.mu is held.
func (e *Engine) doze() bool {
	if e.dozing || len(e.pollers) == 0 {
		return true
	}
	if e.watchers > 0 || e.polling || e.chores() || e.over() != nil {
		return false // chores ring no bell
	}
	for i, p := range e.pollers {
		if p.Doze() {
			for _, p := range e.pollers[:i+1] {
				p.Rouse()
			}
			return false
		}
	}
	e.dozing = true
	return true
}

// tick looks at links that nobody has polled for a while, and has them ring.
func (e *Engine) tick() {
	e.mu.Lock()
	e.ticker.armed = false
	if e.watchers == 0 && (e.polls == e.ticked || e.chores()) {
		e.tend()
	}
	e.ticked = e.polls
	if !e.dozing && e.over() == nil {
		e.arm(&e.ticker, tickEvery)
	}
	e.mu.Unlock()
	e.work()
}

// Wake drives the links while nobody else does: one has work, and was told to
// ring.
func (e *Engine) Wake() {
	e.mu.Lock()
	if e.dozing {
		e.rouse()
	}
	e.tend()
	e.mu.Unlock()
	e.work()
}

// tend drives the links until there is nothing to do, and has them ring.
// Engine.mu is held on entry and return.
func (e *Engine) tend() {
	for {
		worked := e.progress()
		if e.chores() {
			e.mu.Unlock()
			e.work()
			e.mu.Lock()
			worked = true
		}
		if !worked && (e.watchers > 0 || e.polling || e.over() != nil || e.doze()) {
			return
		}
	}
}
