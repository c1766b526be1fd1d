package rank

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/engine"
)

// Classes of errors; test with errors.Is. An error of a class of package
// context (Canceled, DeadlineExceeded) is in the chain where a context ended a
// call.
var (
	ErrTruncated  = engine.ErrTruncated       // a message was longer than the buffer: received as far as it fits
	ErrType       = engine.ErrType            // sender's and receiver's elements lie differently in memory
	ErrElement    = datatype.ErrType          // the element type cannot travel
	ErrCancelled  = engine.ErrCancelled       // Cancel, or the context, was quicker than any message
	ErrFailed     = engine.ErrFailed          // a rank that the call needs is dead
	ErrFreed      = engine.ErrFreed           // the communicator was freed
	ErrNotReady   = engine.ErrNotReady        // Rsend before the receive was posted
	ErrRequest    = engine.ErrStale           // a Request was used after its completion
	ErrConcurrent = engine.ErrConcurrent      // two goroutines wait for one Request
	ErrAborted    = errors.New("job aborted") // another rank of a Local failed, or Abort
	ErrLeft       = engine.ErrClosed          // after Leave

	ErrComm     = errors.New("invalid communicator")                     // nil, not complete yet, or not for this call
	ErrRank     = errors.New("invalid rank")                             // the communicator or group has no such rank
	ErrTag      = errors.New("invalid tag")                              // negative, or AnyTag in a send
	ErrGroup    = errors.New("invalid group")                            // not of the communicator, or without the caller
	ErrArgument = errors.New("invalid argument")                         // another argument; the text says which
	ErrBuffer   = errors.New("no room in the buffer for buffered sends") // full, none attached, or one already
	ErrActive   = errors.New("persistent request is active")             // started, and not waited for
	ErrInactive = errors.New("persistent request is not active")         // Ready before Start
	ErrMismatch = errors.New("ranks disagree about a collective call")   // creation calls, or the two sides of a partitioned message
	ErrCodec    = errors.New("object cannot be encoded or decoded")
	ErrPending  = engine.ErrPending                    // a context ended a Wait; in a StatusError; Wait of a PartitionedSend that lacks parts
	ErrInStatus = errors.New("some operations failed") // the StatusError of several requests
	ErrJoined   = errors.New("this process has joined a job already")
	ErrLaunch   = errors.New("cannot join the job") // the environment or the agent is not as expected
)

// Error is what calls of this package return, those of Group and Local apart:
// which call, where, with whom, and why. errors.Is looks through it for the class.
type Error struct {
	Op   string // the call, as "Recv"
	Comm string // the communicator's name
	Rank int    // the calling rank in it
	Peer int    // destination or source as given; AnySource; Null where there is none
	Tag  Tag    // as given; AnyTag where there is none
	Site string // file:line of the program's call, where known
	Err  error
}

// Error tells all that is known, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Rank >= 0 {
		fmt.Fprintf(&b, "rank %d: ", e.Rank)
	}
	b.WriteString(e.Op)
	switch {
	case e.Peer == AnySource:
		b.WriteString(preposition(e.Op) + "any source")
	case e.Peer != Null:
		fmt.Fprintf(&b, "%s%d", preposition(e.Op), e.Peer)
	}
	if e.Tag != AnyTag {
		fmt.Fprintf(&b, ", tag %d", e.Tag)
	}
	if e.Comm != "" {
		fmt.Fprintf(&b, ", on %s", e.Comm)
	}
	if e.Site != "" {
		fmt.Fprintf(&b, " (%s)", e.Site)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// preposition returns what stands between a call and its peer.
func preposition(op string) string {
	switch {
	case op == "SendRecv", op == "Start", op == "Wait", op == "Cancel", op == "Then", op == "Free":
		return " with "
	case strings.Contains(op, "ecv"), strings.Contains(op, "receive"), strings.Contains(op, "robe"), op == "Arrived":
		return " from "
	}
	return " to "
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// newError makes the error of a call on c.
func (c *Comm) newError(op string, peer int, tag Tag, err error) *Error {
	return &Error{Op: op, Comm: c.Name(), Rank: c.self, Peer: peer, Tag: tag, Site: engine.CallSite(), Err: err}
}

// fail makes the error of a call on c and does what c's policy says.
func (c *Comm) fail(op string, peer int, tag Tag, err error) error {
	if err == nil {
		return nil
	}
	e := c.newError(op, peer, tag, err)
	if c.ErrorPolicy() == AbortOnError {
		c.Abort(1, e.Error())
	}
	return e
}

// sizes is an error of the engine about bytes, told in elements.
type sizes struct {
	text string
	err  error
}

func (s *sizes) Error() string { return s.text }
func (s *sizes) Unwrap() error { return s.err }

// describe words the engine's error for a receive of elements of elem bytes
// whose message came from source.
func describe(err error, source int, elem int) error {
	var short *engine.TruncatedError
	var kind *engine.TypeError
	switch {
	case errors.As(err, &short):
		return &sizes{fmt.Sprintf("%v: rank %d sent %d bytes%s, the buffer has room for %d%s", ErrTruncated,
			source, short.Sent, elements(short.Sent, elem), short.Room, elements(short.Room, elem)), err}
	case errors.As(err, &kind):
		sent, wanted := kindOf(kind.Sent, kind.SentObject), kindOf(kind.Want, kind.WantObject)
		return &sizes{fmt.Sprintf("%v: rank %d sent %s (%d bytes), this rank receives %s", ErrType,
			source, sent, kind.Bytes, wanted), err}
	}
	return err
}

func elements(bytes, elem int) string {
	if elem <= 1 {
		return ""
	}
	return fmt.Sprintf(" (%d elements of %d bytes)", bytes/elem, elem)
}

func kindOf(layout uint32, object bool) string {
	if object {
		return "an object encoded by " + codecName(layout)
	}
	if layout == 0 {
		return "raw bytes"
	}
	return "[]" + datatype.Describe(layout)
}
