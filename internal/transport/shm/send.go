package shm

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Send implements transport.Conn. Where the frame fits it takes no lock and no atomic
// operation but loads and one storeRelease.
func (c *Conn) Send(peer int, h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	l := c.peers[peer].link.Load()
	if l == nil {
		return c.connect(peer)
	}
	run, one := payload.Plain()
	size := frameBytes(len(run))
	if !one || size > pieceBytes || l.gate.Load() != gateOpen || !l.out.fits(size) {
		return l.sendSlowly(h, payload, token)
	}
	s := &l.out
	front := s.ring[s.pos&ringMask:][:size]
	h.Put(front[wordBytes:frontBytes])
	if len(run) == 8 { // in line: nothing else is as often waited for
		*(*[8]byte)(front[frontBytes:]) = *(*[8]byte)(run)
	} else {
		copy(front[frontBytes:], run)
	}
	s.publish(size, kindWhole|wire.HeaderBytes+uint64(len(run)))
	if in := atomic.LoadUint64(&l.in.consumed); in != s.heard {
		s.heard = in
	} else {
		// Several in a row: the next lines were the peer's last, and each would hold
		// up all stores behind it. In a dialogue the peer looks at them meanwhile, and
		// fetching them early is fetching them twice.
		own(s.ring.word(s.pos+2*granule), s.ring.word(s.pos+3*granule))
	}
	l.tell()
	return transport.Taken, nil
}

// sendSlowly is Send for what needs more than a place in the ring's next lines.
func (l *link) sendSlowly(h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	switch l.gate.Load() {
	case gateDead:
		return transport.Full, l.lostError()
	case gateBusy:
		return l.full(anyTail), nil
	}
	size := frameBytes(payload.Len())
	if size > pieceBytes {
		return l.begin(h, payload, token)
	}
	need, err := l.reserve(size)
	if err == nil && need > 0 {
		if l.full(need); l.seen(need) {
			l.unrefuse()
			need, err = l.reserve(size)
		}
	}
	switch {
	case err != nil:
		return transport.Full, l.breach(err)
	case need > 0:
		return transport.Full, nil
	}
	l.out.put(kindWhole, h, payload, 0)
	l.tell()
	return transport.Taken, nil
}

// full notes that a Send was refused. The note comes before a last look at what it was
// refused for: whoever changes that looks for the note afterwards.
func (l *link) full(tail uint64) transport.Result {
	l.refuse(tail)
	if tail == anyTail && l.gate.Load() != gateBusy {
		l.conn.poke() // Writable is due already
	}
	return transport.Full
}

// begin takes a payload that is larger than a frame may be. What fits goes at once, the
// rest from Poll.
func (l *link) begin(h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	j := &l.out.job
	*j = job{header: *h, payload: payload, token: token, bulk: h.Kind == wire.Bulk}
	taken := transport.Held
	if !j.bulk {
		if payload.Len() > MaxFrameBytes {
			*j = job{}
			return transport.Full, l.breach(fmt.Errorf("a frame %v of %d bytes, at most %d can be sent", h.Kind, payload.Len(), MaxFrameBytes))
		}
		copied := make([]byte, payload.Len())
		payload.ReadAt(copied, 0)
		j.payload, taken = layout.Of(copied), transport.Taken
	}
	done, err := l.pump()
	if err != nil {
		*j = job{}
		return transport.Full, l.breach(err)
	}
	if done {
		*j = job{}
		return transport.Taken, nil
	}
	l.conn.busy.Add(1)
	if !l.gate.CompareAndSwap(gateOpen, gateBusy) { // lost meanwhile
		l.conn.busy.Add(-1)
		*j = job{}
		return transport.Full, l.lostError()
	}
	// The peer may have made room, and rung for it, before the gate was busy.
	l.conn.poke()
	return taken, nil
}

// breach closes the gate after the caller, who owned it, found the link unusable.
func (l *link) breach(err error) error {
	l.fail(err, false)
	l.gate.Store(gateDead)
	l.unrefuse()
	return l.lostError()
}

func (l *link) lostError() error {
	if f := l.failure.Load(); f != nil {
		return lostError(l.peer, f.cause)
	}
	return lostError(l.peer, net.ErrClosed) // by Close, beside this Send
}

