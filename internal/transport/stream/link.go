package stream

import (
	"fmt"
	"net"
	"sync"
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
	l.next = newAttachment(poll(conn, l.c.cfg.Spin))
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
