package rank

import (
	"context"
	"errors"

	"github.com/muster-mpi/muster/internal/engine"
)

// Conclude is Wait that gives the operation up if ctx ends first: a message that
// nothing has matched is taken back, a receive that nothing has matched is
// withdrawn, and the error is ErrCancelled with ctx's cause; what has matched
// completes. When it returns the buffer is the caller's again, and r has ended.
// Errors: as Wait, without ErrPending.
func (r Request) Conclude(ctx context.Context) (Status, error) {
	if r.c == nil {
		return emptyStatus, r.early()
	}
	elem := r.unit()
	s, err := r.c.job.engine.Conclude(ctx, r.ref)
	return r.finish(s, elem, err)
}

// NewPersistent returns a Persistent whose rounds are what start begins: a
// persistent operation of the caller's own making. start is not called before the
// Request of the last round has ended. What is wrong with the arguments is err,
// which Start then returns.
func NewPersistent(start func() Request, err error) *Persistent {
	if start == nil && err == nil {
		err = errors.New("rank: NewPersistent: the function is nil")
	}
	return &Persistent{start: start, err: err}
}

// Failed returns a Request that is complete with err, as that of a call whose
// arguments are wrong.
func Failed(err error) Request { return refused(err) }

// Continue ends r and has f called once, with what Wait would have returned, when r
// is complete: by whichever thread finds it so, mostly one that waits for something
// in a call of this package. f must therefore not block; it may start operations.
// If r is complete already f is not called, and done is true with the outcome. It is
// for libraries that do in steps what one call promises; see Then for all else.
// Errors, with done: as Test.
func (r Request) Continue(f func(Status, error)) (status Status, done bool, err error) {
	if r.c == nil {
		return emptyStatus, true, r.early()
	}
	elem := r.unit()
	s, done, err := r.c.job.engine.Continue(r.ref, func(s engine.Status, err error) { f(r.finish(s, elem, err)) })
	if !done {
		return Status{}, false, nil
	}
	status, err = r.finish(s, elem, err)
	return status, true, err
}

// Withdraw is Cancel that takes back a send as well, if nothing has matched it. The
// error of the operation is then ErrCancelled.
func (r Request) Withdraw() {
	if r.c != nil {
		r.c.job.engine.Withdraw(r.ref)
	}
}
