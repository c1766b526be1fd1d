package collectives

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/muster-mpi/muster/internal/hostmem"
	"github.com/muster-mpi/muster/rank"
)

// memory is what the ranks of a communicator share where all of them are on one
// host: a slot of the host's memory, in which blocking collectives meet.
//
// The head of the slot has two words: arrivals, which counts who has come to the
// barrier under way, and generation, which counts barriers that are over. Then
// follow two halves, each with a region for every rank and one for results. A
// collective goes in rounds: each rank writes what others need of it to its region of
// a half, all meet at a barrier, and each reads. The next round uses the other half.
// So who is slow to read is not overtaken: to write to this half again a rank must
// have passed the next barrier, to which the slow one comes after it has read.
type memory struct {
	stage    stage
	full     bool // the host has no more for it
	slot     *hostmem.Slot
	p, me    int
	arrivals *atomic.Uint64
	over     *atomic.Uint32 // generation
	sleepers *atomic.Uint32
	passed   uint32 // barriers
	half     int
	inline   halves // of two ranks: beside their flags
	small    halves
	large    halves
	flags    [2][2]*atomic.Uint64 // of two ranks, by rank and half
	waiting  waiting
	stream   stream
	sleeper  hostmem.Sleeper
}

// stage is how far the memory of a communicator is set up. All ranks are equally
// far, as they make the same blocking calls.
type stage uint8

const (
	unset stage = iota
	none        // by messages
	first       // only small calls fit
	whole
)

// halves are the regions of rounds of one kind.
type halves struct {
	base   [2][]byte
	stride int // from region to region
	room   int // bytes of a region
}

const (
	lineBytes  = 128     // what two cores do not fight over
	headBytes  = 4 << 10 // arrivals, generation, flags
	flagsAt    = 4 * lineBytes
	streamAt   = hostmem.FirstBytes / 2
	inlineRoom = 56 // of a cache line, beside the flag
	regionRoom = 128 << 10
)

// divide lays two halves of p+1 regions out in b.
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
	m.stream = layStream(b[streamAt:hostmem.FirstBytes], p, m)
	m.large = divide(b[hostmem.FirstBytes:], p)
	m.waiting.m, m.waiting.ready = m, m.waiting.Ready
}

func (m *memory) release() {
	if m.slot != nil {
		m.slot.Release()
		m.slot, m.stage = nil, none
	}
}

// The arrivals word has the number of ranks in its top bits, and below it the sum of
// what they call: if all call the same it is that many times the fingerprint.
const (
	arrivalShift = 48
	printMask    = 1<<32 - 1
	unequal      = 1 << 31 // in generation: the ranks' calls differ
)

// errUnequal says that the ranks of a barrier have come to it by different calls.
var errUnequal = errors.New("calls differ")

// barrier returns once all ranks have called it. print is the call's fingerprint.
func (m *memory) barrier(ctx context.Context, r *run, print uint64) error {
	print &= printMask
	next := (m.passed + 1) &^ unequal
	if m.p == 2 {
		return m.pass(ctx, r, print, m.passed+1)
	}
	if n := m.arrivals.Add(1<<arrivalShift + print); int(n>>arrivalShift) == m.p {
		word := next
		if n&(1<<arrivalShift-1) != print*uint64(m.p) {
			word |= unequal
		}
		m.arrivals.Store(0)
		m.over.Store(word)
		m.wake(m.over)
	} else {
		m.waiting.next = next
		s := r.state
		if !m.waiting.Ready() {
			if err := s.below.Engine.Await(ctx, s.below.Context, &m.waiting, r.idle); err != nil {
				return err
			}
		}
	}
	m.passed = next
	if m.over.Load() == next|unequal {
		return errUnequal
	}
	return nil
}

// pass is the barrier of two: each raises its flag and looks at the other's, so that
// one line travels each way, at the same time. What is written beside a flag before it
// is raised travels along.
func (m *memory) pass(ctx context.Context, r *run, print uint64, next uint32) error {
	own, other := m.flags[m.me][m.half], m.flags[1-m.me][m.half]
	own.Store(uint64(next)<<32 | print)
	m.wake(upper(own))
	m.waiting.next, m.waiting.flag = next, other
	if !m.waiting.Ready() {
		s := r.state
		if err := s.below.Engine.Await(ctx, s.below.Context, &m.waiting, r.idle); err != nil {
			return err
		}
	}
	m.passed = next
	if other.Load()&printMask != print {
		return errUnequal
	}
	return nil
}

