package rank

import (
	"context"
	"errors"
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
	t := r.c.job.engine.Turn()
	elem := t.Unit(r.ref)
	t.End()
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
