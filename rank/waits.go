package rank

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/muster-mpi/muster/internal/engine"
)

// StatusError is ErrInStatus: some of several operations failed
// (MPI_ERR_IN_STATUS, MPI 4.1 §3.7.5). Errs has an entry for each, in the order
// of the requests, or of the Completions returned with it: nil, its error, or
// ErrPending for one that is not complete. errors.Is finds the class of any.
type StatusError struct{ Errs []error }

// Error counts the operations that failed and tells of the first.
func (s *StatusError) Error() string {
	n := 0
	var first error
	at := 0
	for i, err := range s.Errs {
		if err != nil && !errors.Is(err, ErrPending) {
			if n++; first == nil {
				first, at = err, i
			}
		}
	}
	return fmt.Sprintf("%v: %d of %d, first request %d: %v", ErrInStatus, n, len(s.Errs), at, first)
}

// Is reports whether target is ErrInStatus, for errors.Is.
func (s *StatusError) Is(target error) bool { return target == ErrInStatus }

// Unwrap returns the errors of the operations that failed.
func (s *StatusError) Unwrap() []error { return failed(s.Errs) }

// failed returns those of errs that are not nil.
func failed(errs []error) []error {
	return slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
}

// Completion is one request that WaitSome or TestSome found complete.
type Completion struct {
	Index  int // in the list given
	Status Status
	Err    error
}

// WaitAll returns when all of rs are complete (MPI_Waitall). Null requests and
// an empty list are complete. If some failed the error is a *StatusError
// (ErrInStatus). If ctx ends first the error is its cause, and if some failed
// until then it is in a *StatusError with theirs: requests found complete are
// ended, the others go on.
func WaitAll(ctx context.Context, rs ...Request) error {
	return waitAll(ctx, rs, nil)
}

// WaitAllStatus is WaitAll that returns the statuses too, in the order of rs.
func WaitAllStatus(ctx context.Context, rs ...Request) ([]Status, error) {
	statuses := make([]Status, len(rs))
	return statuses, waitAll(ctx, rs, statuses)
}

func waitAll(ctx context.Context, rs []Request, statuses []Status) error {
	var errs []error
	for i := 0; i < len(rs); i++ {
		n, s, err := waitRun(ctx, rs[i:], statuses, i)
		if i += n; i == len(rs) {
			break
		}
		r := &rs[i]
		if statuses != nil {
			statuses[i] = s
		}
		if errs == nil {
			errs = make([]error, len(rs))
		}
		errs[i] = err
		if ctx.Err() != nil && r.live() {
			if len(failed(errs[:i])) == 0 {
				return err
			}
			errs[i] = fmt.Errorf("%w: %w", ErrPending, err)
			for k := i + 1; k < len(rs); k++ {
				if rs[k].live() {
					errs[k] = ErrPending
				}
			}
			return &StatusError{errs}
		}
	}
	if errs != nil {
		return &StatusError{errs}
	}
	return nil
}

// turnLength is for how many requests waitRun holds the engine's lock. It is long for
// a window of messages and short for another goroutine.
const turnLength = 64

// waitRun waits for the requests of rs in turn, until one fails. It returns how many did
// not, and that one's outcome. The statuses of rs begin at the given place; nil: nobody
// asks.
func waitRun(ctx context.Context, rs []Request, statuses []Status, at int) (n int, _ Status, _ error) {
	for n < len(rs) {
		r := &rs[n]
		if r.c == nil {
			if err := r.early(); err != nil {
				return n, emptyStatus, err
			}
			if statuses != nil {
				statuses[at+n] = emptyStatus
			}
			n++
			continue
		}
		e := r.c.job.engine
		t := e.Turn()
		for k := 0; k < turnLength && n < len(rs) && rs[n].c != nil && rs[n].c.job.engine == e; k++ {
			r = &rs[n]
			elem := 0
			if statuses != nil {
				elem = t.Unit(r.ref)
			}
			s, err := t.Wait(ctx, r.ref)
			if err != nil {
				t.End()
				s, err := r.finish(s, elem, err)
				return n, s, err
			}
			if statuses != nil {
				statuses[at+n] = statusOf(s, elem)
			}
			n++
		}
		t.End()
	}
	return n, Status{}, nil
}

