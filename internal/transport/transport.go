// Package transport is the door between the engine and the links to other
// ranks: one small interface each way. The packages below it implement it; the
// shared suite in transporttest holds them to it.
//
// A link is reliable, first-in first-out for each ordered pair of ranks, never
// duplicates, takes messages of any size and calls from many goroutines. Ranks
// here are world ranks.
package transport

import (
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

// Poller is a Conn whose links the waiting thread can drive itself. Poll does
// what work there is, calling the Handler inline, and reports whether there
// was any. It only makes progress quicker: a Conn must also advance when
// nobody polls.
type Poller interface {
	Poll() bool
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
