package collectives

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/rank"
)

// run is a call being carried out. It is reused. It belongs to the thread that
// carries the call out, but for what others ask under state.mu.
type run struct {
	state    *state
	patience patience
	call     *described
	site     string // where the program made the call, once it is known; written under state.mu
	number   uint64
	print    uint64         // fingerprint of the call and those before it; of a round of its own alone
	tag      rank.Tag       // of the call's messages; the message's own number is added
	requests []rank.Request // by step
	scratch  []uint64
	naps     int // in the barrier under way
	box      any // *box[T] of the last blocking call
	recent   [8]*described
	oldest   int // of recent
	record   record.Slot

	// Of calls in the background; guarded by state.mu.
	stop func(error)
	seen bool // at a look before
}

// newRun returns a run of calls on s, one after the other.
func newRun(s *state) *run {
	r := &run{state: s}
	r.patience.init()
	return r
}

// A tag holds, from the top: whether the call is a round of a persistent
// operation; whether it is on an intercommunicator, some of whose messages stay in
// one group; the call's number; a fingerprint of its arguments; the message's number.
// So messages of different calls never match, and neither do those of one call
// whose arguments differ: what would be silent nonsense is a wait, which notes.go
// explains.
const (
	messageBits     = 18
	fingerprintBits = 20
	numberBits      = 23
	acrossBit       = messageBits + fingerprintBits + numberBits
	persistentBit   = acrossBit + 1
)

// label sets the tag of r's messages.
func (r *run) label(number uint64, persistent bool) {
	t := number & (1<<numberBits - 1) << (messageBits + fingerprintBits)
	t |= r.print & (1<<fingerprintBits - 1) << messageBits
	if persistent {
		t |= 1 << persistentBit
	}
	if r.state.near != nil {
		t |= 1 << acrossBit
	}
	r.tag = rank.Tag(t)
}

// compiled is a schedule as it is carried out.
type compiled struct {
	*schedule.Schedule
	algorithm string
	order     []int // of the steps: receives are posted as early as they can be

	once    sync.Once
	waiting [][]int // see dependents
}

// lookAhead is how many steps ahead a receive is looked for that can be posted.
const lookAhead = 64

// compile finds the order in which the steps of s are taken: theirs, but a receive
// is posted as soon as what it waits for is known to be complete. So no step waits
// for anything that it would not have waited for, and most messages find their
// receive.
func compile(s *schedule.Schedule, algorithm string) *compiled {
	c := &compiled{Schedule: s, algorithm: algorithm, order: make([]int, 0, len(s.Steps))}
	complete := make([]bool, len(s.Steps))
	taken := make([]bool, len(s.Steps))
	ready := func(t *schedule.Step) bool {
		for _, j := range t.After {
			if !complete[j] {
				return false
			}
		}
		return true
	}
	for i := range s.Steps {
		for k := i; k < min(i+lookAhead, len(s.Steps)); k++ {
			if t := &s.Steps[k]; t.Kind == schedule.RecvFrom && !taken[k] && ready(t) {
				taken[k] = true
				c.order = append(c.order, k)
			}
		}
		if taken[i] {
			continue
		}
		taken[i] = true
		c.order = append(c.order, i)
		t := &s.Steps[i]
		for _, j := range t.After {
			complete[j] = true
		}
		if t.Kind == schedule.Combine || t.Kind == schedule.Move {
			complete[i] = true
		}
	}
	return c
}

// memoryOf returns n elements of scratch memory that r owns.
func memoryOf[T any](r *run, n int) []T {
	var zero T
	words := (n*int(unsafe.Sizeof(zero)) + 7) / 8
	if words == 0 {
		return make([]T, n)
	}
	if words > len(r.scratch) {
		r.scratch = make([]uint64, words)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(r.scratch))), n)
}

