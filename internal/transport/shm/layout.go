package shm

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// This file is all that the two ends of a link must agree on. A change here is a new
// layoutVersion.
const (
	layoutMagic   = 0x6d_75_73_74 // "must"
	layoutVersion = 1

	// ringShift: a ring of 128 KiB holds four pieces of bulk, so that the sender fills
	// one while the receiver empties another, and both rings of a link together stay
	// in a core's second-level cache.
	ringShift = 17
	ringBytes = 1 << ringShift
	ringMask  = ringBytes - 1

	// granule is a cache line. Frames begin at multiples of it, so the control word,
	// the header and 8 bytes of payload are one line.
	granule = 64

	// SegmentBytes is the size of the memory that a link needs.
	SegmentBytes = controlBytes + 2*ringBytes
	controlBytes = 4096
)

// layoutID is the first word of a segment that is in use: what it is, and how long its
// rings are.
const layoutID = layoutMagic<<32 | layoutVersion<<16 | ringShift

// shared is the memory of a link. The link's lower rank is side 0.
//
// Each word has one writer but state. Positions count the bytes of a ring from its first
// use on and never wrap; a position's place is its value modulo ringBytes.
type shared struct {
	layout atomic.Uint64
	_      [line - 8]byte
	sides  [2]side
	claims [2][transport.ClaimWords]atomic.Uint64 // [i]: transfers to side i
	_      [controlBytes - line - 2*unsafe.Sizeof(side{}) - 16*transport.ClaimWords]byte
	rings  [2]ring // [i] is filled by side i
}

// line keeps words of different writers apart: two cache lines, since some processors
// fetch them in pairs.
const line = 128

type ring [ringBytes]byte

// side is what one side tells the other beyond frames.
type side struct {
	// state says whether the side has to be rung when there is something for it. It is
	// written by the side, and by the peer from dozing to rung.
	state atomic.Uint64
	_     [line - 8]byte
	// tail is the position up to which the side has consumed its peer's ring. It is
	// behind the truth until the peer wants to know.
	tail atomic.Uint64
	_    [line - 8]byte
	// want is the position that the side waits for its peer's tail to reach, with
	// closedBit once nothing more comes.
	want atomic.Uint64
	_    [line - 8]byte
	// address is where the side keeps a word of its own whose value is secret, by which
	// the peer proves that it can read the side's memory and that its process number is
	// the right one. A secret of 0 is not there yet. verdict is what the side found
	// about the peer.
	address, secret, verdict atomic.Uint64
	_                        [line - 24]byte
}

const closedBit = 1 << 63

// States of a side. What a side publishes before it looks at its peer's state and what
// the peer sees after it has set its state must not miss each other. Normally the one
// that dozes pays for that, with a barrier on every core (see barrier); fenced means that
// it cannot, and then its peer pays at each frame. A side that is absent may still turn
// out to be fenced.
const (
	absent = 0
	awake  = 1
	dozing = 2
	rung   = 3

	stateMask = 3
	fenced    = 4
)

// Verdicts.
const (
	unproven  = 0
	reachable = 1
	beyond    = 2
)

// A frame is a control word, a header and the payload, in one piece. The word is
// written last. It holds the number of bytes behind it, the number of payload bytes that
// follow in later frames, what the frame is, and a mark by which the receiver knows that
// it is there: what lies in its place before has another. A word of the ring's last round
// has, for it is of another round; a payload that lay there may not have, and only then
// the sender clears the place before it publishes the frame in front of it. Clearing it
// each time would be simpler. But the line was the receiver's last, stores become visible
// in their order, and so each frame would wait for two lines instead of one.
const (
	wordBytes  = 8
	frontBytes = wordBytes + wire.HeaderBytes

	lengthMask = 1<<24 - 1
	restShift  = 24
	restMask   = 1<<32 - 1
	kindMask   = 3 << 56
	validBit   = 1 << 63 // of every mark: memory that is still zero has none
	markMask   = 63 << 58
	markShift  = 58

	kindWhole = 0 << 56 // header and payload
	kindPad   = 1 << 56 // nothing up to the end of the ring
	kindFirst = 2 << 56 // header and the first part of the payload
	kindMore  = 3 << 56 // a further part
)

// MaxFrameBytes is the size of the largest payload that is not Bulk.
const MaxFrameBytes = 1 << 30

// pieceBytes is the size of the largest frame, and of the pieces in which larger
// payloads go: a quarter of the ring.
const pieceBytes = ringBytes / 4

// frameBytes returns what a frame with a payload of n bytes takes of a ring.
func frameBytes(n int) uint64 { return (uint64(n) + frontBytes + granule - 1) &^ (granule - 1) }

// mark returns what a control word at pos has in markMask: that it is one, and in
// which round of the ring, modulo 32, it was written.
func mark(pos uint64) uint64 { return validBit | pos>>ringShift<<markShift&markMask }

// word returns the control word of the frame at pos.
func (r *ring) word(pos uint64) *uint64 {
	return (*uint64)(unsafe.Pointer(&r[pos&ringMask&^(granule-1)]))
}

// holds reports whether there is a frame at pos.
func (r *ring) holds(pos uint64) bool {
	return atomic.LoadUint64(r.word(pos))&markMask == mark(pos)
}

// Everything has the size and the place that it is said to have.
const (
	_ = uint(SegmentBytes-unsafe.Sizeof(shared{})) + uint(unsafe.Sizeof(shared{})-SegmentBytes)
	_ = uint(controlBytes - unsafe.Offsetof(shared{}.rings))
)

// open returns the memory as a link's, after checking that the other side has the same
// idea of it.
func open(mem []byte) (*shared, error) {
	if len(mem) != SegmentBytes {
		return nil, fmt.Errorf("shm: a segment of %d bytes, want %d", len(mem), SegmentBytes)
	}
	s := (*shared)(unsafe.Pointer(unsafe.SliceData(mem)))
	if !s.layout.CompareAndSwap(0, layoutID) {
		if id := s.layout.Load(); id != layoutID {
			return nil, fmt.Errorf("shm: the segment's layout is %#x, want %#x: do both ranks run the same version?", id, uint64(layoutID))
		}
	}
	return s, nil
}
