package shm

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Close implements transport.Conn. What Send has taken is in the peer's reach when it
// returns, whether the peer still polls or not. A peer that consumes nothing can hold up
// only what does not fit its ring, and that for the CloseTimeout; the error names it.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true // no Attach comes between
	links := *c.attached.Load()
	c.attached.Store(new([]*link))
	c.dozing.Store(false)
	c.hasEarly.Store(false)
	c.mu.Unlock()

	err := c.flush(links)
	for i := range c.peers {
		l := c.peers[i].link.Swap(nil)
		if l == nil {
			continue
		}
		if l.gate.Swap(gateDead); l.failure.Load() == nil {
			l.mine.want.Store(l.want.Load() | closedBit)
			l.tell()
		}
		err = errors.Join(err, l.bell.Close())
		if l.proc != nil {
			err = errors.Join(err, l.proc.close())
		}
	}
	if c.bell != nil {
		err = errors.Join(err, c.bell.Close())
	}
	return err
}

// flush sends what is left of the jobs. Frames that come meanwhile are dropped: nobody
// is there for them any more, and a peer that flushes as well waits for their place.
func (c *Conn) flush(links []*link) error {
	deadline := time.Now().Add(c.cfg.CloseTimeout)
	pause := time.Duration(0)
	for {
		left, moved := 0, false
		var last *link
		for _, l := range links {
			if l.gate.Load() != gateBusy || l.failure.Load() != nil {
				continue
			}
			before := l.out.pos
			l.drop()
			done, err := l.pump()
			if err != nil {
				l.fail(err, false)
				continue
			}
			if done {
				l.gate.Store(gateOpen)
				continue
			}
			left, last, moved = left+1, l, moved || l.out.pos != before
			if l.theirs.want.Load()&closedBit != 0 {
				l.fail(ErrPeerClosed, false) // it consumes no more
			}
		}
		switch {
		case left == 0:
			return nil
		case moved:
			pause = 0
		case time.Now().After(deadline):
			j := &last.out.job
			return fmt.Errorf("shm: the link to rank %d: %d of %d bytes of a frame %v not taken within %v, at %d links in all",
				last.peer, j.payload.Len()-j.done, j.payload.Len(), j.header.Kind, c.cfg.CloseTimeout, left)
		default:
			time.Sleep(pause)
			pause = min(pause+10*time.Microsecond, time.Millisecond)
		}
	}
}

// drop consumes what has arrived without a look at it.
func (l *link) drop() {
	r := &l.in
	for range ringBytes / granule {
		w := atomic.LoadUint64(r.ring.word(r.consumed))
		if w&markMask != mark(r.consumed) {
			break
		}
		at := r.consumed & ringMask
		size := (w&lengthMask + wordBytes + granule - 1) &^ (granule - 1)
		if w&kindMask == kindPad || at+size > ringBytes {
			size = ringBytes - at
		}
		storeRelease(&r.consumed, r.consumed+size)
	}
	if r.consumed != r.published {
		l.publish(r.consumed)
	}
}
