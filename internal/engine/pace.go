package engine

import (
	"runtime"
	"time"
)

// How long a waiting thread keeps at it before it parks. Waking a parked thread
// costs tens of microseconds where its core has gone to sleep, so a core of one's
// own is worth spinning on for about as long, and yielding for a while after
// that costs others nothing. Where ranks exceed cores, the rank that would send
// the message may be waiting for this very core: then nothing but yielding makes
// sense, each time.
const (
	spinFor  = 20 * time.Microsecond  // at full speed, with a core of one's own
	yieldFor = 500 * time.Microsecond // all in all, with a core of one's own
	crowdFor = 100 * time.Microsecond // all in all, where ranks exceed cores

	// looks is how often a spinning thread looks for news between two readings
	// of the clock, some microseconds apart. At each reading it lets the
	// program's other goroutines have the processor too.
	looks = 256

	// quickLooks is how often a thread that waits for one operation polls without
	// letting go of the lock in between: less than a microsecond, in which an answer
	// often comes.
	quickLooks = 64

	// yieldsPerReading is how many yields there are for one reading of the clock.
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
		// Also where there is news at every look, which may come to nothing.
		if p.looks++; p.looks > looks || p.yields > 0 || e.cfg.Crowded {
			p.looks = 0
			if p.rest(e); p.over {
				return false
			}
		}
		if e.ready() || op != nil && op.done.Load() || w != nil && len(w.ch) > 0 {
			return true
		}
		pause()
	}
}

// rest passes the time that is due between two looks, and sees when it is over.
// The clock is read at one of several rests only, and where ranks exceed cores not
// at the first.
func (p *pace) rest(e *Engine) {
	if e.cfg.Crowded && p.yields == 0 {
		p.yields = 1
	}
	if p.yields%yieldsPerReading != 0 {
		p.yields++
		yield()
		return
	}
	runtime.Gosched()
	now := e.cfg.Clock.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	limit := yieldFor
	if e.cfg.Crowded {
		limit = crowdFor
	}
	waited := now.Sub(p.begun)
	p.over = waited >= limit
	if waited >= spinFor || e.cfg.Crowded {
		p.yields++
		yield()
	}
}

// ready reports whether a link that can be driven has work.
func (e *Engine) ready() bool {
	for _, p := range e.pollers {
		if p.Ready() {
			return true
		}
	}
	return false
}