// execute takes the steps of c. When it returns nothing touches mem any more.
func execute[T any](r *run, c *compiled, mem [schedule.Buffers][]T, op func(dst, a, b []T)) error {
	mem[schedule.Temp] = memoryOf[T](r, c.Temp)
	if n := len(c.Steps); n > len(r.requests) {
		r.requests = make([]rank.Request, n)
	}
	part := func(s schedule.Span) []T { return mem[s.Buf][s.Off : s.Off+s.Len : s.Off+s.Len] }
	for _, i := range c.order {
		t := &c.Steps[i]
		for _, j := range t.After {
			if err := wait[T](r, c, j); err != nil {
				return r.abandon(c, err)
			}
		}
		switch t.Kind { // as background.take has it: one function for both costs a small call 8 %
		case schedule.SendTo:
			to, peer := r.state.route(t.Peer)
			r.requests[i] = rank.Isend(to, peer, r.tag+rank.Tag(t.Number), part(t.A))
		case schedule.RecvFrom:
			from, peer := r.state.route(t.Peer)
			r.requests[i] = rank.Irecv(from, peer, r.tag+rank.Tag(t.Number), part(t.Dst))
		case schedule.Combine:
			op(part(t.Dst), part(t.A), part(t.B))
		case schedule.Move:
			copy(part(t.Dst), part(t.A))
		}
	}
	for i := range c.Steps {
		if err := wait[T](r, c, i); err != nil {
			return r.abandon(c, err)
		}
	}
	return nil
}

// wait returns once step i is complete, at once if nobody has to be waited for.
func wait[T any](r *run, c *compiled, i int) error {
	q := &r.requests[i]
	if q.IsNull() {
		return nil
	}
	for {
		s, err := q.Wait(&r.patience)
		if err == nil {
			*q = rank.Request{}
			return lengthError[T](&c.Steps[i], s.Bytes)
		}
		if !errors.Is(err, rank.ErrPending) {
			*q = rank.Request{}
			return &peerError{c.Steps[i].Peer, reason(err)}
		}
		if err := r.nudged(); err != nil {
			return &peerError{c.Steps[i].Peer, err}
		}
		r.inquire(c.awaited(r))
	}
}

// lengthError returns the error of a step that has received other than it expects.
func lengthError[T any](t *schedule.Step, bytes int) error {
	var zero T
	if want := t.Dst.Len * int(unsafe.Sizeof(zero)); t.Kind == schedule.RecvFrom && bytes != want {
		return &peerError{t.Peer, fmt.Errorf("%w: %d bytes came, want %d", rank.ErrMismatch, bytes, want)}
	}
	return nil
}

// reason returns what an error of package rank says, without the message of ours
// that it happened to.
func reason(err error) error {
	var e *rank.Error
	if errors.As(err, &e) {
		if errors.Is(e.Err, rank.ErrTruncated) || errors.Is(e.Err, rank.ErrType) {
			return fmt.Errorf("%w: %w", rank.ErrMismatch, e.Err)
		}
		return e.Err
	}
	return err
}

// peerError is an error that came of waiting for a peer.
type peerError struct {
	peer int
	err  error
}

func (e *peerError) Error() string { return e.err.Error() }
func (e *peerError) Unwrap() error { return e.err }

// ended is a context that has ended: Conclude with it takes back what can be.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// abandon takes back what is under way of a call that failed, so that nothing
// touches the caller's memory any more.
func (r *run) abandon(c *compiled, err error) error {
	for i := range c.Steps {
		if q := &r.requests[i]; !q.IsNull() {
			q.Conclude(ended)
			*q = rank.Request{}
		}
	}
	return err
}

// nudged is called when a wait has gone on for long, or is to end. It returns why
// the call is to be given up, if so; if not, the caller asks whom it waits for.
func (r *run) nudged() error {
	if err := r.state.spoiled(); err != nil {
		return err
	}
	if err := r.patience.over(); err != nil {
		return err
	}
	if r.site == "" {
		r.setSite(engine.CallSite())
	}
	return nil
}

// await waits for q with r's patience, and asks peer what it is doing.
func (r *run) await(q rank.Request, peer int) error {
	for {
		_, err := q.Wait(&r.patience)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, rank.ErrPending):
			return reason(err)
		}
		if err := r.nudged(); err != nil {
			q.Conclude(ended)
			return err
		}
		r.inquire([]int{peer})
	}
}

// awaited lists the peers whose messages have not come or not been taken.
func (c *compiled) awaited(r *run) []int {
	var peers []int
	seen := make(map[int]bool)
	for i := range c.Steps {
		if t := &c.Steps[i]; !r.requests[i].IsNull() && !seen[t.Peer] {
			seen[t.Peer] = true
			peers = append(peers, t.Peer)
		}
	}
	return peers
}
