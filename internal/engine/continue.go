package engine

// continuation is what follows an operation that is complete.
type continuation struct {
	f      func(Status, error)
	status Status
	err    error
}

// Continue ends r and has f called once, with what Wait would have returned, when r
// is complete: by the thread that finds it so, which is one that waits for something
// else as well as one that looks after the links, with no lock held. So f must not
// block, and is best short; where links have goroutines of their own it is called as
// by Then. If r is complete already f is not called, and done is true.
func (e *Engine) Continue(r Ref, f func(Status, error)) (status Status, done bool, err error) {
	if r.IsNull() {
		return EmptyStatus, true, nil
	}
	e.mu.Lock()
	op := r.live()
	switch {
	case op == nil:
		e.mu.Unlock()
		return Status{}, true, ErrStale
	case op.claimed:
		e.mu.Unlock()
		return Status{}, true, ErrConcurrent
	case op.phase == complete:
		status, err := e.collect(op)
		return status, true, err
	}
	op.claimed, op.then, op.inline = true, f, true
	e.leave()
	return Status{}, false, nil
}

// Withdraw cancels an operation that nothing has matched, as the end of its context
// does in a blocking call; of anything else it is without effect. r must still be
// waited for, or continues. It never blocks.
func (e *Engine) Withdraw(r Ref) {
	if r.IsNull() {
		return
	}
	e.mu.Lock()
	if op := r.live(); op != nil && op.phase != complete {
		e.cancel(op)
	}
	e.leave()
	e.Idle()
}
