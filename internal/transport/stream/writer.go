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

// encodeLocked turns a numbered packet into a message that also acknowledges.
func (l *link) encodeLocked(p *packet) *outgoing {
	l.sinceAsk += p.len()
	flags := uint8(0)
	if p.fin || l.sinceAsk >= l.c.cfg.Window/4 {
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

// cutLocked sends the next packet of the held frame at the head of the queue;
// after its last, the payload is the caller's again. Only run touches a held
// frame, so its payload is copied with mu released.
func (l *link) cutLocked(s *session) {
	f := l.queue.at(0).held
	l.mu.Unlock()
	n := min(f.payload.Len()-f.off, l.c.cfg.Packet)
	last := f.off+n == f.payload.Len()
	h := f.h
	h.Arg += uint64(f.off)
	g := l.c.segments.get()
	end := packetHead + frameHead + wire.HeaderBytes + n
	putFrame(g.buf[packetHead:end], partWhole, &h, f.payload.Slice(f.off, f.off+n))
	l.mu.Lock()
	p := l.packetLocked(g)
	p.to, g.used = end, end
	f.off += n
	if last {
		l.queue.pop()
		l.queued -= heldCost
	}
	l.numberLocked(p)
	l.postLocked(s, l.encodeLocked(p))
	if last {
		l.callLocked(func() { l.c.h.Sent(l.peer, f.token) })
	}
}

// writeInline writes the one packet in the queue on the goroutine of Send.
func (l *link) writeInline() {
	l.inline = true
	l.postLocked(l.session, l.takeLocked())
	l.inline = false
	if l.missed || l.session != nil && l.session.err != nil {
		l.missed = false
		l.wakeLocked()
	}
}