// upper is the half of a flag that has the number of the barrier, which is what a
// sleeper sleeps on.
func upper(flag *atomic.Uint64) *atomic.Uint32 {
	const at = 4 // of a little-endian word, as all are that have this memory
	return (*atomic.Uint32)(unsafe.Add(unsafe.Pointer(flag), at))
}

func (m *memory) wake(word *atomic.Uint32) {
	if m.slot.Parking != nil {
		m.slot.Parking.Wake()
	} else if m.sleepers.Load() > 0 {
		hostmem.FutexWake(word)
	}
}

// waiting is the end of a barrier (engine.Awaited).
type waiting struct {
	m     *memory
	next  uint32
	flag  *atomic.Uint64 // of the other of two ranks; nil: generation
	ready func() bool    // kept, since a method value is made anew each time
}

// Ready reports whether the barrier is over. The one after it cannot be, since this
// rank has not come to it.
func (w *waiting) Ready() bool {
	if w.flag != nil {
		// The other may have gone on to the next barrier of this half already.
		return int32(uint32(w.flag.Load()>>32)-w.next) >= 0
	}
	return w.m.over.Load()&^unequal == w.next
}

func (w *waiting) Sleep(d time.Duration) {
	word := w.m.over
	if w.flag != nil {
		word = upper(w.flag)
	}
	w.m.sleep(word, w.ready, d)
}

// idle is called now and then while a rank sleeps in a barrier.
func (r *run) idle() error {
	if err := r.state.spoiled(); err != nil {
		return err
	}
	if r.naps++; r.naps == napsBeforeNote {
		r.setSite(callSite())
	}
	if r.naps%napsBetweenNotes == napsBeforeNote {
		r.inquire(r.state.others()) // again, for who has not come to any call yet
	}
	return nil
}

// Naps are of 20 ms, if nothing disturbs them.
const (
	napsBeforeNote   = 5
	napsBetweenNotes = 25
)

// settleMemory has the ranks agree whether they share memory, and how much of it
// is ready: rank 0 asks the host and tells the others.
func (r *run) settleMemory(want stage) error {
	s := r.state
	m := &s.memory
	if m.stage == none || m.stage >= want || m.full {
		return nil
	}
	if s.below.Memory == nil || s.below.Hosts != nil || m.stage == unset && s.comm.Size() > maxSharers {
		m.stage = none
		return nil
	}
	answer := []int64{-1}
	grown := m.stage == first
	if s.comm.Rank() == 0 {
		answer[0] = s.provide(want)
	}
	if err := r.tellAll(answer); err != nil {
		return err
	}
	switch {
	case m.stage == unset && answer[0] >= 0 && s.comm.Rank() != 0:
		slot, err := s.below.Memory.Open(int(answer[0]))
		if err != nil {
			return err
		}
		m.open(slot, s.comm.Size(), s.comm.Rank())
		m.stage = first
	case m.stage == unset && answer[0] < 0:
		m.stage = none
	case m.stage == first && answer[0] < 0:
		m.full = true
	case m.stage == first && answer[0] >= 0 && want == whole && grown:
		m.stage = whole
	}
	if m.stage == first && want == whole {
		return r.settleMemory(want)
	}
	return nil
}

// maxSharers bounds the ranks of a communicator that share memory: beyond it regions
// would be too small.
const maxSharers = 256

// provide is what rank 0 asks of the host: it returns the slot's number, or −1.
func (s *state) provide(want stage) int64 {
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
	m.stage = first
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

// await waits for q with r's patience, and asks peer what it is doing.
func (r *run) await(q rank.Request, peer int) error {
	for {
		_, err := q.Wait(&r.patience)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, rank.ErrPending):
			return reason(err)
		}
		err = r.state.spoiled()
		if err == nil {
			err = r.patience.over()
		}
		if err != nil {
			q.Conclude(ended)
			return err
		}
		if r.site == "" {
			r.setSite(callSite())
		}
		r.inquire([]int{peer})
	}
}

// explain turns errUnequal into who calls what: everybody tells everybody.
func (r *run) explain(ctx context.Context) error {
	r.setSite(callSite())
	r.inquire(r.state.others())
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if err := r.state.spoiled(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return fmt.Errorf("%w: this rank calls %v", rank.ErrMismatch, r.call)
		}
	}
}