// WaitAny returns when one of rs is complete, and ends that one: its index,
// status and error (MPI_Waitany). Null requests are passed over; if there is no
// other the index is Undefined, at once. In a slice given as rs... the request
// that was ended is replaced by the null request, so that a loop can call WaitAny
// until it is Undefined. If ctx ends first the index is Undefined and the error
// ErrPending with its cause.
// None starves: the search begins at another place each time. Requests of
// different jobs cannot be mixed. Errors: those of the operation, ErrRequest,
// ErrConcurrent.
func WaitAny(ctx context.Context, rs ...Request) (int, Status, error) {
	if i := early(rs); i >= 0 {
		err := rs[i].early()
		rs[i] = Request{}
		return i, emptyStatus, err
	}
	e, refs := refs(rs)
	if e == nil {
		return Undefined, emptyStatus, nil
	}
	t := e.Turn()
	i, err := t.WaitAny(ctx, refs)
	var s engine.Status
	elem := 0
	if err == nil && i >= 0 {
		elem = t.Unit(refs[i])
		s, err = t.Wait(ctx, refs[i])
	}
	t.End()
	if i < 0 {
		return Undefined, emptyStatus, err
	}
	status, err := rs[i].finish(s, elem, err)
	rs[i] = Request{}
	return i, status, err
}

// WaitSome returns when at least one of rs is complete, and ends all that are
// (MPI_Waitsome); each is replaced as by WaitAny.
// It returns nil if there is none but null requests. If some failed the error is a
// *StatusError (ErrInStatus), and each Completion has its own. If ctx ends first
// the error is its cause.
func WaitSome(ctx context.Context, rs ...Request) ([]Completion, error) {
	i, s, err := WaitAny(ctx, rs...)
	if i == Undefined {
		return nil, err
	}
	more, _ := TestSome(rs...)
	return inStatus(append([]Completion{{i, s, err}}, more...))
}

// TestAll reports whether all of rs are complete, and if so ends them and returns
// their statuses and the error of WaitAll; else it leaves all as they are
// (MPI_Testall).
func TestAll(rs ...Request) ([]Status, bool, error) {
	for _, r := range rs {
		if _, done, err := r.Peek(); !done && err == nil {
			return nil, false, nil
		}
	}
	statuses, err := WaitAllStatus(context.Background(), rs...)
	return statuses, true, err
}

// TestAny is WaitAny without waiting; false if none was complete
// (MPI_Testany). With null requests only, it is Undefined and true. Errors: as
// WaitAny.
func TestAny(rs ...Request) (int, Status, bool, error) {
	null := true
	for i, r := range rs {
		if r.IsNull() {
			continue
		}
		null = false
		if s, done, err := r.Test(); done || err != nil {
			rs[i] = Request{}
			return i, s, true, err
		}
	}
	return Undefined, emptyStatus, null, nil
}

// TestSome is WaitSome without waiting: it ends all of rs that are complete and
// returns them, nil if there is none (MPI_Testsome). If some failed the error is a
// *StatusError (ErrInStatus).
func TestSome(rs ...Request) ([]Completion, error) {
	var found []Completion
	for i, r := range rs {
		if r.IsNull() {
			continue
		}
		if s, done, err := r.Test(); done || err != nil {
			rs[i] = Request{}
			found = append(found, Completion{i, s, err})
		}
	}
	return inStatus(found)
}

func inStatus(found []Completion) ([]Completion, error) {
	errs := make([]error, len(found))
	failed := false
	for i, f := range found {
		errs[i] = f.Err
		failed = failed || f.Err != nil
	}
	if failed {
		return found, &StatusError{errs}
	}
	return found, nil
}

// early returns the index of a request that could not be started, or -1.
func early(rs []Request) int {
	for i := range rs {
		if rs[i].early() != nil {
			return i
		}
	}
	return -1
}

// refs returns the engine of rs and what it calls them; nil if all are null.
func refs(rs []Request) (*engine.Engine, []engine.Ref) {
	var e *engine.Engine
	list := make([]engine.Ref, len(rs))
	for i, r := range rs {
		if r.c != nil {
			e = r.c.job.engine
			list[i] = r.ref
		}
	}
	return e, list
}
