package shm

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport"
)

// Config says what a Conn is opened with.
type Config struct {
	Self, Size int // this rank, and how many ranks there are

	// Connect asks for a link to peer, which is to come as an Attach on both sides at
	// any later time. An error means that it never comes. It is called at most once
	// for a peer, by Send, with no lock held. Nil: links come unasked.
	Connect func(peer int) error

	// Wake is called by a goroutine of the Conn when there is work and nobody polls,
	// that is between Doze and Rouse. It may still be under way when Close returns;
	// Poll, Doze and Rouse do nothing then. Nil: nobody is told.
	Wake func()

	// Bell is this rank's own bell, which its peers ring. New takes a duplicate. Nil:
	// nobody can be rung, so Doze must not be relied on.
	Bell *os.File

	// CloseTimeout bounds how long Close waits for peers to take what is half sent.
	// 0: 10 s.
	CloseTimeout time.Duration

	// EagerBytes is what the method of that name returns. 0: 16 KiB.
	EagerBytes int
}

const (
	defaultCloseTimeout = 10 * time.Second
	defaultEagerBytes   = 16 << 10
)

// ErrPeerClosed is the cause of Lost for a peer that has closed its end.
var ErrPeerClosed = errors.New("the peer has closed its end of the link")

// Conn is one process's end of its links. It is a transport.Poller, Direct and Sizer.
type Conn struct {
	cfg  Config
	sys  system
	bell *segment.Bell // nil if err
	err  error         // why bells cannot be used

	// secret is the word that peers read to prove that they can; see side.
	secret *uint64

	peers    []peerState
	attached atomic.Pointer[[]*link] // the links that are up and not lost
	busy     atomic.Int64            // reasons for Poll to tend links, beyond frames that arrive
	dozing   atomic.Bool
	hasEarly atomic.Bool // early is not empty

	registered sync.Once

	mu     sync.Mutex // guards what follows, sys.barrier, peerState, writes of attached and dozing
	closed bool
	early  []loss // to be reported for peers without a link
}

var (
	_ transport.Poller = (*Conn)(nil)
	_ transport.Direct = (*Conn)(nil)
	_ transport.Sizer  = (*Conn)(nil)
)

type peerState struct {
	link atomic.Pointer[link]

	asked   bool  // Connect was called
	refused bool  // a Send found no link
	lost    error // there will be no link any more
}

type loss struct {
	peer  int
	cause error
}

// system is what a Conn asks of the kernel beyond memory, so that tests can refuse it.
type system struct {
	register, barrier func() error
	readv, writev     vmCopy
	watch             func(pid int) (*process, error)
}

var host = system{register: registerBarrier, barrier: barrier, readv: readv, writev: writev, watch: watch}

// New returns a Conn without links. It calls only the Handler that Poll is given.
func New(cfg Config, _ transport.Handler) *Conn { return newConn(cfg, host) }

func newConn(cfg Config, sys system) *Conn {
	if cfg.CloseTimeout == 0 {
		cfg.CloseTimeout = defaultCloseTimeout
	}
	if cfg.EagerBytes == 0 {
		cfg.EagerBytes = defaultEagerBytes
	}
	c := &Conn{cfg: cfg, sys: sys, peers: make([]peerState, cfg.Size), secret: newSecret()}
	c.attached.Store(new([]*link))
	if cfg.Bell != nil {
		if c.bell, c.err = segment.OpenBell(cfg.Bell); c.err == nil {
			go c.listen()
		}
	}
	return c
}

// register has this process take part in barriers. The kernel needs some ten
// milliseconds for that in a process of several threads, so it is done for the first
// link: a rank that never talks does without.
func (c *Conn) register() {
	c.registered.Do(func() {
		if c.sys.register() != nil {
			c.mu.Lock()
			c.sys.barrier = nil
			c.mu.Unlock()
		}
	})
}

// EagerBytes implements transport.Sizer. Up to there a message is copied in and out of
// the ring faster than two processes agree on a single copy.
func (c *Conn) EagerBytes() int { return c.cfg.EagerBytes }

// listen calls Wake when the bell rings, until Close.
func (c *Conn) listen() {
	for c.bell.Wait() == nil {
		if c.dozing.Load() && c.cfg.Wake != nil {
			c.cfg.Wake()
		}
	}
}

// poke has Wake called if nobody polls. The reason is visible to Ready already.
func (c *Conn) poke() {
	if c.dozing.Load() && c.bell != nil {
		c.bell.Ring()
	}
}

// connect is Send without a link.
func (c *Conn) connect(peer int) (transport.Result, error) {
	c.mu.Lock()
	p := &c.peers[peer]
	switch {
	case c.closed:
		c.mu.Unlock()
		return transport.Full, fmt.Errorf("shm: sending to rank %d: %w", peer, net.ErrClosed)
	case p.lost != nil:
		defer c.mu.Unlock()
		return transport.Full, lostError(peer, p.lost)
	case p.link.Load() != nil: // since Send looked
		l := p.link.Load()
		c.mu.Unlock()
		l.refuse(anyTail)
		c.poke()
		return transport.Full, nil
	}
	p.refused = true
	ask := !p.asked && c.cfg.Connect != nil
	p.asked = true
	c.mu.Unlock()
	if ask {
		go c.register() // while the link is on its way
		if err := c.cfg.Connect(peer); err != nil {
			err = fmt.Errorf("asking for a link: %w", err)
			c.Fail(peer, err)
			return transport.Full, lostError(peer, err)
		}
	}
	return transport.Full, nil
}

func lostError(peer int, cause error) error {
	return fmt.Errorf("shm: the link to rank %d is lost: %w", peer, cause)
}
