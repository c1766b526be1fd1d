package shm

import (
	"fmt"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
)

// receive delivers the next frame, in place, and reports whether there was one. It does
// not look for a second: where there is none yet, the line that would say so has just
// been written by the peer, and fetching it takes longer than all the rest. Nothing that
// the peer wrote is looked at twice: what was checked and what is used are the same.
func (l *link) receive(h transport.Handler) bool {
	r := &l.in
	pos := r.consumed
	w := atomic.LoadUint64(r.ring.word(pos)) ^ mark(pos)
	if w&markMask != 0 {
		if l.theirs.want.Load() > r.published {
			l.settle(pos)
		}
		return false
	}
	at, length := pos&ringMask, w&lengthMask
	size := (length + wordBytes + granule - 1) &^ (granule - 1)
	var err error
	// The next frame's lines, if the peer is ahead.
	fetch(r.ring.word(pos+size), r.ring.word(pos+size+granule))
	if w&^lengthMask != 0 || length < frontBytes-wordBytes || at+size > ringBytes {
		size, err = l.receiveOther(h, w, at, size)
	} else {
		copy(r.front[:], r.ring[at+wordBytes:])
		if err = r.header.Parse(r.front[:]); err == nil {
			h.Deliver(l.peer, &r.header, layout.Of(r.ring[at+frontBytes:at+wordBytes+length:at+wordBytes+length]))
		}
	}
	if err != nil {
		r.broken.Store(true) // also where the link has failed already and was to be drained
		l.fail(fmt.Errorf("rank %d wrote, at position %d of its ring, %w", l.peer, pos, err), false)
		return true
	}
	pos += size
	storeRelease(&r.consumed, pos)
	if pos-r.published >= pieceBytes || l.theirs.want.Load()&^closedBit > r.published && l.theirs.want.Load()&^closedBit <= pos {
		l.publish(pos)
	}
	return true
}

// receiveOther takes what is not a whole frame, and returns how much of the ring it is.
func (l *link) receiveOther(h transport.Handler, w, at, size uint64) (uint64, error) {
	r := &l.in
	kind, length, rest := w&kindMask, int(w&lengthMask), int(w>>restShift&restMask)
	if kind == kindPad {
		if length != 0 || rest != 0 {
			return 0, fmt.Errorf("the control word %#x: padding of %d bytes with %d to follow", w, length, rest)
		}
		return ringBytes - at, nil
	}
	if at+size > ringBytes {
		return 0, fmt.Errorf("the control word %#x: %d bytes where the ring has %d", w, length, ringBytes-at-wordBytes)
	}
	part := r.ring[at+wordBytes : at+wordBytes+uint64(length)]
	switch {
	case kind == kindFirst && r.rest == 0 && length > frontBytes-wordBytes && rest > 0 && length+rest <= MaxFrameBytes:
		copy(r.front[:], part)
		if err := r.large.Parse(r.front[:]); err != nil {
			return 0, err
		}
		part = part[frontBytes-wordBytes:]
		// Room for all of it, but what the peer does not send it shall not cost either.
		r.parts = make([]byte, 0, min(len(part)+rest, 1<<20))
	case kind == kindMore && r.rest > 0 && length > 0 && rest == r.rest-length:
	default:
		return 0, fmt.Errorf("the control word %#x: a part of %d bytes before %d more, when %d were due", w, length, rest, r.rest)
	}
	r.parts, r.rest = append(r.parts, part...), rest
	if rest == 0 {
		h.Deliver(l.peer, &r.large, layout.Of(r.parts))
		r.parts = nil
	}
	return size, nil
}

// publish tells the peer what was consumed, and rings if it waits for that.
func (l *link) publish(pos uint64) {
	old := l.in.published
	// A full store: the loads below come after it.
	l.mine.tail.Store(pos)
	storeRelease(&l.in.published, pos)
	if want := l.theirs.want.Load() &^ closedBit; old < want && want <= pos {
		l.tell()
	}
}

// settle sees to what the peer wants beyond its frames.
func (l *link) settle(pos uint64) {
	want := l.theirs.want.Load()
	last := !l.in.ring.holds(pos) // and the peer published nothing before it wanted this
	tail := want &^ closedBit
	switch {
	case tail > l.in.published && tail <= pos:
		l.publish(pos)
	case tail > pos && last:
		l.fail(fmt.Errorf("rank %d wants position %d of its ring consumed, and has published only %d", l.peer, tail, pos), false)
		return
	}
	if want&closedBit != 0 && last {
		l.fail(ErrPeerClosed, false)
	}
}

// ready reports whether receive has work. Any goroutine may call it.
func (r *receiver) ready(theirs *side) bool {
	return !r.empty() ||
		theirs.want.Load() > atomic.LoadUint64(&r.published)
}

// empty reports whether no frame is there. Any goroutine may call it.
func (r *receiver) empty() bool {
	return !r.ring.holds(atomic.LoadUint64(&r.consumed)) || r.broken.Load()
}
