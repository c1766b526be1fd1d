package stream

import (
	"fmt"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// item is one entry of a link's queue: a packet, or a Bulk frame too long to
// copy at once.
type item struct {
	pack *packet
	held *held
}

// held is a Bulk frame whose payload stays with the caller until the peer has
// acknowledged all of it.
type held struct {
	h       wire.Header
	payload layout.Buffer
	token   uint64
	off     int // payload already in packets
}

// heldCost is what a held frame counts in the queue, so that their number is
// bounded too.
const heldCost = 4 << 10

func (l *link) send(h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	l.mu.Lock()
	switch {
	case l.closing:
		l.mu.Unlock()
		return transport.Full, ErrClosed
	case l.lost != nil:
		err := l.lost
		l.mu.Unlock()
		return transport.Full, err
	case !l.established:
		l.wanted, l.refused = true, 1
		ok := l.startLocked()
		l.mu.Unlock()
		if !ok {
			return transport.Full, ErrClosed
		}
		return transport.Full, nil
	}
	n := payload.Len()
	cost := frameHead + wire.HeaderBytes + n
	hold := h.Kind == wire.Bulk && n > l.c.cfg.Copy
	if hold {
		cost = heldCost
	}
	if l.queued > 0 && l.queued+cost > l.c.cfg.Queue {
		l.refused = cost
		l.mu.Unlock()
		return transport.Full, nil
	}
	l.queued += cost
	if hold {
		l.tail = nil
		l.queue.push(item{held: &held{h: *h, payload: payload, token: token}})
		l.wakeLocked()
		l.mu.Unlock()
		return transport.Held, nil
	}
	if n <= l.c.cfg.Packet {
		l.packLocked(partWhole, h, payload)
	} else {
		l.splitLocked(h, payload)
	}
	if l.parked && l.session != nil && l.sent.len() == 0 && n <= l.c.cfg.Copy {
		// Everything written has arrived, so gRPC takes this without waiting,
		// and two goroutine switches are saved.
		l.writeInline()
	} else {
		l.wakeLocked()
	}
	l.mu.Unlock()
	return transport.Taken, nil
}

// packLocked copies a frame, or a part of one, to the end of the queue.
func (l *link) packLocked(part byte, h *wire.Header, payload layout.Buffer) {
	n := frameHead + payload.Len()
	if h != nil {
		n += wire.HeaderBytes
	}
	p := l.roomLocked(n)
	putFrame(p.seg.buf[p.to:p.to+n], part, h, payload)
	p.to += n
	p.seg.used = p.to
}

// splitLocked copies a frame that is longer than a packet and must come whole.
func (l *link) splitLocked(h *wire.Header, payload layout.Buffer) {
	n, step := payload.Len(), l.c.cfg.Packet
	l.packLocked(partFirst, h, payload.Slice(0, step))
	off := step
	for ; n-off > step; off += step {
		l.packLocked(partMiddle, nil, payload.Slice(off, off+step))
	}
	l.packLocked(partLast, nil, payload.Slice(off, n))
	l.queued += (off / step) * frameHead // the heads of the parts after the first
}

// roomLocked returns the packet at the end of the queue, with room for need
// bytes of frame.
func (l *link) roomLocked(need int) *packet {
	if p := l.tail; p != nil && p.to == p.seg.used && len(p.seg.buf)-p.to >= need {
		return p // nothing lies behind it, and it has room
	}
	p := l.packetLocked(l.segmentLocked(need))
	l.queued += packetHead
	l.tail = p
	l.queue.push(item{pack: p})
	return p
}

// segmentLocked returns the segment for small packets, with room for one of
// need bytes of frame.
func (l *link) segmentLocked(need int) *segment {
	if l.current == nil || len(l.current.buf)-l.current.used < packetHead+need {
		l.current = l.c.segments.get()
	}
	return l.current
}

// packetLocked returns an empty packet behind what lies in g.
func (l *link) packetLocked(g *segment) *packet {
	p := &packet{}
	if n := len(l.spare); n > 0 {
		p, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	g.packets++
	*p = packet{seg: g, from: g.used, to: g.used + packetHead}
	g.used = p.to
	return p
}

// acknowledgeLocked forgets what the peer has received. Segments without
// packets are free for reuse; see segment.
func (l *link) acknowledgeLocked(ack uint64) error {
	if ack < l.acked || ack > l.seq {
		return fmt.Errorf("%w: acknowledges %d, want %d to %d", ErrMalformed, ack, l.acked, l.seq)
	}
	l.acked = ack
	stalled := l.unacked >= l.c.cfg.Window || l.closing
	for l.sent.len() > 0 && l.sent.at(0).seq <= ack {
		p := l.sent.pop()
		l.unacked -= p.len()
		if p.last != nil {
			l.done = append(l.done, p.last.token)
		}
		l.written = max(l.written-1, 0)
		g := p.seg
		if g.packets--; g.packets == 0 {
			if g == l.current {
				l.current = nil
			}
			l.c.segments.put(g)
		}
		if *p = (packet{}); len(l.spare) < 64 {
			l.spare = append(l.spare, p)
		}
	}
	if stalled {
		l.wakeLocked()
	}
	return nil
}

// dropLocked forgets all that was to be sent.
func (l *link) dropLocked() {
	l.queue, l.sent = fifo[item]{}, fifo[*packet]{}
	l.tail, l.current, l.spare, l.done = nil, nil, nil, nil
	l.queued, l.unacked, l.written = 0, 0, 0
	l.refused = 0
}
