package stream

import (
	"fmt"
	"net"
	"sync"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// A link is one end of the road to one peer. It outlives the connections it
// uses. One goroutine, run, gets connections and writes; while there is one,
// a second reads it.
type link struct {
	c    *Conn
	peer int
	wake chan struct{} // run looks again; capacity 1

	calls   sync.Mutex // held during calls to the Handler, so they come one at a time
	decoder decoder    // used by the reader only; one reader ends before the next begins

	mu sync.Mutex

	// Connections.
	running     bool
	parked      bool        // run waits on wake
	next        *attachment // to be used next
	number      uint32      // highest attached so far
	attached    bool        // number is valid
	session     *session    // in use, or in its handshake
	wanted      bool        // somebody here needs the link
	established bool        // a handshake has succeeded
	incarnation uint64      // the peer's, once established
	closing     bool
	aborted     error // Close's time is over
	dead        error // Fail's cause
	lost        error // nothing goes out any more; reported, or about to be
	loss        error // for Close: what was taken and could not be flushed

	// Sending.
	queue    fifo[item]
	tail     *packet  // last in queue and open for more frames, or nil
	current  *segment // of small packets, or nil
	spare    []*packet
	queued   int           // bytes in queue
	refused  int           // cost of the frame that Send refused and Writable has not ended; 0: none
	sent     fifo[*packet] // numbered, not acknowledged
	written  int           // how many of sent this session has written
	unacked  int           // bytes in sent
	seq      uint64        // of the last in sent
	acked    uint64
	sinceAsk int      // bytes written since an acknowledgement was asked for
	inline   bool     // Send is writing in run's place
	missed   bool     // run woke meanwhile
	fin      bool     // the last packet is queued
	done     []uint64 // tokens of held frames that are acknowledged

	// Receiving.
	received  uint64 // sequence number up to which everything was delivered
	reported  uint64 // what the peer was last told of it
	ackNow    bool
	ackTimer  func() bool // stops it; nil if not armed
	peerClose bool        // the peer's last packet was delivered
}

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

func (l *link) attach(number uint32, conn net.Conn) {
	l.mu.Lock()
	stale := l.attached && number <= l.number
	if stale || l.lost != nil && !l.peerClose || !l.startLocked() {
		l.mu.Unlock()
		conn.Close()
		return
	}
	l.number, l.attached = number, true
	if l.next != nil {
		l.next.Close()
	}
	l.next = newAttachment(conn)
	if l.session != nil {
		l.session.breakLocked(fmt.Errorf("replaced by connection %d", number))
	}
	l.wakeLocked()
	l.mu.Unlock()
}

func (l *link) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead != nil || l.lost != nil || !l.startLocked() {
		return
	}
	l.dead = cause
	if s := l.session; s != nil {
		// The end of what arrived shows by itself, unless the host is gone.
		l.c.cfg.AfterFunc(10*l.c.cfg.AckDelay, func() {
			l.mu.Lock()
			s.breakLocked(cause)
			l.wakeLocked()
			l.mu.Unlock()
		})
	}
	l.wakeLocked()
}

func (l *link) close() {
	l.mu.Lock()
	l.closing = true
	if s := l.session; s != nil && !s.up && l.flushedLocked() {
		s.breakLocked(errDone) // no need to wait for the peer's half of the handshake
	}
	l.wakeLocked()
	l.mu.Unlock()
}

func (l *link) abort(why error) {
	l.mu.Lock()
	l.aborted = why
	if l.session != nil {
		l.session.breakLocked(why)
	}
	l.wakeLocked()
	l.mu.Unlock()
}

// unflushed returns the error of Close for this link.
func (l *link) unflushed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loss == nil {
		return nil
	}
	return fmt.Errorf("link to rank %d not flushed: %w", l.peer, l.loss)
}

// startLocked makes sure run is running; false once the Conn is closed.
func (l *link) startLocked() bool {
	if !l.running && !l.closing && l.lost == nil {
		if l.running = l.c.start(); l.running {
			go l.run()
		}
	}
	l.wakeLocked()
	return l.running
}

// wakeLocked makes run look again.
func (l *link) wakeLocked() {
	if l.parked {
		l.parked = false
		l.wake <- struct{}{}
	}
}

// parkLocked waits until wakeLocked or timer, with mu released.
func (l *link) parkLocked(timer <-chan struct{}) (expired bool) {
	l.parked = true
	l.mu.Unlock()
	select {
	case <-l.wake:
		l.mu.Lock()
	case <-timer:
		expired = true
		l.mu.Lock()
		if !l.parked {
			<-l.wake // sent before parked was cleared
		}
		l.parked = false
	}
	return expired
}
