package collectives

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/rank"
)

// Classes of errors of this package's own; others are package rank's.
var (
	// ErrGivenUp is the class of errors of collectives on a communicator on which one
	// was given up: a context ended, a rank failed, or calls did not match. Not all
	// ranks know how far that one came, so none follows it.
	ErrGivenUp = errors.New("collectives on the communicator were given up")
	// ErrOverlap is the class of errors about a source and a destination that share
	// elements but are not the same.
	ErrOverlap = errors.New("source and destination overlap")
)

// plan is a collective call in the making.
type plan[T any] struct {
	c    *rank.Comm
	name string
	call schedule.Call
	mem  [schedule.Buffers][]T
	op   Op[T]
	set  settings
	err  error

	behind bool // the program's call has returned, and others' stacks say nothing of it

	ready *compiled // the schedule, where no algorithm is chosen

	// Of calls whose buffers stand for others, nil else: what fills In when the call,
	// or a round of it, begins, what empties Out, and where its result then is.
	pack   func()
	unpack func()
	result []T

	// byHand carries the call out where the lengths of its messages are not known
	// before they come, so that there is no schedule. Nil for most.
	byHand func(*run) error
}

// begin begins the plan of a call. Plans are filled in where they lie, since they are
// large.
func (p *plan[T]) begin(c *rank.Comm, name string, op schedule.Operation, opts []Option) {
	p.c, p.name = c, name
	p.set.settle(opts)
	p.call.Op = op
	if c == nil {
		p.err = rank.ErrComm
		return
	}
	p.call.Rank, p.call.Size, p.call.Segment = c.Rank(), c.Size(), p.set.segment
	p.err = datatype.Check[T]()
	if p.set.segment < 0 {
		p.refuse("a segment of %d elements", p.set.segment)
	}
}

// refuse notes that an argument is wrong.
func (p *plan[T]) refuse(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: "+format, append([]any{rank.ErrArgument}, args...)...)
	}
}

// rooted gives the plan its root, which every rank checks before anything is sent
// (SEMANTICS 36).
func (p *plan[T]) rooted(root int) {
	if p.err == nil && (root < 0 || root >= p.call.Size) {
		p.err = fmt.Errorf("%w: root %d, legal are 0 to %d", rank.ErrRank, root, p.call.Size-1)
	}
	p.call.Root = root
}

// reducing gives the plan its operation.
func (p *plan[T]) reducing(op Operation[T]) {
	if op == nil {
		p.refuse("the operation is nil")
		return
	}
	if p.op = op(); p.op.Apply == nil {
		p.refuse("operation %q has no function", p.op.Name)
	}
}

// isRoot reports whether this rank is the root.
func (p *plan[T]) isRoot() bool { return p.call.Rank == p.call.Root }

// sameOrApart reports whether src is dst, and refuses what overlaps in part.
func (p *plan[T]) sameOrApart(dst, src []T) (same bool) {
	if len(dst) == 0 || len(src) == 0 {
		return false
	}
	if unsafe.SliceData(dst) == unsafe.SliceData(src) && len(dst) == len(src) {
		return true
	}
	var zero T
	d, s := uintptr(unsafe.Pointer(unsafe.SliceData(dst))), uintptr(unsafe.Pointer(unsafe.SliceData(src)))
	size := unsafe.Sizeof(zero)
	if d < s+size*uintptr(len(src)) && s < d+size*uintptr(len(dst)) && p.err == nil {
		p.err = fmt.Errorf("%w: %w: %d elements to and %d from memory that is neither the same nor apart",
			rank.ErrArgument, ErrOverlap, len(dst), len(src))
	}
	return false
}

// describe returns what r carries out. Programs make the same call again and again,
// so r keeps the last ones.
func (p *plan[T]) describe(r *run, m mode, algorithm string) *described {
	root, count := -1, p.call.Count
	if p.call.Op.Rooted() && p.call.Root >= 0 {
		root = p.call.Root
	}
	if p.call.From.Counts != nil || p.ready != nil {
		count = -1 // each pair of ranks has its own
	}
	element := reflect.TypeFor[T]()
	for _, d := range r.recent {
		if d != nil && d.op == p.call.Op && d.count == count && d.root == root && d.mode == m && d.element == element &&
			d.name == p.name && d.operation == p.op.Name && d.algorithm == algorithm && slices.Equal(d.counts, p.call.Of.Counts) {
			return d
		}
	}
	d := &described{
		mode: m, name: p.name, op: p.call.Op, root: root, count: count, counts: slices.Clone(p.call.Of.Counts),
		element: element, operation: p.op.Name, algorithm: algorithm,
	}
	d.print = d.fingerprint()
	r.recent[r.oldest] = d
	r.oldest = (r.oldest + 1) % len(r.recent)
	return d
}

// fail makes the error of the call, an *rank.Error, and does what the communicator's
// policy says. Nil stays nil.
func (p *plan[T]) fail(m mode, err error) error {
	if err == nil {
		return nil
	}
	e := &rank.Error{Op: p.name, Comm: "nil", Rank: rank.Undefined, Peer: rank.Null, Tag: rank.AnyTag, Err: err}
	if m == nonblocking {
		e.Op = "I" + p.name
	} else if m == persistent {
		e.Op += "Init"
	}
	if at := (*peerError)(nil); errors.As(err, &at) {
		e.Err = at.err
	}
	if p.c != nil {
		e.Comm, e.Rank = p.c.Name(), p.c.Rank()
		if !p.behind {
			e.Site = engine.CallSite()
		}
		if p.c.ErrorPolicy() == rank.AbortOnError {
			p.c.Abort(1, e.Error())
		}
	}
	return e
}

// class returns which brackets the call permits.
func (p *plan[T]) class() class {
	switch {
	case !p.call.Op.Reduces():
		return anyBrackets
	case !p.set.anyOrder && !isExact[T]():
		return canonicalOnly
	case !p.op.Commutes:
		return orderedOnly
	}
	return anyBrackets
}

// compile returns the schedule of the call. Those without counts of their own are kept.
func (p *plan[T]) compile(s *state) (*compiled, error) {
	if p.ready != nil {
		return p.ready, nil
	}
	var zero T
	using := p.set.using
	if using == sharedName && p.call.Size == 1 {
		using = "" // alone a rank has nobody to share with, and nothing to do
	}
	k := key{
		op: p.call.Op, root: p.call.Root, count: p.call.Count, inPlace: p.call.InPlace, class: p.class(),
		using: using, segment: p.call.Segment, elem: int(unsafe.Sizeof(zero)),
	}
	of, from, to := &p.call.Of, &p.call.From, &p.call.To
	keep := of.Counts == nil && of.Displs == nil && from.Counts == nil && from.Displs == nil && to.Counts == nil && to.Displs == nil
	if keep {
		if c := s.kept(k); c != nil {
			return c, nil
		}
	}
	p.call.Hosts = s.below.Hosts
	if p.call.Segment == 0 {
		p.call.Segment = tune.Segment(k.elem)
	}
	a, err := s.choose(tune.Query{Call: &p.call, Width: k.elem, Order: k.class.order(), Using: using})
	if err != nil {
		return nil, err
	}
	sched := schedule.New(p.call)
	a.Build(sched, &p.call)
	c := compile(sched, a.Name)
	if keep {
		s.keep(k, c)
	}
	return c, nil
}
