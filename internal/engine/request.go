package engine

import (
	"context"
	"fmt"
)

// live returns r's operation if r is not stale. Engine.mu is held.
func (r Ref) live() *Op {
	if r.op.gen != r.gen {
		return nil
	}
	return r.op
}

// Wait returns when r is complete and ends it: another Wait is ErrStale. If ctx
// ends first, the error is ErrPending with ctx's cause and r goes on; of two
// goroutines that wait for r the second gets ErrConcurrent. A null request is
// complete, with EmptyStatus.
func (e *Engine) Wait(ctx context.Context, r Ref) (Status, error) {
	if r.IsNull() {
		return EmptyStatus, nil
	}
	e.mu.Lock()
	status, err := e.wait(ctx, r, len(e.pollers) > 0)
	e.leave()
	return status, err
}

// wait is Wait; with watch it drives the links before it parks. Engine.mu is held
// on entry and return, and given up while it waits.
func (e *Engine) wait(ctx context.Context, r Ref, watch bool) (Status, error) {
	op := r.live()
	switch {
	case op == nil:
		return Status{}, ErrStale
	case op.claimed:
		// Also if op is complete: the outcome is for who waited first.
		return Status{}, ErrConcurrent
	case op.phase == complete:
		return e.end(op)
	}
	op.claimed = true
	if watch {
		if e.watch(op); op.phase == complete {
			return e.end(op)
		}
	}
	ctx = orForever(ctx)
	w := e.newWaiter()
	op.waiter = w
	for op.phase != complete {
		if err := e.park(ctx, w, op.slot, op); err != nil && op.phase != complete {
			op.claimed, op.waiter = false, nil
			e.waiters = append(e.waiters, w)
			return Status{}, fmt.Errorf("%w: %w", ErrPending, err)
		}
	}
	e.waiters = append(e.waiters, w)
	return e.end(op)
}

// end ends a complete operation. Engine.mu is held.
func (e *Engine) end(op *Op) (Status, error) {
	status, err := op.status, op.err
	e.recycle(op)
	return status, err
}

// collect is end, and releases Engine.mu: as leave does, which is too large to be
// inlined here.
func (e *Engine) collect(op *Op) (Status, error) {
	status, err := e.end(op)
	chores := e.chores()
	e.mu.Unlock()
	if chores {
		e.work()
	}
	return status, err
}

// Conclude waits for a blocking call's operation and ends it. If ctx ends it
// cancels the operation and then waits for the outcome, which is not long in
// coming: from then on it depends on the peer's engine, not on its program. The
// error is then ErrCancelled with ctx's cause, or the operation's own.
func (e *Engine) Conclude(ctx context.Context, r Ref) (Status, error) {
	return e.conclude(ctx, r, len(e.pollers) > 0)
}

// conclude is Conclude; with watch it drives the links before it parks.
func (e *Engine) conclude(ctx context.Context, r Ref, watch bool) (Status, error) {
	ctx = orForever(ctx)
	e.mu.Lock()
	status, err := e.wait(ctx, r, watch)
	e.leave()
	cause := context.Cause(ctx)
	if err == nil || cause == nil {
		return status, err
	}
	e.mu.Lock()
	op := r.live()
	if op == nil { // it was over, with an error of its own
		e.mu.Unlock()
		return status, err
	}
	if op.phase != complete {
		e.cancel(op)
	}
	e.mu.Unlock()
	e.Idle()
	status, err = e.Wait(context.Background(), r)
	if err == ErrCancelled {
		err = fmt.Errorf("%w: %w", ErrCancelled, cause)
	}
	return status, err
}

// cancel starts to cancel op. Engine.mu is held.
func (e *Engine) cancel(op *Op) {
	switch op.phase {
	case posted:
		e.cancelRecv(op)
	case queued, offered:
		e.cancelSend(op)
	}
}

