package engine

import (
	"context"
	"time"

	"github.com/muster-mpi/muster/internal/record"
)

// How a rank waits. The thread that waits drives the links that can be driven
// (poll.go) for as long as that pays (pace.go), and then parks. Links that cannot
// be driven have goroutines of their own, which need the processor more than a
// waiting rank does, so without others there is no spinning. What is parked costs
// nothing; what stays parked for a millisecond is stamped with its time and call
// site, so that a report can name it.

// stampAfter is how long an operation blocks before it is stamped.
const stampAfter = time.Millisecond

// waiter is a goroutine that waits for one or more operations or for a
// message. Its fields are guarded by Engine.mu.
type waiter struct {
	ch         chan struct{} // capacity 1: a wake is never lost and never blocks
	prev, next *waiter       // in Engine.parked
	stamp      stampState
}

// stampState is how far a waiter is with being stamped.
type stampState uint8

const (
	unstamped stampState = iota
	noticed              // the clock has found it asleep once
	asked                // twice, so it slept for stampAfter: it is to stamp itself
	stamped
)

func (w *waiter) wake() {
	select {
	case w.ch <- struct{}{}:
	default:
	}
}

// waiterList is a list of parked waiters.
type waiterList struct{ head *waiter }

func (l *waiterList) add(w *waiter) {
	w.prev, w.next = nil, l.head
	if l.head != nil {
		l.head.prev = w
	}
	l.head = w
}

func (l *waiterList) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
}

// orForever returns ctx, or for a nil one a context that never ends: a panic in
// the midst of an operation would leave it half done.
func orForever(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// newWaiter takes a waiter from the pool. Engine.mu is held.
func (e *Engine) newWaiter() *waiter {
	n := len(e.waiters)
	if n == 0 {
		return &waiter{ch: make(chan struct{}, 1)}
	}
	w := e.waiters[n-1]
	e.waiters = e.waiters[:n-1]
	select {
	case <-w.ch: // a wake that came too late for its last owner
	default:
	}
	w.stamp = unstamped
	return w
}

// park sleeps until w is woken or ctx ends; it may also return for no reason.
// slot, the record of op or of a call without one, is stamped once it has slept
// for a while. Engine.mu is held on entry and on return, but not meanwhile.
func (e *Engine) park(ctx context.Context, w *waiter, slot record.Slot, op *Op) error {
	if len(e.pollers) > 0 {
		if !e.doze() && e.watchers == 0 {
			// Something has come that would not have rung.
			e.tend()
			return nil
		}
		e.arm(&e.checker, recheckEvery)
	}
	e.parked.add(w)
	e.sleep()
	if w.stamp != stamped {
		e.arm(&e.stamper, stampAfter)
	}
	e.mu.Unlock()
	var err error
	if done := ctx.Done(); done == nil {
		<-w.ch
	} else {
		select {
		case <-w.ch:
		case <-done:
			err = context.Cause(ctx)
		}
	}
	e.mu.Lock()
	e.parked.remove(w)
	e.wakeUp()
	if w.stamp == asked {
		w.stamp = stamped
		e.mu.Unlock()
		now, site := e.cfg.Clock.Now().UnixNano(), CallSite()
		e.mu.Lock()
		if op == nil || op.phase != complete {
			slot.Block(e.records, now, site)
		}
	}
	return err
}

// Asleep calls wait, which waits for other ranks by other means than a message.
func (e *Engine) Asleep(wait func() error) error {
	e.mu.Lock()
	e.sleep()
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.wakeUp()
		e.mu.Unlock()
	}()
	return wait()
}

// sleep notes that a goroutine sleeps in a call; the rank is taken to wait for others as
// long as one does. Engine.mu is held.
func (e *Engine) sleep() {
	if e.asleep++; e.asleep == 1 {
		e.records.Sleep(e.cfg.Clock.Now())
	}
}

// wakeUp notes that it goes on. Engine.mu is held.
func (e *Engine) wakeUp() {
	if e.asleep--; e.asleep == 0 {
		e.records.WakeUp(e.cfg.Clock.Now())
	}
}

// alarm is a timer that is made at its first use. Engine.mu guards it; its
// function takes the lock and clears armed.
type alarm struct {
	f     func() // kept, since a method value is made anew each time
	timer Timer
	armed bool
}

// arm sets an alarm that is not set. Engine.mu is held.
func (e *Engine) arm(a *alarm, d time.Duration) {
	switch {
	case a.armed:
		return
	case a.timer == nil:
		a.timer = e.cfg.Clock.AfterFunc(d, a.f)
	default:
		a.timer.Reset(d)
	}
	a.armed = true
}

// recheck looks at the links in case a ring was lost, for as long as somebody is
// parked.
func (e *Engine) recheck() {
	e.mu.Lock()
	e.checker.armed = false
	if e.parked.head != nil && e.over() == nil {
		e.arm(&e.checker, recheckEvery)
		if e.watchers == 0 {
			e.tend()
		}
	}
	e.mu.Unlock()
	e.work()
}

// stampParked asks every waiter that has slept for stampAfter to stamp itself,
// and comes again while there is one that it cannot tell of yet.
func (e *Engine) stampParked() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stamper.armed = false
	for w := e.parked.head; w != nil; w = w.next {
		switch w.stamp {
		case unstamped:
			w.stamp = noticed
			e.arm(&e.stamper, stampAfter)
		case noticed:
			w.stamp = asked
			w.wake()
		}
	}
}
