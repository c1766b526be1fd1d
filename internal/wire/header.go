// Package wire is the language two engines speak over a link: a fixed header
// in front of every frame, and the kinds of frame there are. It knows nothing
// of who sends or how; it imports only the standard library.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderBytes is the size of an encoded Header. With an 8-byte message behind
// it a frame still fits one 64-byte cache line.
const HeaderBytes = 48

// Protocol is the version of the link protocol; both ends of a link must name
// the same one.
const Protocol = 2

// Kind says what a frame is. Kinds from FirstUser on belong to handlers that
// the engine's users register (windows, files, revocation).
type Kind uint8

const (
	Invalid   Kind = iota
	Eager          // a whole message: Context, Space, Source, Tag, Bytes, Layout; ID if FlagSync
	Offer          // the envelope of a message whose payload waits at the sender: as Eager; ID = sender's operation, Arg = address of the payload that the receiver may pull from, 1 if the sender will push it, or 0
	Grant          // answer to Offer: ID = sender's operation, Arg = receiver's operation, Bytes = bytes wanted. If the receiver pulls: Tag = address that the sender may push to, Context = 1 + the word by which the two share the work, Layout = its round, Source = bytes of a part
	Bulk           // part of a granted message: ID = receiver's operation, Arg = offset; payload is the part
	Ack            // a FlagSync message was matched: ID = sender's operation
	Credit         // Bytes of eager credit come back to the sender
	Withdraw       // the sender wants its Offer or FlagSync message back: Context, Space, ID = sender's operation
	Withdrawn      // answer to Withdraw, or to a message that cannot be received: ID = sender's operation, Arg = why (package engine)
	Bind           // Context is from now on the number of the context named in the payload
	Unbind         // the sender has freed the context it calls Context
	Bye            // Arg = 1: the sender starts nothing any more; 2: it has the peer's first Bye and has granted all it will
	Pulled         // the receiver has copied Bytes bytes of an offered message: ID = sender's operation, Arg = bytes that it wanted
	Pushed         // the sender has copied Bytes bytes of a granted message: ID = receiver's operation
	FirstUser Kind = 32
)

var kindNames = [...]string{"invalid", "eager", "offer", "grant", "bulk", "ack", "credit", "withdraw", "withdrawn", "bind", "unbind", "bye", "pulled", "pushed"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Flags of a frame.
type Flags uint8

const (
	FlagSync   Flags = 1 << iota // the sender waits for an Ack (synchronous mode)
	FlagReady                    // sent in ready mode: a receive must be posted already
	FlagObject                   // the payload is an encoded object
)

// Space separates the matching of one communicator's kinds of traffic, so that
// a user's wildcard receive can never catch a library's message (MPI 4.1 §6.2).
type Space uint8

const (
	User        Space = iota // point-to-point calls of the program
	Library                  // communicator creation and other calls of package rank
	Collective               // collectives, blocking and nonblocking
	Persistent               // persistent collectives
	Partitioned              // set-up of partitioned operations
	Partition                // their data
	Window                   // one-sided operations
	File                     // parallel I/O
	Spaces                   // how many there are
)

// Header is the fixed front of every frame. Fields not named beside a Kind are
// zero in frames of that kind.
type Header struct {
	Kind    Kind
	Flags   Flags
	Space   Space
	Context uint32 // the sender's number, on this link, of the communicator's context
	Source  uint32 // the sender's rank in that context's group
	Layout  uint32 // fingerprint of the element type's memory layout; 0 = untyped
	Tag     int64
	Bytes   uint64
	ID      uint64
	Arg     uint64
}

// Put encodes h into b, little-endian whatever the host. b must hold
// HeaderBytes.
func (h *Header) Put(b []byte) {
	_ = b[HeaderBytes-1]
	b[0], b[1], b[2], b[3] = byte(h.Kind), byte(h.Flags), byte(h.Space), 0
	binary.LittleEndian.PutUint32(b[4:], h.Context)
	binary.LittleEndian.PutUint32(b[8:], h.Source)
	binary.LittleEndian.PutUint32(b[12:], h.Layout)
	binary.LittleEndian.PutUint64(b[16:], uint64(h.Tag))
	binary.LittleEndian.PutUint64(b[24:], h.Bytes)
	binary.LittleEndian.PutUint64(b[32:], h.ID)
	binary.LittleEndian.PutUint64(b[40:], h.Arg)
}

// ErrShort and ErrHeader are the classes of Header.Parse's errors.
var (
	ErrShort  = errors.New("frame shorter than its header")
	ErrHeader = errors.New("malformed frame header")
)

// Parse decodes b into h and checks what can be checked without knowing the
// link: a known kind and space, no reserved bit set, a tag a program may use.
func (h *Header) Parse(b []byte) error {
	if len(b) < HeaderBytes {
		return fmt.Errorf("%w: %d bytes, want %d", ErrShort, len(b), HeaderBytes)
	}
	h.Kind, h.Flags, h.Space = Kind(b[0]), Flags(b[1]), Space(b[2])
	h.Context = binary.LittleEndian.Uint32(b[4:])
	h.Source = binary.LittleEndian.Uint32(b[8:])
	h.Layout = binary.LittleEndian.Uint32(b[12:])
	h.Tag = int64(binary.LittleEndian.Uint64(b[16:]))
	h.Bytes = binary.LittleEndian.Uint64(b[24:])
	h.ID = binary.LittleEndian.Uint64(b[32:])
	h.Arg = binary.LittleEndian.Uint64(b[40:])
	switch {
	case h.Kind == Invalid || h.Kind > Pushed && h.Kind < FirstUser:
		return fmt.Errorf("%w: %v", ErrHeader, h.Kind)
	case h.Flags >= FlagObject<<1:
		return fmt.Errorf("%w: flags %#x", ErrHeader, h.Flags)
	case h.Space >= Spaces:
		return fmt.Errorf("%w: space %d", ErrHeader, h.Space)
	case b[3] != 0:
		return fmt.Errorf("%w: reserved byte %#x", ErrHeader, b[3])
	case h.Tag < 0 && h.Kind < FirstUser:
		return fmt.Errorf("%w: tag %d", ErrHeader, h.Tag)
	case h.Bytes > 1<<62 || h.Kind == Bulk && h.Arg > 1<<62:
		return fmt.Errorf("%w: %d bytes at %d", ErrHeader, h.Bytes, h.Arg)
	}
	return nil
}
