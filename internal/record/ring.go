// Package record keeps what a process was last doing: a record per operation, in memory
// that the parent of the process maps too, so that it can still be read when the process
// was killed without warning. The process writes through a Ring; the parent, or a report
// within the process, reads through a Reader.
//
// An operation costs a cache line written and no clock reading. Only one that is about
// to park, and so has time, says when and where in the program (Slot.Block).
package record

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Ring is the writer's side. All methods but BeginLocked, DoneLocked, Sleep and WakeUp, whose
// callers have a lock, may be called by any number of goroutines at once.
type Ring struct {
	m *memory

	locked uint64        // last number of the locked lane; BeginLocked's callers have a lock
	_      [6]uint64     // the two lanes' counters do not share a cache line
	shared atomic.Uint64 // last number of the other lane

	waits [waitSize / 64]atomic.Uint64 // which places in m.waits are taken

	asleep time.Time // since when, by a clock that nobody sets

	mu       sync.Mutex
	comms    [nameSize]uint64 // which communicator has which place in m.names, as stored there
	nextName int
}

// New returns a Ring over memory of its own, for a process without a parent that reads.
func New() *Ring { return newRing(new(memory)) }

func newRing(m *memory) *Ring {
	*m = memory{}
	m.phase = uint64(Starting)
	m.mark = layoutMark
	return &Ring{m: m}
}

// Slot is an operation begun. It is a plain value. Block and End are no-ops on the zero
// Slot. Begin, Block and End of one operation come in this order: either from one
// goroutine, or ordered by a lock.
type Slot struct{ c call }

// Begin records an operation that starts. A peer and tag that do not apply are NoPeer
// and NoTag, a size that does not apply is negative.
func (r *Ring) Begin(op Op, comm uint32, peer int32, tag int64, bytes int64) Slot {
	var number uint64
	for {
		last := r.shared.Load()
		number = max(last, load(&r.locked)) + 1 | 1
		if r.shared.CompareAndSwap(last, number) {
			break
		}
	}
	c := pack(number, op, comm, peer, tag, bytes)
	r.m.ring[place(number)].write(c)
	return Slot{c}
}

// BeginLocked is Begin for callers that hold a lock, always the same one. It spares the
// atomic operation. Both may be used on one Ring at the same time.
func (r *Ring) BeginLocked(op Op, comm uint32, peer int32, tag int64, bytes int64) Slot {
	// Numbers grow through both lanes, each looking at the other, so that they also tell
	// which of two records is the later one.
	number := (max(load(&r.locked), r.shared.Load()) + 2) &^ 1
	store(&r.locked, number)
	c := pack(number, op, comm, peer, tag, bytes)
	rec := &r.m.ring[place(number)]
	store(&rec.id, c.id) // as write, which is too long to be inlined
	store(&rec.who, c.who)
	store(&rec.tag, c.tag)
	store(&rec.bytes, c.bytes)
	store(&rec.end, 0)
	store(&rec.check, c.sum())
	return Slot{c}
}

// DoneLocked is BeginLocked and End of an operation that is over already.
func (r *Ring) DoneLocked(op Op, comm uint32, peer int32, tag int64, bytes int64) {
	number := (max(load(&r.locked), r.shared.Load()) + 2) &^ 1
	store(&r.locked, number)
	c := pack(number, op, comm, peer, tag, bytes)
	rec := &r.m.ring[place(number)]
	store(&rec.id, c.id)
	store(&rec.who, c.who)
	store(&rec.tag, c.tag)
	store(&rec.bytes, c.bytes)
	store(&rec.end, 1)
	store(&rec.check, c.sum())
}

func (rec *record) write(c call) {
	store(&rec.id, c.id)
	store(&rec.who, c.who)
	store(&rec.tag, c.tag)
	store(&rec.bytes, c.bytes)
	store(&rec.end, 0)
	store(&rec.check, c.sum())
}

// End records that the operation is over.
func (s Slot) End(r *Ring) {
	if rec := &r.m.ring[place(s.c.number())]; load(&rec.id) == s.c.id {
		store(&rec.end, 1)
	} else {
		r.end(s.c.id, 1)
	}
}

// EndAt is End with the time, in unix nanoseconds, for a caller that has just read the
// clock because the operation had blocked.
func (s Slot) EndAt(r *Ring, now int64) { r.end(s.c.id, now) }

