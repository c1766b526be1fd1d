// Package transport is the door between the engine and the links to other
// ranks: one small interface each way. The packages below it implement it; the
// shared suite in transporttest holds them to it.
//
// A link is reliable, first-in first-out for each ordered pair of ranks, never
// duplicates, takes messages of any size and calls from many goroutines. Ranks
// here are world ranks.
package transport

import (
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// Result says what became of the payload given to Conn.Send.
type Result uint8

const (
	// Taken: the link has copied or written the payload, it is free again.
	Taken Result = iota
	// Held: the link goes on reading the payload until it calls
	// Handler.Sent with the token. Only Bulk frames may be Held.
	Held
	// Full: nothing was taken. Handler.Writable(peer) follows once it is
	// worth another try; it may arrive before Send returns.
	Full
)

// Conn is one process's end of its links. The engine never has two Sends to
// one peer under way at once; Sends to different peers may be.
type Conn interface {
	// Send offers one frame to the link to peer. It never blocks on the
	// network. h may be reused on return. A link that does not exist yet is
	// opened in the background and is Full until then. An error means that
	// the link is lost for good; Handler.Lost says or has said so too.
	Send(peer int, h *wire.Header, payload layout.Buffer, token uint64) (Result, error)

	// Close ends every link after writing what Send has taken. No call to
	// the Handler is under way or follows when it returns.
	Close() error
}

// Poller is a Conn whose links are driven by the thread that waits: nothing is
// delivered but by Poll, on the caller's stack, so that a message costs no
// switch between goroutines. While nobody waits it is told so (Doze), and then
// whatever arrives makes it call the wake function it was opened with, from a
// goroutine of its own.
type Poller interface {
	Conn
	// Ready reports whether Poll has work. It costs a few loads, may be called
	// by any goroutine at any time, and may err for a moment.
	Ready() bool
	// Poll does the work there is, but no more than a bounded amount, and
	// reports whether there was any. It calls h in place of the Handler that
	// the Conn was opened with, and leaves Idle to the caller. Calls of Poll,
	// Doze, Rouse and Close never overlap; the caller sees to that. Send may
	// run beside all of them but Close, and never calls a Handler.
	Poll(h Handler) bool
	// Doze says that nobody polls any more. It reports Ready, looked at after
	// peers were told to ring, so that nothing is missed in between.
	Doze() bool
	// Rouse ends Doze: peers need not ring.
	Rouse()
}

// Direct is a Conn that can copy between the memory of this process and that of
// a peer on the same host, so that a large message is copied once.
type Direct interface {
	Conn
	// Reach returns the address by which peer can name b, and 0 if there is
	// none: b does not lie in one run, or the link to peer has no such road.
	Reach(peer int, b layout.Buffer) uint64
	// Pull copies peer's memory at addr to dst, Push copies src to peer's
	// memory at addr; dst and src may be of many runs. An error means that an
	// unknown part was copied.
	Pull(peer int, dst layout.Buffer, addr uint64) error
	Push(peer int, addr uint64, src layout.Buffer) error
	// Claims returns words that both ends of the link share, by which they
	// agree who copies which part: those of transfers to this rank and those
	// of transfers to peer. Their use is the engine's; they start as zero.
	// peer is not to be trusted with their values. Nil where Push is not to be
	// used: the end that receives copies all.
	Claims(peer int) (in, out *[ClaimWords]atomic.Uint64)
}

// ClaimWords is how many transfers each way a link can have both ends work on.
const ClaimWords = 16

// Sizer is a Conn that knows from which size on a message is better offered than
// sent eagerly.
type Sizer interface {
	// EagerBytes returns the size of the largest message to send eagerly.
	EagerBytes() int
}

// Handler receives what links deliver; the engine implements it. Calls for one
// peer come one at a time and in order. None of them blocks, and none calls
// back into Send: what it has to answer goes into the engine's outbox, which
// the caller of these methods drains by calling Idle once it holds no lock of
// its own. That is what rules out the classic transport deadlock.
type Handler interface {
	// Deliver hands over one frame. h and payload are valid only during the
	// call. A Bulk frame may be delivered in pieces with Arg and Bytes
	// adjusted; every other frame comes whole.
	Deliver(peer int, h *wire.Header, payload layout.Buffer)
	// Sent reports that a Held payload is free again.
	Sent(peer int, token uint64)
	// Writable ends a Full.
	Writable(peer int)
	// Lost reports, at most once for each peer and after its last Deliver,
	// that nothing more will come from peer or reach it. Payloads that were
	// Held for it are free.
	Lost(peer int, cause error)
	// Idle ends a batch of the calls above.
	Idle()
}
