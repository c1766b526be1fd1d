package engine

import (
	"runtime"
	"time"
)

// How long a waiting thread keeps at it before it parks. Waking a parked thread
// costs tens of microseconds where its core has gone to sleep, so a core of one's
// own is worth spinning on for about as long, and a while longer costs nobody
// anything, if the core is offered to others in between: with other load on the
// machine two ranks may find themselves on one core however many there are, and
// each would spin where the other has to run. Where ranks exceed cores that is
// certain, and nothing but yielding makes sense, each time.
const (
	spinFor  = 500 * time.Microsecond // where each rank can have a core
	crowdFor = 100 * time.Microsecond // where ranks exceed cores

	// looks is how often a thread looks for news between two yields where it can
	// have a core: for about two microseconds, ten times as long as a yield takes
	// that finds nobody else.
	looks = 64

	// quickLooks is how often a thread that waits for one operation polls without
	// letting go of the lock in between: less than a microsecond, in which an answer
	// often comes.
	quickLooks = 64

	// yieldsPerReading is how many yields there are for one reading of the clock,
	// with which the program's other goroutines have their turn too.
	yieldsPerReading = 8
)

// pace is how far a waiting thread has got. The zero pace has just begun.
type pace struct {
	begun  time.Time
	looks  int
	yields int
	over   bool // the thread is to park
}

// spin looks for news until there is some: a link has work, op is complete, or w
// was woken; op and w may be nil. It is false once the thread has waited for long
// enough, and is to park. Engine.mu is not held.
func (e *Engine) spin(p *pace, op *Op, w *waiter) bool {
	for {
		rested := false
		// Also where there is news at every look, which may come to nothing.
		if p.looks++; p.looks > looks || e.cfg.Crowded {
			p.looks, rested = 0, true
			if p.rest(e); p.over {
				return false
			}
		}
		if e.ready() || op != nil && op.done.Load() || w != nil && len(w.ch) > 0 {
			e.learn(e.gifts.Load(), rested)
			return true
		}
		pause()
	}
}

// rest offers the core to others, and sees now and then whether it has been long
// enough.
func (p *pace) rest(e *Engine) {
	yield()
	p.tire(e)
}

// tire is rest without the offer.
func (p *pace) tire(e *Engine) {
	if p.yields++; p.yields%yieldsPerReading != 0 {
		return
	}
	runtime.Gosched()
	now := e.cfg.Clock.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	limit := spinFor
	if e.cfg.Crowded {
		limit = crowdFor
	}
	p.over = now.Sub(p.begun) >= limit
}

// ready reports whether a link that can be driven has work, or a large message
// parts to be copied.
func (e *Engine) ready() bool {
	if e.nmoves.Load() > 0 {
		return true
	}
	for _, p := range e.pollers {
		if p.Ready() {
			return true
		}
	}
	return false
}
