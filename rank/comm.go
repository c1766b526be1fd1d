package rank

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mpi/muster/internal/below"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// Tag tells messages of one sender apart. Programs may use 0 to MaxTag, on any
// communicator; the library's own messages match elsewhere.
type Tag int

// MaxTag is the largest tag, the same on every rank (MPI_TAG_UB).
const MaxTag Tag = 1<<63 - 1

// Values with a meaning of their own where a rank or a tag is expected.
const (
	AnySource     = int(match.AnySource) // receive and probe: whoever sends
	AnyTag    Tag = Tag(match.AnyTag)    // receive and probe: whatever tag
	Null      int = -2                   // nobody: the call completes at once (MPI_PROC_NULL)
	Undefined int = -3                   // no such rank; the color of a rank that joins no part in Split
)

// Comm is a communicator: a group of ranks with a matching space of its own,
// seen from one of them (MPI 4.1 §7.4). Ranks in calls on it are those of its
// group, or if it is an intercommunicator those of its remote group. Its methods
// and the functions that take it may be called from any goroutine. A nil or freed
// Comm is ErrComm or ErrFreed to calls that return an error.
type Comm struct {
	job   *job
	ctx   *engine.Context
	space wire.Space
	group *Group // that this rank is in
	self  int    // its rank there

	remote *Group // of an intercommunicator: the ranks that calls name
	side   *Comm  // of an intercommunicator: over group
	owned  bool   // it is another's side

	creations atomic.Int64 // creation calls begun on this communicator, which pair them up
	twinned   atomic.Int64 // and on its twins
	policy    atomic.Uint32
	freed     atomic.Bool
	pending   atomic.Bool // made by Idup, which is not complete

	twinOf     *Comm                       // of a twin: has the attributes
	attributes atomic.Pointer[[]attribute] // changed under mu

	mu       sync.Mutex // guards what follows
	name     string
	buffer   *sendBuffer
	deleting []*keyHooks // keys whose Delete hook runs
	closed   error       // why no attribute can be set any more
}

// ErrorPolicy says what an error of a call on a communicator does besides being
// returned (MPI 4.1 §9.3).
type ErrorPolicy uint32

const (
	// ReturnErrors: nothing. The program decides.
	ReturnErrors ErrorPolicy = iota
	// AbortOnError: the job ends, as by Abort with code 1, and the error is in
	// its report (MPI_ERRORS_ARE_FATAL). An end of a context is an error too.
	AbortOnError
)

// SetErrorPolicy sets c's policy on this rank (MPI_Comm_set_errhandler).
// Communicators made from c later begin with it. The world begins with
// ReturnErrors.
func (c *Comm) SetErrorPolicy(p ErrorPolicy) { c.policy.Store(uint32(p)) }

// ErrorPolicy returns what SetErrorPolicy set, or what c began with
// (MPI_Comm_get_errhandler).
func (c *Comm) ErrorPolicy() ErrorPolicy { return ErrorPolicy(c.policy.Load()) }

// Rank returns the calling process's rank in c, 0 to Size−1 (MPI_Comm_rank).
func (c *Comm) Rank() int { return c.self }

// Size returns the number of ranks in c, of an intercommunicator those on this side
// (MPI_Comm_size).
func (c *Comm) Size() int { return c.group.Size() }

// Group returns the ranks of c, in their order, of an intercommunicator those on
// this side (MPI_Comm_group).
func (c *Comm) Group() *Group { return c.group }

// Name returns the name that error messages and reports use: "world", "self",
// what SetName gave, or one made of how c came to be (MPI_Comm_get_name).
func (c *Comm) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// SetName names c on this rank, and on no other (MPI_Comm_set_name).
func (c *Comm) SetName(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.name = name
	if c.ctx != nil && c.space == wire.User {
		c.ctx.SetName(name) // else open does, or a twin is named
	}
}

// String returns c's name, this rank and its size.
func (c *Comm) String() string {
	if c.remote != nil {
		return fmt.Sprintf("%s (rank %d of %d, facing %d)", c.Name(), c.self, c.Size(), c.remote.Size())
	}
	return fmt.Sprintf("%s (rank %d of %d)", c.Name(), c.self, c.Size())
}

// Self returns the communicator that has only the calling process in it
// (MPI_COMM_SELF). It lives as long as the job.
func (c *Comm) Self() *Comm { return c.job.self }

// Twin returns a communicator over the same ranks whose messages match apart
// from those of c, for libraries that talk behind c's user. It costs nothing and
// is freed with c, not by itself: ErrComm. All libraries share the one twin: one
// that must be apart from others too wants Dup.
func (c *Comm) Twin() *Comm {
	t := c.in(wire.Collective)
	t.twinOf, t.name = c.origin(), c.Name()+"'s twin"
	t.pending.Store(t.ctx == nil)
	return t
}

// in returns c seen in another of its matching spaces.
func (c *Comm) in(s wire.Space) *Comm {
	t := &Comm{job: c.job, ctx: c.context(), space: s, group: c.group, self: c.self, remote: c.remote, side: c.side, name: c.Name()}
	t.policy.Store(c.policy.Load())
	return t
}

// Host returns the name of the host that rank runs on; "" if there is no such
// rank (MPI_Get_processor_name).
func (c *Comm) Host(rank int) string {
	if rank < 0 || rank >= c.peers().Size() {
		return ""
	}
	return c.job.hostOf(c.peers().World(rank)).name
}

// Clock returns the time since the job began. It is the same on all ranks of a
// host, up to the precision of its clock, and never goes back (MPI_Wtime, MPI 4.1
// §9.6).
func (c *Comm) Clock() time.Duration { return c.job.clock() }