// Cancel cancels a receive that nothing has matched; of anything else it is
// without effect. r must still be waited for. It never blocks.
func (e *Engine) Cancel(r Ref) error {
	if r.IsNull() {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	op := r.live()
	if op == nil {
		return ErrStale
	}
	e.cancelRecv(op)
	return nil
}

// Test is Wait without waiting: it reports whether r was complete, and ends it
// if so.
func (e *Engine) Test(r Ref) (Status, bool, error) {
	if r.IsNull() {
		return EmptyStatus, true, nil
	}
	e.mu.Lock()
	status, done, err := e.test(r)
	e.leave()
	return status, done, err
}

// test is Test. Engine.mu is held on entry and return, and given up for a look at
// the links.
func (e *Engine) test(r Ref) (Status, bool, error) {
	op := e.current(r)
	switch {
	case op == nil:
		return Status{}, false, ErrStale
	case op.phase != complete:
		return Status{}, false, nil
	case op.claimed:
		return Status{}, false, ErrConcurrent
	}
	status, err := e.end(op)
	return status, true, err
}

// current returns r's operation as it is after a look at the links; nil if r is
// stale. Engine.mu is held, and given up meanwhile.
func (e *Engine) current(r Ref) *Op {
	op := r.live()
	if op == nil || op.phase == complete || len(e.pollers) == 0 {
		return op
	}
	e.mu.Unlock()
	e.drive()
	e.mu.Lock()
	return r.live()
}

// Peek reports whether r is complete, and how, without ending it
// (MPI_Request_get_status).
func (e *Engine) Peek(r Ref) (Status, bool, error) {
	if r.IsNull() {
		return EmptyStatus, true, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peek(r)
}

// peek is Peek; as test.
func (e *Engine) peek(r Ref) (Status, bool, error) {
	op := e.current(r)
	switch {
	case op == nil:
		return Status{}, false, ErrStale
	case op.phase != complete:
		return Status{}, false, nil
	}
	return op.status, true, op.err
}

// WaitAny returns when one of rs is complete and ends that one. Null requests
// are passed over; -1 if there is no other. Which of several is chosen changes
// from call to call, so that none starves.
func (e *Engine) WaitAny(ctx context.Context, rs []Ref) (int, Status, error) {
	e.mu.Lock()
	i, err := e.waitAny(ctx, rs)
	status := EmptyStatus
	if err == nil && i >= 0 {
		status, err = e.end(rs[i].op)
	}
	e.leave()
	return i, status, err
}

// waitAny is WaitAny that ends nothing: an operation whose index it returns without
// an error is complete. Engine.mu is held on entry and return, and given up while it
// waits.
func (e *Engine) waitAny(ctx context.Context, rs []Ref) (int, error) {
	ctx = orForever(ctx)
	var p pace
	var w *waiter
	release := func() {
		if w == nil {
			return
		}
		for _, r := range rs {
			if r.IsNull() {
				continue
			}
			if op := r.live(); op != nil && op.waiter == w {
				op.claimed, op.waiter = false, nil
			}
		}
		e.waiters = append(e.waiters, w)
	}
	for {
		i, pending, err := e.anyDone(rs, w)
		if err != nil || i >= 0 || pending == nil {
			release()
			return i, err
		}
		if w == nil {
			w = e.newWaiter()
			for _, r := range rs {
				if !r.IsNull() {
					r.op.claimed, r.op.waiter = true, w
				}
			}
		}
		if len(e.pollers) > 0 && !p.over {
			e.look(&p, w)
			continue
		}
		if err := e.park(ctx, w, pending.slot, pending); err != nil {
			if i, _, _ := e.anyDone(rs, w); i < 0 {
				release()
				return -1, fmt.Errorf("%w: %w", ErrPending, err)
			}
		}
	}
}

// anyDone returns the index of a complete request of rs, or one that is still
// pending, or neither. A request that is stale or that somebody but mine waits
// for is an error, with its index. Engine.mu is held.
func (e *Engine) anyDone(rs []Ref, mine *waiter) (int, *Op, error) {
	var pending *Op
	e.turn++
	for k := range rs {
		i := (k + int(e.turn)) % len(rs)
		r := rs[i]
		if r.IsNull() {
			continue
		}
		op := r.live()
		switch {
		case op == nil:
			return i, nil, ErrStale
		case op.claimed && (mine == nil || op.waiter != mine):
			return i, nil, ErrConcurrent
		case op.phase == complete:
			return i, nil, nil
		default:
			pending = op
		}
	}
	return -1, pending, nil
}

// Done returns a channel that is closed when r is complete. It does not end r.
func (e *Engine) Done(r Ref) <-chan struct{} {
	if !r.IsNull() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if op := r.live(); op != nil && op.phase != complete {
			if op.doneCh == nil {
				op.doneCh = make(chan struct{})
			}
			return op.doneCh
		}
	}
	return closedChannel
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Then ends r: f is called once with what Wait would have returned, when r is
// complete, on a goroutine of its own.
func (e *Engine) Then(r Ref, f func(Status, error)) error {
	if r.IsNull() {
		RunCallback(func() { f(EmptyStatus, nil) })
		return nil
	}
	e.mu.Lock()
	op := r.live()
	switch {
	case op == nil:
		e.mu.Unlock()
		return ErrStale
	case op.claimed:
		e.mu.Unlock()
		return ErrConcurrent
	case op.phase == complete:
		status, err := e.collect(op)
		RunCallback(func() { f(status, err) })
		return nil
	}
	op.claimed, op.then = true, f
	e.mu.Unlock()
	return nil
}

// Release ends r without waiting: the operation goes on and its outcome is
// dropped (MPI_Request_free).
func (e *Engine) Release(r Ref) error {
	if r.IsNull() {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	op := r.live()
	switch {
	case op == nil:
		return ErrStale
	case op.claimed:
		return ErrConcurrent
	case op.phase == complete:
		e.recycle(op)
		return nil
	}
	op.lost, op.claimed = true, true
	return nil
}