func (r *Ring) end(id uint64, now int64) {
	if id == 0 {
		return
	}
	now = max(now, 1)
	if rec := &r.m.ring[place(id>>8)]; load(&rec.id)&^parked == id {
		store(&rec.end, uint64(now))
	}
	if k, ok := r.blocked(id); ok {
		// The words stay until the place is taken again: a report may still want to know
		// where a finished operation was.
		store(&r.m.waits[k].end, uint64(now))
		r.waits[k/64].And(^(uint64(1) << (k % 64)))
	}
}

// Block records that the operation is about to park: since now, in unix nanoseconds,
// and called from site, such as "solver.go:142", of which the last 64 bytes are kept.
// Until End it stays on record whatever other goroutines do, unless 128 operations are
// blocked already. A second call moves time and place.
func (s Slot) Block(r *Ring, now int64, site string) {
	if s.c.id == 0 {
		return
	}
	i, ok := r.blocked(s.c.id)
	if !ok {
		if i, ok = r.claim(); !ok {
			return
		}
	}
	if rec := &r.m.ring[place(s.c.number())]; load(&rec.id) == s.c.id {
		store(&rec.id, s.c.id|parked)
	}
	w := wait{call: s.c, start: uint64(now)}
	packText(w.site[:], site)
	to := &r.m.waits[i]
	store(&to.check, 0)
	store(&to.id, w.id)
	store(&to.who, w.who)
	store(&to.tag, w.tag)
	store(&to.bytes, w.bytes)
	store(&to.start, w.start)
	for i := range w.site {
		store(&to.site[i], w.site[i])
	}
	store(&to.end, 0)
	store(&to.check, w.sum())
}

// Sleep records that from now on a goroutine of the process sleeps in
// a call, whatever others do. Until WakeUp it is not called again.
func (r *Ring) Sleep(now time.Time) {
	r.asleep = now
	store(&r.m.since, uint64(now.UnixNano()))
}

// WakeUp records that none does any more. A reader between its two stores misses this sleep,
// or counts it twice if it sees them in the other order: for one reading.
func (r *Ring) WakeUp(now time.Time) {
	if load(&r.m.since) != 0 {
		store(&r.m.since, 0)
		store(&r.m.slept, load(&r.m.slept)+uint64(max(now.Sub(r.asleep), 0)))
	}
}

// claim takes a free place for a blocked operation.
func (r *Ring) claim() (int, bool) {
	for i := range r.waits {
		for taken := r.waits[i].Load(); taken != ^uint64(0); taken = r.waits[i].Load() {
			free := bits.TrailingZeros64(^taken)
			if r.waits[i].CompareAndSwap(taken, taken|1<<free) {
				return 64*i + free, true
			}
		}
	}
	return 0, false
}

// blocked finds the place of a call among the blocked operations.
func (r *Ring) blocked(id uint64) (int, bool) {
	for i := range r.waits {
		for taken := r.waits[i].Load(); taken != 0; taken &= taken - 1 {
			k := 64*i + bits.TrailingZeros64(taken)
			if load(&r.m.waits[k].id) == id {
				return k, true
			}
		}
	}
	return 0, false
}

// NameComm gives a communicator the name that records of it are shown with; the first
// 48 bytes count. 64 names are kept: the first ever given, which is the world's, and
// the latest.
func (r *Ring) NameComm(comm uint32, text string) {
	if len(text) > nameBytes {
		text = text[:nameBytes]
		for len(text) > 0 {
			if c, size := utf8.DecodeLastRuneInString(text); c != utf8.RuneError || size != 1 {
				break
			}
			text = text[:len(text)-1]
		}
	}
	n := name{comm: uint64(comm) | 1<<32}
	packText(n.text[:], text)

	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.nextName
	for i, c := range r.comms {
		if c == n.comm {
			at = i
		}
	}
	if at == r.nextName {
		r.nextName = 1 + r.nextName%(nameSize-1)
	}
	r.comms[at] = n.comm
	to := &r.m.names[at]
	store(&to.check, 0)
	store(&to.comm, n.comm)
	for i := range n.text {
		store(&to.text[i], n.text[i])
	}
	store(&to.check, n.sum())
}

// Phase records how far the process is with its job.
func (r *Ring) Phase(p Phase) { store(&r.m.phase, uint64(p)) }

// Reader returns a Reader of this ring, for reports within the process.
func (r *Ring) Reader() *Reader { return &Reader{m: r.m} }
