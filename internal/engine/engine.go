// Package engine moves bytes between the ranks of a job: one Engine is one
// rank. It is the byte-level interface that package rank dresses in types and
// on which collectives and other languages can stand: start a send or a
// receive, wait, test, cancel, probe.
//
// Matching is package match's; links are package transport's. What lies
// between is here: the eager and rendezvous protocols, credits, operations,
// and the outbox.
//
// No goroutine belongs to the engine. Who waits drives the links that can be
// driven (poll.go); while nobody does, timers and the links themselves do.
// Deliver and its kin (transport.Handler) never block and never send: what they
// have to answer is queued, and sent by Idle or by whoever next owns the queue to
// that peer. So two ranks can never wait for each other inside the transport.
//
// Locks: Engine.mu guards matching, operations and contexts. peer.mu guards one
// peer's queue; it is taken under Engine.mu or alone, never the other way
// round. peer.mu is not held during Conn.Send, and Engine.mu only where Send calls
// no Handler (peer.mild). The right to call Conn.Send for a peer is peer.state (see
// outbox.go).
package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Defaults of Config.
const (
	DefaultEagerBytes      = 64 << 10
	DefaultUnexpectedBytes = 64 << 20
	MaxEagerBytes          = 1 << 20
)

// envelopeCost is what an eager message spends of its sender's credit besides
// its payload: about the memory of its record at the receiver. Even empty
// messages cannot pile up without bound.
const envelopeCost = 256

// eagerCost is the credit that an eager message of n bytes spends.
func eagerCost(n int) int64 { return int64(n) + envelopeCost }

// maxWindow bounds the eager credit of one pair of ranks.
const maxWindow = 4 << 20

// Errors by class. Those that have more to say are types which match them with
// errors.Is.
var (
	ErrTruncated  = errors.New("message longer than the receive buffer")
	ErrType       = errors.New("element types differ")
	ErrCancelled  = errors.New("operation cancelled")
	ErrPending    = errors.New("operation not complete")
	ErrFailed     = errors.New("rank failed")
	ErrFreed      = errors.New("communicator freed")
	ErrNotReady   = errors.New("ready send without a posted receive")
	ErrProtocol   = errors.New("link protocol violated")
	ErrStale      = errors.New("request already completed")
	ErrConcurrent = errors.New("request is being waited for by another goroutine")
	ErrClosed     = errors.New("job left")
)

// Clock is the time an Engine sees; tests and simulated networks own it.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is the part of time.Timer that the engine uses.
type Timer interface{ Reset(d time.Duration) bool }

// SystemClock is the machine's clock.
type SystemClock struct{}

