package stream

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

var (
	// ErrClosed is returned by Send once Close has been called.
	ErrClosed = errors.New("transport closed")
	// ErrPeerClosed is the cause of Lost when the peer closed its end after all
	// that it had sent.
	ErrPeerClosed = errors.New("peer closed its links")
	// ErrUnreachable is the class of causes of Lost when a connection broke and
	// no other could be had.
	ErrUnreachable = errors.New("peer unreachable")
)

// Conn is one process's end of its gRPC links. It implements transport.Conn.
type Conn struct {
	cfg      Config
	h        transport.Handler
	links    []atomic.Pointer[link]
	segments segments
	running  sync.WaitGroup // links' run goroutines

	mu     sync.Mutex
	closed bool
}

var _ transport.Conn = (*Conn)(nil)

// New returns a Conn without any connection: links open at the first Send, or
// when the peer has sent first.
func New(cfg Config, h transport.Handler) *Conn {
	cfg = cfg.withDefaults()
	return &Conn{
		cfg:      cfg,
		h:        h,
		links:    make([]atomic.Pointer[link], cfg.Size),
		segments: segments{size: packetHead + frameHead + wire.HeaderBytes + cfg.Packet},
	}
}

// Send implements transport.Conn. Frames to one peer arrive in the order of
// their Sends, Bulk included.
func (c *Conn) Send(peer int, h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	l, err := c.link(peer)
	if err != nil {
		return transport.Full, err
	}
	return l.send(h, payload, token)
}

// Attach gives the Conn a connection to peer, which it owns from now on. The
// lower rank of the two is gRPC (and TLS) client. Of several connections to
// one peer the one with the highest number is used and the others are closed:
// both ends see the same numbers, so they end on the same one.
func (c *Conn) Attach(peer int, number uint32, conn net.Conn) {
	l, err := c.link(peer)
	if err != nil {
		conn.Close()
		return
	}
	l.attach(number, conn)
}

// Fail says that peer is known to be dead: no connection to it is asked for any
// more. What it had sent before is still delivered if it arrives within ten
// times Config.AckDelay; then Lost is reported with cause.
func (c *Conn) Fail(peer int, cause error) {
	if l, err := c.link(peer); err == nil {
		l.fail(cause)
	}
}

// Close implements transport.Conn. It returns once every peer has acknowledged
// what was taken for it, or CloseTimeout is over; then the error names the
// links that were not flushed.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.each((*link).close)
	stop := c.cfg.AfterFunc(c.cfg.CloseTimeout, func() {
		c.each(func(l *link) { l.abort(fmt.Errorf("not acknowledged within %v", c.cfg.CloseTimeout)) })
	})
	c.running.Wait()
	stop()
	var errs []error
	c.each(func(l *link) { errs = append(errs, l.unflushed()) })
	return errors.Join(errs...)
}

func (c *Conn) each(f func(*link)) {
	for i := range c.links {
		if l := c.links[i].Load(); l != nil {
			f(l)
		}
	}
}

// link returns the link to peer, making it at its first use.
func (c *Conn) link(peer int) (*link, error) {
	if peer < 0 || peer >= len(c.links) || peer == c.cfg.Self {
		return nil, fmt.Errorf("no link from rank %d to rank %d in a job of %d", c.cfg.Self, peer, c.cfg.Size)
	}
	if l := c.links[peer].Load(); l != nil {
		return l, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.links[peer].Load(); l != nil {
		return l, nil
	}
	if c.closed {
		return nil, ErrClosed
	}
	l := &link{c: c, peer: peer, wake: make(chan struct{}, 1)}
	c.links[peer].Store(l)
	return l, nil
}

// start counts a run goroutine, unless Close has begun.
func (c *Conn) start() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}
