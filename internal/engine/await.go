package engine

import (
	"context"
	"runtime"
	"time"
)

// Awaited is something that other ranks of the host bring about in memory that
// they share, without a message.
type Awaited interface {
	// Ready reports whether it has come about. It costs a load or two.
	Ready() bool
	// Sleep returns when it may have come about, or after d.
	Sleep(d time.Duration)
}

// sleepFor is how long a thread in Await sleeps before it looks after its links,
// and at what may have ended its wait.
const sleepFor = 20 * time.Millisecond

// Two ranks may be on one core though each could have its own: then what one waits
// for comes about only once it yields, and a look before that is in vain. Who has found
// it so giftsToLearn times in a row goes to another core, if it can; until that has helped it
// yields at once, and tries looking again each time after giftsToDoubt.
const (
	giftsToLearn = 4
	giftsToDoubt = 64
)

// goroutineLooks is how often a goroutine rank looks before it offers its thread to
// the others, which costs it a tenth of a microsecond: the one that it waits for may
// stand behind it in a queue of the scheduler's, whatever the number of cores.
const goroutineLooks = 4

// Await returns when a is ready. Until then the thread waits as for a message: it
// drives the links while that pays, and then sleeps. Every rank of c is needed for
// a to become ready, so the error is that of the first found dead, what ended
// the engine, or ctx's cause. idle is called now and then once the thread sleeps;
// an error of it ends the wait too.
func (e *Engine) Await(ctx context.Context, c *Context, a Awaited, idle func() error) error {
	gifts := e.gifts.Load()
	together := e.cfg.Crowded || gifts >= giftsToLearn
	quick, most := quickLooks, looks
	if len(e.pollers) == 0 {
		quick, most = 4*goroutineLooks, goroutineLooks
	}
	if !together {
		for range quick {
			if a.Ready() {
				e.learn(gifts, false)
				return nil
			}
			pause()
		}
	}
	var p pace
	for {
		if p.looks++; p.looks > most || together {
			p.looks = 0
			if len(e.pollers) > 0 {
				p.rest(e)
			} else {
				// Goroutines: it is their turn, not another process's.
				runtime.Gosched()
				p.tire(e)
			}
			if a.Ready() {
				e.learn(gifts, true)
				return nil
			}
			if err := e.hopeless(ctx, c); err != nil {
				return verdict(a, err)
			}
			if p.over {
				break
			}
		}
		if a.Ready() {
			e.learn(gifts, false)
			return nil
		}
		if e.ready() {
			e.drive()
		}
		pause()
	}
	e.learn(gifts, false)
	return e.Asleep(func() error { return e.sleepUntil(ctx, c, a, idle) })
}

// learn notes whether what was awaited came about while others had the core; gifts is how
// often in a row it had before.
func (e *Engine) learn(gifts int32, gift bool) {
	switch {
	case !gift && gifts > 0:
		e.gifts.Store(0)
	case !gift:
	case gifts+1 == giftsToLearn && !e.cfg.Crowded && len(e.pollers) > 0:
		e.gifts.Store(giftsToLearn)
		e.leaveCore()
	case gifts+1 >= giftsToDoubt:
		e.gifts.Store(giftsToLearn - 1)
	default:
		e.gifts.Store(gifts + 1)
	}
}

// sleepUntil is the part of Await for who has waited long. Others may depend on this
// rank's links meanwhile, so they ring.
func (e *Engine) sleepUntil(ctx context.Context, c *Context, a Awaited, idle func() error) error {
	for !a.Ready() {
		e.mu.Lock()
		e.doze()
		e.mu.Unlock()
		e.work()
		a.Sleep(sleepFor)
		if a.Ready() {
			return nil
		}
		if err := e.hopeless(ctx, c); err != nil {
			return verdict(a, err)
		}
		if err := idle(); err != nil {
			return verdict(a, err)
		}
	}
	return nil
}

// verdict is err, unless a has come about after all: a rank may bring it about and die
// between a look at a and one at the ranks.
func verdict(a Awaited, err error) error {
	if a.Ready() {
		return nil
	}
	return err
}

// hopeless returns why something that needs every rank of c will not come about.
func (e *Engine) hopeless(ctx context.Context, c *Context) error {
	if err := e.over(); err != nil {
		return err
	}
	if c.freeing.Load() {
		return ErrFreed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e.failures.Load() > 0 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.unreachable(&Envelope{Context: c, All: true})
	}
	return nil
}
