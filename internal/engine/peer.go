package engine

import (
	"sync"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// peer is what this rank knows of another.
type peer struct {
	rank int

	// state is the right to call Conn.Send for this peer. Who changes it from
	// unowned to owned has the right, and on giving it up must look whether
	// somebody queued work meanwhile (more) and do that first. So nobody
	// waits for the right, and a delivery that leads back to the same peer
	// on one stack queues instead of locking itself out.
	state atomic.Uint32

	// head is the header of the frame being sent. It belongs to the owner of
	// state; on a stack it would escape through the Conn interface.
	head wire.Header

	// conn leads to the peer; it is set once, under Engine.mu. mild says that its
	// Send calls no Handler, so that it may be called with the lock held.
	conn atomic.Pointer[transport.Conn]
	mild bool

	nframe atomic.Int32 // frames in the queue

	mu       sync.Mutex
	frames   queue[frame]
	bulk     queue[*Op] // granted sends, served in turn
	turn     bool       // bulk's turn, when both have work
	first    bool       // the frame at the head is being sent
	blocked  bool       // the link was Full; Writable clears it
	writable uint32     // counts Writable calls

	// bound[n]: the peer has been told what we call n. Written by the owner of
	// state, read by Context.Free; mu guards it.
	bound []bool

	// Guarded by Engine.mu.
	credit  int64     // eager bytes we may still send
	eager   int       // largest message to send eagerly, once the link is known and cares
	numbers numbering // what the peer calls its contexts
	spent   int64     // eager credit the peer has spent and not got back
	owed    int64     // the part of it that is ours to give back
	dirty   bool      // in Engine.dirty
	road    road      // for copies between the memories of both
	byeSaid uint64    // the last Bye queued; see drain.go
	byeSent uint64    // the last Bye the link took
	byeSeen uint64
	byeDue  bool // the last Bye waits until what this rank pulls from the peer is here
	lost    bool // Config.Lost has been told
	cut     bool // the link has said Lost: it holds no payload any more

	used atomic.Bool           // frames were sent or have arrived
	dead atomic.Pointer[error] // set by Fail
}

const (
	unowned uint32 = iota
	owned
	more
)

// peer returns the state of a world rank, made on first use so that memory
// grows with the peers one talks to.
func (e *Engine) peer(rank int) *peer {
	if p := e.peers[rank].Load(); p != nil {
		return p
	}
	p := &peer{rank: rank}
	p.credit = e.window
	if !e.peers[rank].CompareAndSwap(nil, p) {
		p = e.peers[rank].Load()
	}
	return p
}

// gone returns why nothing reaches p any more: Fail gave it up, or the Engine
// is closed.
func (e *Engine) gone(p *peer) error {
	if dead := p.dead.Load(); dead != nil {
		return *dead
	}
	return e.over()
}

// over returns the cause Close was called with, if it was.
func (e *Engine) over() error {
	if cause := e.closed.Load(); cause != nil {
		return *cause
	}
	return nil
}