// Abort ends the job: every rank is stopped and the launcher exits with code
// and shows reason (MPI_Abort). A code of 0 becomes 1. In a process of its own
// it does not return; in a world of Local the other ranks' calls fail with
// ErrAborted, and so does the caller's next.
func (c *Comm) Abort(code int, reason string) {
	if code == 0 {
		code = 1
	}
	c.job.abort(code, reason)
}

// Free gives c up (MPI_Comm_free). Its attributes go first, the last set first: an
// error of a Delete hook is Free's, and c is then not freed. Operations under way
// finish and messages already sent on c can still arrive, but no call may be made
// on it any more: ErrFreed. All ranks of c must call it, in any order; it does not
// wait for them. The world and self cannot be freed, nor a twin, nor the side of an
// intercommunicator: ErrComm.
func (c *Comm) Free() error {
	if err := c.usable("Free"); err != nil {
		return err
	}
	switch {
	case c == c.job.world || c == c.job.self:
		return c.fail("Free", Null, AnyTag, fmt.Errorf("%w: %s belongs to the job", ErrComm, c.Name()))
	case c.space != wire.User || c.owned:
		return c.fail("Free", Null, AnyTag, fmt.Errorf("%w: %s is freed with the communicator it belongs to", ErrComm, c.Name()))
	}
	if err := clearAttributes(ErrFreed, c.whole()...); err != nil {
		return c.fail("Free", Null, AnyTag, err)
	}
	if c.freed.Swap(true) {
		return c.fail("Free", Null, AnyTag, ErrFreed)
	}
	for _, part := range c.whole() {
		part.freed.Store(true)
		part.ctx.Free()
	}
	return nil
}

// whole returns c and what is freed with it.
func (c *Comm) whole() []*Comm {
	if c.side == nil {
		return []*Comm{c}
	}
	return []*Comm{c, c.side}
}

// Disconnect is Free, but returns only when c's operations on this rank have
// finished (MPI_Comm_disconnect). If ctx ends first the error is its cause, and c
// is freed all the same. Errors: as Free.
func (c *Comm) Disconnect(ctx context.Context) error {
	if err := c.Free(); err != nil {
		return err
	}
	for _, part := range c.whole() {
		select {
		case <-part.ctx.Released():
		case <-ctx.Done():
			return c.fail("Disconnect", Null, AnyTag, context.Cause(ctx))
		}
	}
	return nil
}

// context returns c's context, nil while the Idup that makes c is not complete.
func (c *Comm) context() *engine.Context {
	if c.pending.Load() {
		return nil
	}
	return c.ctx
}

// Below returns what c stands on; nil while c cannot be used. It is for Muster's own
// packages: its type can be used nowhere else.
func (c *Comm) Below() *below.Comm {
	if !c.isOpen() {
		return nil
	}
	return &below.Comm{Engine: c.job.engine, Context: c.ctx, Memory: c.job.memory, Hosts: c.hostNumbers()}
}

// hostNumbers returns the number of the host of each rank that c addresses; nil if
// all are on one.
func (c *Comm) hostNumbers() []int {
	hosts := make([]int, c.peers().Size())
	several := false
	for r := range hosts {
		hosts[r] = c.job.hostOf(c.peers().World(r)).number
		several = several || hosts[r] != hosts[0]
	}
	if !several {
		return nil
	}
	return hosts
}

// isOpen reports whether calls can be made on c.
func (c *Comm) isOpen() bool {
	return c != nil && c.job != nil && !c.pending.Load() && !c.freed.Load()
}

// usable returns an error if no call can be made on c.
func (c *Comm) usable(op string) error {
	switch {
	case c == nil || c.job == nil:
		return &Error{Op: op, Comm: "nil", Rank: Undefined, Peer: Null, Tag: AnyTag, Err: fmt.Errorf("%w: the communicator is nil or zero", ErrComm)}
	case c.pending.Load():
		return &Error{Op: op, Comm: c.Name(), Rank: c.self, Peer: Null, Tag: AnyTag, Err: fmt.Errorf("%w: its Idup is not complete", ErrComm)}
	case c.freed.Load():
		return c.fail(op, Null, AnyTag, ErrFreed)
	}
	return nil
}

// Comparison is how two groups or communicators relate (MPI_Comm_compare,
// MPI_Group_compare).
type Comparison uint8

const (
	Identical Comparison = iota // the same communicator; of groups: the same ranks in the same order
	Congruent                   // the same ranks in the same order
	Similar                     // the same ranks
	Unequal                     // other ranks
)

var comparisonNames = [...]string{"identical", "congruent", "similar", "unequal"}

// String returns the name of c in lower case.
func (c Comparison) String() string {
	if int(c) < len(comparisonNames) {
		return comparisonNames[c]
	}
	return fmt.Sprintf("Comparison(%d)", uint8(c))
}

// Compare tells how c and d relate: Identical, Congruent, Similar or Unequal
// (MPI_Comm_compare). Of intercommunicators both groups count, and none relates to
// a communicator that is not one. It is local.
func (c *Comm) Compare(d *Comm) Comparison {
	if c == nil || d == nil || c.job == nil || d.job == nil {
		if c == d {
			return Identical
		}
		return Unequal
	}
	if c == d || c.context() != nil && c.context() == d.context() && c.space == d.space {
		return Identical
	}
	r := c.group.Compare(d.group)
	switch {
	case (c.remote == nil) != (d.remote == nil):
		return Unequal
	case c.remote != nil:
		r = max(r, c.remote.Compare(d.remote))
	}
	return max(r, Congruent)
}
