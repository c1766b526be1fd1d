package stream

import (
	"errors"
	"fmt"
	"time"
)

// errDone ends a link in order: Close has nothing left to flush.
var errDone = errors.New("link closed")

// run gets connections and uses them, one after the other, until the link is
// closed or lost.
func (l *link) run() {
	defer l.c.running.Done()
	defer l.discard()
	tries, cause := 0, error(nil)
	for {
		a, err := l.await(&tries, cause)
		if err == nil {
			before := l.progress()
			err = l.use(a)
			if l.progress() != before {
				tries = 0
			}
			cause = err
		}
		if l.ended(err) {
			return
		}
	}
}

// discard closes a connection that came too late.
func (l *link) discard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	if l.next != nil {
		l.next.Close()
		l.next = nil
	}
}

// progress changes whenever a packet or an acknowledgement arrives.
func (l *link) progress() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.received + l.acked
}

// await returns the next connection. It asks for one while this end needs it;
// cause is what ended the last one.
func (l *link) await(tries *int, cause error) (*attachment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var timer <-chan struct{}
	stop := func() bool { return true }
	defer func() { stop() }()
	set := func(d time.Duration) {
		stop()
		fired := make(chan struct{})
		timer, stop = fired, l.c.cfg.AfterFunc(d, func() { close(fired) })
	}
	asked := false
	for {
		switch {
		case l.closing && l.flushedLocked():
			return nil, errDone
		case l.next != nil:
			a := l.next
			l.next = nil
			return a, nil
		case l.aborted != nil:
			return nil, l.aborted
		case l.lost != nil || !l.wanted && !l.established && l.dead == nil:
			l.parkLocked(nil)
			continue
		case l.peerClose:
			return nil, ErrPeerClosed
		case l.dead != nil:
			return nil, l.dead
		case timer == nil && (cause != nil || *tries > 0):
			set(l.pause(*tries))
		case timer == nil:
			set(0)
		}
		if !l.parkLocked(timer) {
			continue
		}
		if asked {
			cause = fmt.Errorf("no connection within %v of asking for it", l.c.cfg.Timeout)
			asked = false
			set(l.pause(*tries))
			continue
		}
		if *tries >= l.c.cfg.Tries {
			return nil, fmt.Errorf("%w: rank %d after %d tries, the last: %w", ErrUnreachable, l.peer, *tries, cause)
		}
		*tries++
		l.mu.Unlock()
		err := errors.New("nobody to ask for a connection")
		if l.c.cfg.Connect != nil {
			err = l.c.cfg.Connect(l.peer)
		}
		l.mu.Lock()
		if err != nil {
			cause = err
			set(l.pause(*tries))
			continue
		}
		asked = true
		set(l.c.cfg.Timeout)
	}
}

// pause returns how long to wait before asking again. The higher rank of a
// pair leaves the asking to the lower for a while: both notice a break at the
// same time, and one connection is enough.
func (l *link) pause(tries int) time.Duration {
	d := l.c.cfg.Backoff << min(tries, 6)
	if l.c.cfg.Self > l.peer {
		d += 8 * l.c.cfg.Backoff
	}
	return d
}

// flushedLocked reports that the peer has all that was taken for it, or wants
// no more.
func (l *link) flushedLocked() bool {
	return l.lost != nil || l.peerClose || l.queue.len() == 0 && l.sent.len() == 0
}

// use works one connection to its end and returns why it ended.
func (l *link) use(a *attachment) error {
	s := &session{a: a}
	l.mu.Lock()
	l.session = s
	if l.next != nil {
		s.breakLocked(errors.New("replaced before it was used"))
	}
	l.mu.Unlock()

	stop := l.c.cfg.AfterFunc(l.c.cfg.Timeout, func() {
		l.mu.Lock()
		s.breakLocked(fmt.Errorf("no handshake within %v", l.c.cfg.Timeout))
		l.mu.Unlock()
	})
	err := s.open(l)
	if err == nil {
		var theirs *hello
		if theirs, err = s.greet(l); err == nil {
			err = l.resume(theirs)
		}
		if final(err) && l.c.cfg.Self > l.peer {
			// The client finds the same once it has our half of the
			// handshake, and hangs up; or time does.
			s.stream.RecvMsg(new(incoming))
		}
	}
	stop()
	if err == nil {
		reader := make(chan struct{})
		go func() {
			defer close(reader)
			l.read(s)
		}()
		err = l.write(s)
		s.close()
		<-reader
	}
	s.close()
	return l.leave(s, err)
}

// resume takes the link up where the last connection left it.
func (l *link) resume(theirs *hello) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.established && theirs.incarnation != l.incarnation {
		return fmt.Errorf("%w: rank %d says incarnation %d, this link began with %d", ErrRefused, l.peer, theirs.incarnation, l.incarnation)
	}
	if l.lost == nil {
		if err := l.acknowledgeLocked(theirs.received); err != nil {
			return err
		}
	}
	l.established, l.incarnation = true, theirs.incarnation
	l.reported, l.ackNow = l.received, false
	l.written, l.sinceAsk = 0, 0
	l.session.up = true
	return nil
}

// leave ends a session and returns the cause that matters: the first one, and
// a verdict on the peer before any trouble with the connection.
func (l *link) leave(s *session, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.inline {
		l.missed = true
		l.parkLocked(nil)
	}
	l.session, l.written = nil, 0
	if l.ackTimer != nil {
		l.ackTimer()
		l.ackTimer = nil
	}
	if s.err == nil || final(err) {
		return err
	}
	return s.err
}

// final reports that another connection would not help.
func final(err error) bool {
	return err == errDone || errors.Is(err, ErrRefused) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnreachable)
}

// ended decides, after a connection has ended or none could be had, whether
// run is over. It reports Lost when it has come to that.
func (l *link) ended(err error) bool {
	l.mu.Lock()
	cause := err
	switch {
	case l.lost != nil:
		defer l.mu.Unlock()
		return l.closing || !l.peerClose
	case l.closing && l.flushedLocked():
		defer l.mu.Unlock()
		return true
	case l.aborted != nil:
		cause = l.aborted
	case l.dead != nil:
		cause = l.dead
	case l.peerClose:
		cause = ErrPeerClosed
	case !final(err):
		l.mu.Unlock()
		return false
	}
	closing, over := l.closing, !l.peerClose
	l.lost = fmt.Errorf("link to rank %d lost: %w", l.peer, cause)
	if closing {
		l.loss = cause
	}
	l.dropLocked()
	l.mu.Unlock()
	if closing {
		return true
	}
	l.calls.Lock()
	l.c.h.Lost(l.peer, l.lost)
	l.calls.Unlock()
	l.c.h.Idle()
	return over
}
