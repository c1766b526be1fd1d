package engine

import "context"

// Turn is several calls for one taking of the lock: it begins with Engine.Turn and
// ends with End. In between the engine stands still but where a call waits, so it is
// short, and nothing else is called that might call the engine.
type Turn struct{ e *Engine }

// Turn begins a Turn.
func (e *Engine) Turn() Turn {
	e.mu.Lock()
	return Turn{e}
}

// End ends the Turn.
func (t Turn) End() { t.e.leave() }

// Unit returns Envelope.Unit of r; 0 if r is null or stale. Wait and Test end r, so it
// is to be asked before.
func (t Turn) Unit(r Ref) int {
	if r.IsNull() {
		return 0
	}
	if op := r.live(); op != nil {
		return op.env.Unit
	}
	return 0
}

// Wait is Engine.Wait.
func (t Turn) Wait(ctx context.Context, r Ref) (Status, error) {
	if r.IsNull() {
		return EmptyStatus, nil
	}
	return t.e.wait(ctx, r, len(t.e.pollers) > 0)
}

// WaitAny is Engine.WaitAny that ends nothing: an operation whose index it returns
// without an error is complete, and Wait ends it.
func (t Turn) WaitAny(ctx context.Context, rs []Ref) (int, error) { return t.e.waitAny(ctx, rs) }

// Test is Engine.Test.
func (t Turn) Test(r Ref) (Status, bool, error) {
	if r.IsNull() {
		return EmptyStatus, true, nil
	}
	return t.e.test(r)
}

// Peek is Engine.Peek.
func (t Turn) Peek(r Ref) (Status, bool, error) {
	if r.IsNull() {
		return EmptyStatus, true, nil
	}
	return t.e.peek(r)
}
