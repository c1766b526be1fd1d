package collectives

import (
	"context"
	"sync/atomic"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/tune"
	"github.com/muster-mpi/muster/internal/hostmem"
	"github.com/muster-mpi/muster/rank"
)

// memory is what the ranks of a communicator share where all of them are on one
// host: a slot of the host's memory, in which blocking collectives meet.
//
// The slot begins with a head, the words by which ranks meet. Then follow, in the part
// that a slot has from the start, the regions of short rounds and the streams; and in
// the part that it grows by, the regions of long rounds.
//
// Regions come in two halves, each with one for every rank and one for results. A
// collective goes in rounds: each rank writes what others need of it to its region of
// a half, all meet at a barrier, and each reads. The next round uses the other half.
// So who is slow to read is not overtaken: to write to this half again a rank must
// have passed the next barrier, to which the slow one comes after it has read. The
// barrier's atomic words make what was written before it visible after it.
type memory struct {
	stage stage
	full  bool // the host has no more for it
	slot  *hostmem.Slot
	p, me int

	// In the head.
	arrivals *atomic.Uint64       // who has come to the barrier under way
	over     *atomic.Uint32       // barriers that are over: their generation
	sleepers *atomic.Uint32       // ranks that wait in the kernel
	flags    [2][2]*atomic.Uint64 // of two ranks, instead of arrivals and over: by rank and half

	inline halves // of two ranks: beside their flags
	small  halves
	large  halves
	brief  stream
	long   stream

	// This rank's own.
	passed  uint32 // barriers
	half    int    // of the round under way
	waiting waiting
	sleeper hostmem.Sleeper
}

// stage is how far the memory of a communicator is set up. All ranks are equally
// far, as they make the same blocking calls.
type stage uint8

const (
	unset stage = iota
	none        // there is none: collectives go by messages
	first       // of the part that a slot has from the start: short rounds
	whole
)

// halves are the regions of rounds of one kind.
type halves struct {
	base   [2][]byte
	stride int // from region to region
	room   int // bytes of a region
}

const (
	lineBytes  = 128     // two cache lines, which cores fetch together
	headBytes  = 4 << 10 // a page
	flagsAt    = 4 * lineBytes
	streamAt   = hostmem.FirstBytes / 2
	inlineRoom = 56        // of a cache line, beside the flag
	regionRoom = 128 << 10 // at most: a round is to stay in a core's cache
)

// divide lays two halves of p+1 regions out in b. It is the same on all ranks.
func divide(b []byte, p int) (h halves) {
	half := len(b) / 2
	h.stride = half / (p + 1) &^ (lineBytes - 1)
	if h.stride > regionRoom+lineBytes {
		h.stride = regionRoom + lineBytes // not a power of two: regions would share cache sets
	}
	h.room = min(h.stride, regionRoom)
	h.base[0], h.base[1] = b[:half:half], b[half:]
	return h
}

// open lays m out over a slot.
func (m *memory) open(slot *hostmem.Slot, p, me int) {
	b := slot.Bytes
	m.slot, m.p, m.me = slot, p, me
	m.arrivals = (*atomic.Uint64)(unsafe.Pointer(&b[0]))
	m.over = (*atomic.Uint32)(unsafe.Pointer(&b[lineBytes]))
	m.sleepers = (*atomic.Uint32)(unsafe.Pointer(&b[2*lineBytes]))
	if p == 2 {
		m.inline = halves{stride: 2 * lineBytes, room: inlineRoom}
		for half := range 2 {
			at := flagsAt + half*lineBytes
			m.inline.base[half] = b[at+8:]
			for r := range 2 {
				m.flags[r][half] = (*atomic.Uint64)(unsafe.Pointer(&b[at+r*2*lineBytes]))
			}
		}
	}
	m.small = divide(b[headBytes:streamAt], p)
	m.layStreams(b[streamAt:hostmem.FirstBytes], p)
	m.large = divide(b[hostmem.FirstBytes:], p)
	m.waiting.m, m.waiting.ready = m, m.waiting.Ready
}

// release gives this rank's hold on the slot back, if it has one.
func (m *memory) release() {
	if m.slot != nil {
		m.slot.Release()
		m.slot, m.stage = nil, none
	}
}

// settleMemory has the ranks set up what a call needs that brings so many bytes of each
// to a round, unless that is done or there is no memory for it.
func (r *run) settleMemory(ctx context.Context, bytes int) error {
	m := &r.state.memory
	for !m.full && (m.stage == unset || m.stage == first && bytes > m.small.room) {
		r.patience.begin(ctx)
		err := r.nextStage()
		r.patience.finish()
		if err != nil {
			return err
		}
	}
	return nil
}

// nextStage has the ranks agree on the next stage of their memory: rank 0 asks the host
// and tells the others.
func (r *run) nextStage() error {
	s := r.state
	m := &s.memory
	if m.stage == unset && s.comm.Size() > tune.MaxSharers {
		m.stage = none
		return nil
	}
	answer := []int64{-1}
	if s.comm.Rank() == 0 {
		answer[0] = s.provide()
	}
	if err := r.tellAll(answer); err != nil {
		return err
	}
	switch {
	case m.stage == unset && answer[0] < 0:
		m.stage = none
	case m.stage == unset:
		if s.comm.Rank() != 0 {
			slot, err := s.below.Memory.Open(int(answer[0]))
			if err != nil {
				return err
			}
			m.open(slot, s.comm.Size(), s.comm.Rank())
		}
		m.stage = first
	case answer[0] < 0:
		m.full = true
	default:
		m.stage = whole
	}
	return nil
}

// provide is what rank 0 asks of the host: a slot, or all of the one there is. It
// returns the slot's number, −1 if there is no more memory.
func (s *state) provide() int64 {
	m := &s.memory
	if m.stage == first {
		if m.slot.Grow() != nil {
			return -1
		}
		return int64(m.slot.Number)
	}
	slot, err := s.below.Memory.Claim(s.comm.Size())
	if err != nil {
		return -1
	}
	m.open(slot, s.comm.Size(), s.comm.Rank())
	return int64(slot.Number)
}

// settlingTag is that of rank 0's messages about memory: no call's, as the number
// would have to wrap around for it.
const settlingTag = rank.Tag(1<<(persistentBit+1) - 1)

// tellAll gives everyone rank 0's answer, along a binomial tree.
func (r *run) tellAll(answer []int64) error {
	s := r.state
	me, p := s.comm.Rank(), s.comm.Size()
	mask := 1
	for ; mask < p; mask <<= 1 {
		if me&mask != 0 {
			if err := r.await(rank.Irecv(s.twin, me-mask, settlingTag, answer), 0); err != nil {
				return err
			}
			break
		}
	}
	for mask >>= 1; mask > 0; mask >>= 1 {
		if me+mask < p {
			if err := r.await(rank.Isend(s.twin, me+mask, settlingTag, answer), me+mask); err != nil {
				return err
			}
		}
	}
	return nil
}
