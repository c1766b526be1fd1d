package shm

import (
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// link is this process's end of the link to one peer.
type link struct {
	conn         *Conn
	peer         int
	mem          *shared
	mine, theirs *side
	bell         *segment.Bell // the peer's
	quiet        uint64        // the state of the peer in which there is nothing to do about it

	proc                *process // the peer's; nil: no single copies
	push                bool
	claimsIn, claimsOut *[transport.ClaimWords]atomic.Uint64

	failure atomic.Pointer[failure] // set once: the link is to be lost

	// What this side has written into the segment, where the peer could change it.
	want    atomic.Uint64
	verdict atomic.Uint64

	_ [granule]byte
	// out belongs to Send while the gate is open, and to Poll while it is busy. A Send
	// to one peer never meets another, so no lock is needed: the gate hands out on.
	gate atomic.Uint32
	out  sender
	// refused is not 0 if a Send was Full: the tail from which on it is worth another
	// try, or anyTail.
	refused atomic.Uint64

	_  [granule]byte
	in receiver // belongs to Poll; Ready looks at its positions
}

// Values of gate.
const (
	gateOpen = iota
	gateBusy // out.job is under way
	gateDead // the link is lost
)

const anyTail = 1 // tails are multiples of granule

type failure struct {
	cause error
	drain bool // what the peer has published is still to be delivered
}

// sender fills a ring.
type sender struct {
	ring *ring
	pos  uint64 // of the next frame
	tail uint64 // as last seen: up to here the peer has consumed
	job  job

	heard uint64 // position in the peer's ring at the last Send
}

// job is a payload too large for one frame.
type job struct {
	header  wire.Header
	payload layout.Buffer
	done    int // bytes sent
	token   uint64
	bulk    bool // the payload is the caller's, and goes in frames of its own
}

// receiver empties a ring.
type receiver struct {
	ring      *ring
	consumed  uint64 // position of the next frame to come
	published uint64 // what mine.tail says

	broken atomic.Bool // the next frame is none: nothing more is taken

	header wire.Header // of the frame being delivered
	front  [wire.HeaderBytes]byte

	// A frame that comes in parts.
	large wire.Header
	parts []byte
	rest  int // bytes still to come
}

// publishState tells the peer whether it has to ring. The caller holds conn.mu.
func (l *link) publishState(doze bool) {
	s := uint64(awake)
	if doze {
		s = dozing
	}
	if l.conn.sys.barrier == nil {
		s |= fenced
	}
	l.mine.state.Store(s)
}

// tell makes sure that the peer will look at what was just published.
func (l *link) tell() {
	if l.theirs.state.Load() != l.quiet {
		l.notice()
	}
}

func (l *link) notice() {
	s := l.theirs.state.Load()
	if s == absent || s&fenced != 0 || l.quiet != awake {
		// The store that is told of and the load of state must not change places.
		var fence atomic.Uint64
		fence.Add(1)
		s = l.theirs.state.Load()
	}
	if s&^fenced == dozing && l.theirs.state.CompareAndSwap(s, s&^stateMask|rung) {
		l.bell.Ring()
	}
}

// fail has the link lost at the next Poll. The first failure counts. It may be called by
// any goroutine.
func (l *link) fail(cause error, drain bool) {
	if l.failure.CompareAndSwap(nil, &failure{cause, drain}) {
		l.conn.busy.Add(1)
		l.conn.poke()
	}
}

// refuse notes that a Send was Full, until the peer's tail reaches tail.
func (l *link) refuse(tail uint64) {
	if l.refused.Swap(tail) == 0 {
		l.conn.busy.Add(1)
	}
	// Whoever loses the link closes the gate first and then looks for this note.
	if l.gate.Load() == gateDead {
		l.unrefuse()
	}
}

func (l *link) unrefuse() {
	if l.refused.Swap(0) != 0 {
		l.conn.busy.Add(-1)
	}
}
