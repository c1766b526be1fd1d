package engine

import (
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// Mode is how a send completes (MPI 4.1 §3.4).
type Mode uint8

const (
	Standard    Mode = iota
	Synchronous      // only once a receive has matched
	Ready            // as Synchronous; an error if no receive was posted
)

// Envelope is one call's arguments.
type Envelope struct {
	Context *Context
	Space   wire.Space
	Mode    Mode
	Object  bool // the payload is an encoded object
	All     bool // probes: needs every rank of the context, whoever the message comes from
	Peer    int  // rank in the context's group; match.AnySource for receives
	Tag     int64
	Layout  uint32 // of the elements; 0 matches all
	Buf     layout.Buffer
	What    record.Op // what the program called
	Unit    int       // whatever the caller wants Turn.Unit to tell
}

// shownTag is the tag that records have: those of a collective's messages are not the
// program's, and would mean nothing to who reads a report.
func (env *Envelope) shownTag() int64 {
	if env.Space == wire.Collective {
		return record.NoTag
	}
	return env.Tag
}

// Status is what a completed receive found.
type Status struct {
	Source int // rank in the context's group
	Tag    int64
	Bytes  int
	Kind   // apart, since a struct of up to four fields is passed in registers
}

// Kind is what a Status tells beside numbers.
type Kind struct {
	Layout    uint32
	Object    bool
	Cancelled bool
}

// phase is where an operation stands. Engine.mu guards it.
type phase uint8

const (
	idle     phase = iota
	queued         // send: its first frame waits in the outbox
	offered        // send: an Offer or synchronous Eager waits for its answer
	sending        // send: Bulk is under way
	pushing        // send: both ends copy
	posted         // receive: waits for a message
	arriving       // receive: matched, Bulk is under way
	pulling        // receive: matched, this end or both copy
	external       // completed by somebody else (generalized request)
	complete
)

// Op is an operation under way. It belongs to a pool; a Ref tells whether it
// still is the operation one knew.
type Op struct {
	e    *Engine
	done atomic.Bool // tells a thread that spins without the lock; see spun

	// Guarded by Engine.mu from here on.
	id    uint64 // generation and slot, as peers see it
	gen   uint32 // part of id; changes when the Op goes back to the pool
	spun  bool   // a thread spins on done
	phase phase
	flags
	peer   int // world rank; receives: once matched
	status Status
	err    error
	slot   record.Slot
	env    Envelope
	waiter *waiter
	doneCh chan struct{}
	then   func(Status, error)
	inline bool // then may be called by whoever drives the links
	recv   match.Recv

	// Of messages that are not sent whole with their first frame.
	remote uint64 // peer's operation
	want   int    // bytes granted; not 0 if anything below was ever used
	got    spans  // which bytes have arrived; each may once
	move   move   // of pushing and pulling

	sent int          // owned by whoever owns the peer's queue
	held atomic.Int32 // Bulk frames that a link still reads from buf
}

// flags are what an Op begins without.
type flags struct {
	send        bool
	eager       bool // send: the payload went or waits with the first frame
	copying     bool // Deliver is writing into buf without the lock
	lost        bool // nobody will wait: completion returns the Op to the pool
	inBulk      bool // send: waits in peer.bulk, whose owner reads it without the lock
	withdrawing bool // send: a Withdraw has been sent
	claimed     bool // a goroutine waits
}

// Ref is an operation as its starter holds it. The zero Ref is the null
// request: complete, with the empty status.
type Ref struct {
	op  *Op
	gen uint32

	// Note is the holder's, in room that there is: the engine does not look at it.
	Note uint32
}

// Refused returns the Ref of an operation that could not be started, for err. It can
// be asked for no more than that: Refusal.
func Refused(err error) Ref { return Ref{op: &Op{err: err}} }

// Refusal returns the error that r was made with by Refused, if it was.
func (r Ref) Refusal() error {
	if r.op == nil || r.op.e != nil {
		return nil
	}
	return r.op.err
}

// ref returns the Ref of op as it lives now. Engine.mu is held.
func (op *Op) ref() Ref { return Ref{op: op, gen: op.gen} }

// IsNull reports whether r is the null request.
func (r Ref) IsNull() bool { return r.op == nil }

// EmptyStatus is that of a null request (MPI 4.1 §3.7.3).
var EmptyStatus = Status{Source: int(match.AnySource), Tag: match.AnyTag}

// take copies env, field by field: it was written just now, and wider loads than
// its stores were would have to wait for them. All is left out, since probes have
// no Op.
func (op *Op) take(env *Envelope) {
	to := &op.env
	to.Context, to.Space, to.Mode, to.Object, to.What = env.Context, env.Space, env.Mode, env.Object, env.What
	to.Peer, to.Tag, to.Layout, to.Buf, to.Unit = env.Peer, env.Tag, env.Layout, env.Buf, env.Unit
}

// newOp takes an operation from the pool. Engine.mu is held.
func (e *Engine) newOp() *Op {
	if n := len(e.free); n > 0 {
		op := e.free[n-1]
		e.free = e.free[:n-1]
		return op
	}
	op := &Op{e: e}
	op.recv.Ref = op
	e.ops = append(e.ops, op)
	op.gen = 1
	op.id = 1<<32 | uint64(len(e.ops))
	return op
}

// op returns the live operation that a peer calls id. Engine.mu is held.
func (e *Engine) op(id uint64) *Op {
	slot := uint32(id)
	if slot == 0 || int(slot) > len(e.ops) {
		return nil
	}
	if op := e.ops[slot-1]; op.id == id && op.phase != idle {
		return op
	}
	return nil
}

// recycle ends op's life: every Ref to it is stale from now on. What is not reset
// here is set anew each time. Engine.mu is held.
func (e *Engine) recycle(op *Op) {
	if op.gen++; op.gen == 0 {
		op.gen = 1
	}
	op.id = uint64(op.gen)<<32 | op.id&(1<<32-1)
	op.phase = idle
	op.flags = flags{}
	op.env.Context, op.env.Buf = nil, layout.Buffer{}
	if op.done.Load() { // a store costs more
		op.done.Store(false)
	}
	if op.want != 0 {
		op.want, op.got, op.move, op.sent = 0, op.got[:0], move{}, 0
		op.held.Store(0) // it is 0 but after Lost or Close
	}
	if op.err != nil {
		op.err = nil
	}
	if op.waiter != nil || op.doneCh != nil || op.then != nil {
		op.waiter, op.doneCh, op.then, op.inline = nil, nil, nil, false
	}
	e.free = append(e.free, op)
}

// finish completes op. Engine.mu is held; the caller has made sure that no
// link touches op's buffer any more.
func (e *Engine) finish(op *Op, err error) {
	if op.phase == complete {
		return
	}
	op.phase = complete
	op.err = err
	op.slot.End(e.records)
	if c := op.env.Context; c != nil {
		c.pending--
		e.releaseIdle(c)
	}
	if op.spun {
		op.done.Store(true)
	}
	e.wakeLeaving()
	if op.doneCh != nil {
		close(op.doneCh)
	}
	if op.waiter != nil {
		op.waiter.wake()
	}
	switch {
	case op.then != nil:
		then, status, inline := op.then, op.status, op.inline
		e.recycle(op)
		if inline && len(e.pollers) > 0 {
			e.continuations = append(e.continuations, continuation{then, status, err})
			e.ndue.Store(int32(len(e.continuations)))
			return
		}
		RunCallback(func() { then(status, err) })
	case op.lost:
		e.recycle(op)
	}
}

// External returns an operation that somebody outside the engine completes
// (generalized request, MPI 4.1 §13.2). unit is as in an Envelope. The function
// completes it; it may be called once, from any goroutine, and later calls do nothing.
func (e *Engine) External(what record.Op, unit int) (Ref, func(Status, error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	op := e.newOp()
	op.phase = external
	op.peer, op.env.Unit = -1, unit
	op.slot = e.records.BeginLocked(what, 0, record.NoPeer, record.NoTag, -1)
	r := op.ref()
	var once atomic.Bool
	return r, func(s Status, err error) {
		if once.Swap(true) {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		op.status = s
		e.finish(op, err)
	}
}

// Completed returns an operation that is complete already, with status s: what
// env asked for is done, or asked for nothing (env is nil).
func (e *Engine) Completed(env *Envelope, s Status) Ref {
	e.mu.Lock()
	defer e.mu.Unlock()
	op := e.completed(env, s)
	return op.ref()
}

// completed is Completed under Engine.mu.
func (e *Engine) completed(env *Envelope, s Status) *Op {
	op := e.newOp()
	op.peer, op.phase = -1, complete
	op.status = s
	if env != nil {
		op.take(env)
		op.send = true
	}
	return op
}
