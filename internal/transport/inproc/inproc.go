// Package inproc links ranks that are goroutines of one process, and every
// rank to itself. A send is a call: the sender's goroutine delivers straight
// from the sender's buffer, so a message of any size is copied once.
package inproc

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Net is the meeting place of n ranks.
type Net struct {
	mu   sync.Mutex // guards writes of ends
	ends []atomic.Pointer[end]
}

// NewNet returns a Net for n ranks, none of them open.
func NewNet(n int) *Net { return &Net{ends: make([]atomic.Pointer[end], n)} }

// Open makes self reachable. A rank is opened once.
func (n *Net) Open(self int, h transport.Handler) transport.Conn {
	e := &end{net: n, self: self, h: h, drained: make(chan struct{}, 1)}
	n.mu.Lock()
	n.ends[self].Store(e)
	n.mu.Unlock()
	// Whoever found this rank missing was told Full.
	for i := range n.ends {
		if p := n.ends[i].Load(); p != nil && p != e && p.enter() {
			p.h.Writable(self)
			p.h.Idle()
			p.leave()
		}
	}
	return e
}

// Loop returns the link of a process of many ranks to itself.
func Loop(size, self int, h transport.Handler) transport.Conn {
	return NewNet(size).Open(self, h)
}

// end is one rank's end of all its links.
type end struct {
	net  *Net
	self int
	h    transport.Handler

	// calls counts the Handler calls under way; closing adds the closed bit.
	// A counter, not a lock: a delivery may lead to deliveries to other ends
	// and back, and two ends that close at once must not wait for each other.
	calls   atomic.Int64
	drained chan struct{} // gets a value when calls falls to zero after Close
}

const closed = 1 << 40

func (e *end) enter() bool {
	if e.calls.Add(1) < closed {
		return true
	}
	e.leave()
	return false
}

func (e *end) leave() {
	if e.calls.Add(-1) == closed {
		select {
		case e.drained <- struct{}{}:
		default:
		}
	}
}

func (e *end) Send(peer int, h *wire.Header, payload layout.Buffer, _ uint64) (transport.Result, error) {
	to := e.net.ends[peer].Load()
	if to == nil {
		// Open may have stored it and looked for us before we were told.
		if to = e.net.missing(peer); to == nil {
			return transport.Full, nil
		}
	}
	if !to.enter() {
		return transport.Full, fmt.Errorf("rank %d has left: %w", peer, net.ErrClosed)
	}
	to.h.Deliver(e.self, h, payload)
	to.h.Idle()
	to.leave()
	return transport.Taken, nil
}

// missing looks for peer again under the lock that Open holds while it stores:
// either the end is there, or Open's round of Writable is still to come.
func (n *Net) missing(peer int) *end {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ends[peer].Load()
}

// Close waits for deliveries under way and tells the other ranks.
func (e *end) Close() error {
	for {
		c := e.calls.Load()
		if c >= closed {
			return nil
		}
		if e.calls.CompareAndSwap(c, c+closed) {
			if c > 0 {
				<-e.drained
			}
			break
		}
	}
	for i := range e.net.ends {
		p := e.net.ends[i].Load()
		if p != nil && p != e && p.enter() {
			p.h.Lost(e.self, fmt.Errorf("rank %d has left: %w", e.self, net.ErrClosed))
			p.h.Idle()
			p.leave()
		}
	}
	return nil
}