// pump sends what fits of the job and reports whether that was the rest of it. The caller
// owns out. It sends no more than the ring holds, however fast the peer consumes.
func (l *link) pump() (done bool, err error) {
	s := &l.out
	for limit := s.pos + ringBytes; s.pos < limit; {
		size, n := s.piece()
		need, err := l.reserve(size)
		if err != nil || need > 0 && !l.seen(need) {
			return false, err
		}
		if need > 0 {
			continue
		}
		s.putPiece(n)
		l.tell()
		if s.job.done == s.job.payload.Len() {
			return true, nil
		}
	}
	return false, nil
}

// piece returns the next frame's size and the payload bytes in it. It ends at the ring's
// end rather than leave more than a little of it empty.
func (s *sender) piece() (size uint64, n int) {
	const least = 4 << 10
	room := uint64(ringBytes - s.pos&ringMask)
	if room < least || room > pieceBytes {
		room = pieceBytes
	}
	n = min(s.job.payload.Len()-s.job.done, int(room-granule)) // so that pieces keep the payload's alignment
	return frameBytes(n), n
}

// putPiece publishes the next n bytes of the job.
func (s *sender) putPiece(n int) {
	j := &s.job
	part := j.payload.Slice(j.done, j.done+n)
	rest := uint64(j.payload.Len() - j.done - n)
	switch {
	case j.bulk:
		h := j.header
		h.Arg += uint64(j.done)
		h.Bytes = uint64(n)
		s.put(kindWhole, &h, part, 0)
	case j.done == 0:
		s.put(kindFirst, &j.header, part, rest)
	default:
		s.put(kindMore, nil, part, rest)
	}
	j.done += n
}

// fits reports whether a frame of size bytes can be put at once, as far as is known. One
// granule stays free: the control word behind the frame may have to be cleared.
func (s *sender) fits(size uint64) bool {
	return s.pos&ringMask+size <= ringBytes && s.pos+size+granule-s.tail <= ringBytes
}

// reserve makes sure that a frame of size bytes can be put. Otherwise it tells the peer
// which tail is needed for that, and returns it.
func (l *link) reserve(size uint64) (need uint64, err error) {
	s := &l.out
	if s.fits(size) {
		return 0, nil
	}
	pad := uint64(0)
	if left := ringBytes - s.pos&ringMask; left < size {
		pad = left
	}
	end := s.pos + pad + size + granule
	if end-s.tail > ringBytes {
		tail := l.theirs.tail.Load()
		if tail < s.tail || tail > s.pos || tail%granule != 0 {
			return 0, fmt.Errorf("rank %d says it has consumed up to %d, after %d, of %d published", l.peer, tail, s.tail, s.pos)
		}
		s.tail = tail
	}
	if end-s.tail > ringBytes {
		need = end - ringBytes
		if l.want.Load() != need {
			l.want.Store(need)
			l.mine.want.Store(need)
			l.tell()
		}
		return need, nil
	}
	if pad > 0 {
		at := s.pos
		s.pos += pad
		s.clear()
		storeRelease(s.ring.word(at), mark(at)|kindPad)
	}
	return 0, nil
}

// seen reports whether the peer's tail has reached need, looked at after want was set.
func (l *link) seen(need uint64) bool { return l.theirs.tail.Load() >= need }

// put writes a frame and publishes it. There is room for it.
func (s *sender) put(kind uint64, h *wire.Header, payload layout.Buffer, rest uint64) {
	front := s.ring[s.pos&ringMask:]
	length := uint64(payload.Len())
	at := uint64(wordBytes)
	if h != nil {
		h.Put(front[wordBytes:frontBytes])
		at, length = frontBytes, length+wire.HeaderBytes
	}
	payload.ReadAt(front[at:wordBytes+length], 0)
	s.publish((wordBytes+length+granule-1)&^(granule-1), kind|rest<<restShift|length)
}

// publish makes the frame of size bytes at pos visible.
func (s *sender) publish(size, word uint64) {
	at := s.pos
	s.pos += size
	s.clear()
	storeRelease(s.ring.word(at), mark(at)|word)
}

// clear makes sure that the word at pos, which the peer looks at next, does not look like
// that of the frame that is to come there.
func (s *sender) clear() {
	if w := s.ring.word(s.pos); *w&markMask == mark(s.pos) {
		*w = 0
	}
}