func (SystemClock) Now() time.Time                            { return time.Now() }
func (SystemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Config is what an Engine has to know. Zero values are defaults.
type Config struct {
	Self, Size      int
	Incarnation     uint32
	EagerBytes      int   // largest eager message, at most MaxEagerBytes
	UnexpectedBytes int64 // payload held for unexpected messages, from all peers together
	Clock           Clock
	Records         *record.Ring
	Crowded         bool // the ranks of this host exceed its cores; see pace.go

	// Lost hears of links that broke. The engine fails nothing by itself:
	// who lost a link often knows less than the parent of the lost process.
	// Whoever decides calls Fail.
	Lost func(peer int, cause error)
}

// Engine is one rank's half of every conversation. Its methods may be called
// from any goroutine.
type Engine struct {
	cfg     Config
	window  int64 // eager credit of each peer towards this rank
	peers   []atomic.Pointer[peer]
	route   func(peer int) transport.Conn
	pollers []transport.Poller
	records *record.Ring
	chunk   int // bytes of a Bulk frame, chunkBytes but in tests
	part    int // least bytes of a part of a single copy, minPart but in tests

	mu        sync.Mutex
	ops       []*Op
	free      []*Op
	contexts  map[ContextID]*Context
	world     *Context           // contexts[WorldID], which most frames are for
	retired   map[maker]*history // contexts freed here
	doubts    int                // contexts that may be past
	creations int                // under way
	numbers   uint32             // the largest number this rank has given a context
	spare     []uint32           // those below that are free
	counter   uint64             // of context ids this rank has picked
	messages  []*message         // pool
	bytes     bytePool
	dirty     []*peer
	handlers  map[wire.Kind]func(peer int, h *wire.Header, payload layout.Buffer)
	early     []earlyFrame // of kinds without a handler yet
	waiters   []*waiter    // pool
	parked    waiterList
	asleep    int          // waiters that are parked, and Awaits that sleep
	leaving   *waiter      // Drain waits
	turn      uint         // of WaitAny
	failures  atomic.Int32 // ranks given up by Fail; changed under mu
	stamper   alarm        // looks at who is parked
	stats     Stats

	// Links that the waiting thread drives; see poll.go.
	polling  bool // Poll is being called
	dozing   bool // the links ring
	watchers int  // threads that drive them
	polls    uint64
	ticked   uint64 // polls at the last tick
	ticker   alarm
	checker  alarm // bounds what a lost ring can do
	breaches []breach
	moves    []*Op // large messages of which this rank copies parts; see single.go

	continuations []continuation // that are due

	gifts   atomic.Int32 // see Await
	left    atomic.Int64 // when the thread that waits last left its core; Unix nanoseconds
	ndirty  atomic.Int32
	ndue    atomic.Int32          // len(continuations)
	nmoves  atomic.Int32          // len(moves)
	started atomic.Bool           // there are links
	closed  atomic.Pointer[error] // set by Close, under mu
}

// Stats counts what an Engine holds and has dropped.
type Stats struct {
	Unexpected      int   // messages that wait for a receive
	UnexpectedBytes int64 // payload held for them
	PeakBytes       int64 // the most it ever was
	Dropped         int   // frames for freed communicators
	Contexts        int   // alive, here or at a peer that has told of it
	Retired         int   // ranges remembered of contexts that are past
}

// New returns an Engine without links; Start gives it some.
func New(cfg Config) *Engine {
	if cfg.EagerBytes <= 0 {
		cfg.EagerBytes = DefaultEagerBytes
	}
	cfg.EagerBytes = min(cfg.EagerBytes, MaxEagerBytes)
	if cfg.UnexpectedBytes <= 0 {
		cfg.UnexpectedBytes = DefaultUnexpectedBytes
	}
	if cfg.Clock == nil {
		cfg.Clock = SystemClock{}
	}
	if cfg.Records == nil {
		cfg.Records = record.New()
	}
	e := &Engine{
		cfg:      cfg,
		window:   min(cfg.UnexpectedBytes/int64(max(cfg.Size, 1)), maxWindow),
		peers:    make([]atomic.Pointer[peer], cfg.Size),
		records:  cfg.Records,
		chunk:    chunkBytes,
		part:     minPart,
		contexts: make(map[ContextID]*Context),
		retired:  make(map[maker]*history),
		handlers: make(map[wire.Kind]func(int, *wire.Header, layout.Buffer)),
	}
	e.stamper.f, e.ticker.f, e.checker.f = e.stampParked, e.tick, e.recheck
	return e
}

// Start gives the Engine its links: route names the Conn that leads to a peer.
// It is called once, before any operation; frames may be delivered before, and
// are answered now.
func (e *Engine) Start(route func(peer int) transport.Conn, conns ...transport.Conn) {
	e.route = route
	for _, c := range conns {
		if p, ok := c.(transport.Poller); ok {
			e.pollers = append(e.pollers, p)
		}
	}
	e.mu.Lock()
	if !e.doze() { // it may be long until somebody polls: a program may wait for Done alone
		e.arm(&e.ticker, tickEvery)
	}
	e.mu.Unlock()
	e.started.Store(true)
	e.Idle()
}

// Handle registers f for frames of kind, which must not be below
// wire.FirstUser. f is called as Handler.Deliver is, under no lock, and at once with
// what has come before it was there.
func (e *Engine) Handle(kind wire.Kind, f func(peer int, h *wire.Header, payload layout.Buffer)) {
	if kind < wire.FirstUser {
		panic(fmt.Sprintf("engine: kind %v is the engine's own", kind))
	}
	e.mu.Lock()
	e.handlers[kind] = f
	var due []earlyFrame
	e.early = slices.DeleteFunc(e.early, func(w earlyFrame) bool {
		if w.h.Kind == kind {
			due = append(due, w)
		}
		return w.h.Kind == kind
	})
	e.mu.Unlock()
	for i := range due {
		f(due[i].rank, &due[i].h, layout.Of(due[i].payload))
	}
}

// Post queues a frame of a registered kind. buf is read until the frame is
// sent and must not change before. Errors: ErrProtocol for a kind below
// wire.FirstUser, ErrFailed, and Close's cause.
func (e *Engine) Post(peer int, h wire.Header, buf layout.Buffer) error {
	if h.Kind < wire.FirstUser {
		return fmt.Errorf("%w: kind %v is the engine's own", ErrProtocol, h.Kind)
	}
	p := e.peer(peer)
	if err := e.gone(p); err != nil {
		return err
	}
	p.push(frame{h: h, buf: buf})
	e.kick(p)
	e.Idle()
	return nil
}

// Self returns this rank's number in the job.
func (e *Engine) Self() int { return e.cfg.Self }

// Size returns the number of ranks in the job.
func (e *Engine) Size() int { return e.cfg.Size }

// Records returns the ring this Engine writes its operations to.
func (e *Engine) Records() *record.Ring { return e.records }

// Clock returns the clock this Engine reads.
func (e *Engine) Clock() Clock { return e.cfg.Clock }

// Stats returns what the Engine holds now.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Contexts = len(e.contexts)
	for _, h := range e.retired {
		s.Retired += len(h.recent)
	}
	return s
}
