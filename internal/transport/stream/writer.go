package stream

import (
	"github.com/muster-mpi/muster/internal/wire"
)

// write sends on s what is due until s breaks or the link is closed: first
// what the peer has not acknowledged of earlier connections, then the queue.
// It calls Handler.Sent and Handler.Writable.
func (l *link) write(s *session) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s.err == nil {
		switch {
		case l.inline:
			l.missed = true
			l.parkLocked(nil)
		case l.written < l.sent.len():
			p := l.sent.at(l.written)
			l.written++
			l.postLocked(s, l.encodeLocked(p))
		case len(l.done) > 0:
			l.releaseLocked()
		case l.refused > 0 && (l.queued == 0 || l.queued <= l.c.cfg.Queue/2 && l.queued+l.refused <= l.c.cfg.Queue):
			l.refused = 0
			l.callLocked(func() { l.c.h.Writable(l.peer) })
		case l.queue.len() > 0 && l.unacked < l.c.cfg.Window:
			if l.queue.at(0).held != nil {
				l.cutLocked(s)
			} else {
				l.postLocked(s, l.takeLocked())
			}
		case l.closing && !l.fin && l.queue.len() == 0 && l.lost == nil:
			l.fin = true
			l.roomLocked(0).fin = true
			l.tail = nil
		case l.ackNow:
			l.noteAckLocked()
			l.postLocked(s, encodeAck(l.received, s.sums))
		case l.closing && l.queue.len() == 0 && l.sent.len() == 0:
			return errDone
		default:
			l.parkLocked(nil)
		}
	}
	return s.err
}

// postLocked writes one message with mu released. gRPC may make it wait until
// the peer has read more.
func (l *link) postLocked(s *session, m *outgoing) {
	l.mu.Unlock()
	err := s.stream.SendMsg(m)
	l.mu.Lock()
	if err != nil {
		s.breakLocked(err)
	}
}

// callLocked calls the Handler with mu released.
func (l *link) callLocked(call func()) {
	l.mu.Unlock()
	l.calls.Lock()
	call()
	l.calls.Unlock()
	l.c.h.Idle()
	l.mu.Lock()
}

// releaseLocked calls Sent for the held frames that are acknowledged.
func (l *link) releaseLocked() {
	done := l.done
	l.done = nil
	l.callLocked(func() {
		for _, token := range done {
			l.c.h.Sent(l.peer, token)
		}
	})
}

// encodeLocked turns a numbered packet into a message that also acknowledges.
func (l *link) encodeLocked(p *packet) *outgoing {
	l.sinceAsk += p.len()
	flags := uint8(0)
	if p.fin || p.last != nil || l.sinceAsk >= l.c.cfg.Window/4 {
		flags, l.sinceAsk = flagAckNow, 0
	}
	l.noteAckLocked()
	return p.encode(l.received, flags, l.session.sums)
}

// noteAckLocked records that the peer is about to be told of l.received.
func (l *link) noteAckLocked() { l.reported, l.ackNow = l.received, false }

// takeLocked numbers the packet at the head of the queue.
func (l *link) takeLocked() *outgoing {
	p := l.queue.pop().pack
	if p == l.tail {
		l.tail = nil
	}
	l.queued -= p.len()
	l.numberLocked(p)
	return l.encodeLocked(p)
}

func (l *link) numberLocked(p *packet) {
	l.seq++
	p.seq = l.seq
	l.sent.push(p)
	l.written++
	l.unacked += p.len()
}

// cutLocked sends the next packet of the held frame at the head of the queue.
// A payload in one run is referred to, any other copied; only run touches a
// held frame, so that is done with mu released.
func (l *link) cutLocked(s *session) {
	f := l.queue.at(0).held
	n := min(f.payload.Len()-f.off, l.c.cfg.Packet)
	part := f.payload.Slice(f.off, f.off+n)
	h := f.h
	h.Arg += uint64(f.off)
	const heads = frameHead + wire.HeaderBytes
	var p *packet
	if user, ok := part.Contiguous(); ok {
		p = l.packetLocked(l.segmentLocked(heads))
		p.user = user
		putHead(p.seg.buf[p.to:p.to+heads], partWhole, &h, n)
		p.to += heads
	} else {
		l.mu.Unlock()
		g := l.c.segments.get()
		putFrame(g.buf[packetHead:packetHead+heads+n], partWhole, &h, part)
		l.mu.Lock()
		p = l.packetLocked(g)
		p.to += heads + n
	}
	p.seg.used = p.to
	if f.off += n; f.off == f.payload.Len() {
		p.last = f
		l.queue.pop()
		l.queued -= heldCost
	}
	l.numberLocked(p)
	l.postLocked(s, l.encodeLocked(p))
}

// writeInline writes the one packet in the queue on the goroutine of Send.
func (l *link) writeInline() {
	l.inline = true
	if p := l.session.polled; p != nil {
		p.due.Store(true)
	}
	l.postLocked(l.session, l.takeLocked())
	l.inline = false
	if l.missed || l.session != nil && l.session.err != nil {
		l.missed = false
		l.wakeLocked()
	}
}
