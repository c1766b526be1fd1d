// Package faulty wraps a transport in everything the contract allows and a good
// link seldom does: it refuses without need, delivers late, in pieces and in
// turns between peers, releases payloads late, and declares peers dead. What
// works over it does not lean on a transport's habits.
package faulty

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Plan says how often, from 0 to 1, a Conn does what.
type Plan struct {
	Full  float64 // Send refuses a frame that the link would have taken
	Hold  float64 // a Bulk payload that was Taken counts as Held until a late Sent
	Split float64 // a Bulk frame is delivered in pieces
	Delay float64 // a call waits although it could be made
}

// Rough is a Plan that does all of it often.
var Rough = Plan{Full: 0.2, Hold: 0.5, Split: 0.5, Delay: 0.5}

// Wrap opens a transport below a new Conn. open is given the Handler to open it
// with; h gets the calls the Conn makes of what arrives there. Choices follow
// seed, as far as the timing of calls lets them.
func Wrap(open func(h transport.Handler) transport.Conn, h transport.Handler, seed uint64, plan Plan) transport.Conn {
	c := New(h, seed, plan)
	return c.Over(open(c.Handler()))
}

// New returns a Conn that lacks the transport below: open that one with
// Handler, then give it to Over. Until then Send is not to be called.
func New(h transport.Handler, seed uint64, plan Plan) *Conn {
	c := &Conn{h: h, plan: plan, rnd: rand.New(rand.NewPCG(seed, 1)), done: make(chan struct{})}
	c.work.L = &c.mu
	go c.pump()
	return c
}

// Conn is the upper half of the wrapper.
type Conn struct {
	h     transport.Handler
	plan  Plan
	inner transport.Conn
	done  chan struct{} // pump has returned

	mu      sync.Mutex
	work    sync.Cond // calls or closed changed
	rnd     *rand.Rand
	peers   []*peer
	calls   int // in all queues
	closing bool
}

type peer struct {
	rank  int
	queue []func() // Handler calls to come
	held  int      // payloads the transport below still reads
	dead  error    // Kill's cause
	over  bool     // Lost is in the queue or was called
}

// Handler returns what to open the transport below with.
func (c *Conn) Handler() transport.Handler { return (*lower)(c) }

// Over completes c with the transport below and returns it as what a Conn may
// be: a transport.Poller if inner is one.
func (c *Conn) Over(inner transport.Conn) transport.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inner = inner
	if p, ok := inner.(transport.Poller); ok {
		return polling{c, p}
	}
	return c
}

// polling is a Conn over links that the waiting thread drives. What they deliver
// goes through the queues like everything else, so the Handler of Poll is not
// called.
type polling struct {
	*Conn
	poller transport.Poller
}

func (p polling) Ready() bool                 { return p.poller.Ready() }
func (p polling) Poll(transport.Handler) bool { return p.poller.Poll(p.Handler()) }
func (p polling) Doze() bool                  { return p.poller.Doze() }
func (p polling) Rouse()                      { p.poller.Rouse() }

// Kill makes peer look dead: what has arrived is delivered, then Lost is called
// with cause. It takes effect once the transport below has let go of all
// payloads for peer.
func (c *Conn) Kill(rank int, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peer(rank)
	if p.dead == nil {
		p.dead = cause
		c.bury(p)
	}
}

// Send implements transport.Conn.
func (c *Conn) Send(rank int, h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	c.mu.Lock()
	p := c.peer(rank)
	if p.dead != nil {
		c.mu.Unlock()
		return transport.Full, fmt.Errorf("rank %d is dead: %w", rank, p.dead)
	}
	if c.chance(c.plan.Full) {
		c.enqueue(p, func() { c.h.Writable(rank) })
		c.mu.Unlock()
		return transport.Full, nil
	}
	hold := c.chance(c.plan.Hold)
	p.held++ // whatever the answer will be: Sent may come before it
	c.mu.Unlock()

	res, err := c.inner.Send(rank, h, payload, token)
	if res == transport.Held && err == nil {
		return res, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.held--
	if res == transport.Taken && err == nil && hold && h.Kind == wire.Bulk && !p.over {
		c.enqueue(p, func() { c.h.Sent(rank, token) })
		res = transport.Held
	}
	c.bury(p)
	return res, err
}

// Close implements transport.Conn. Everything that has arrived is delivered
// before it returns.
func (c *Conn) Close() error {
	err := c.inner.Close()
	c.mu.Lock()
	c.closing = true
	c.work.Broadcast()
	c.mu.Unlock()
	<-c.done
	return err
}

func (c *Conn) chance(p float64) bool { return c.rnd.Float64() < p }

func (c *Conn) peer(rank int) *peer {
	for len(c.peers) <= rank {
		c.peers = append(c.peers, &peer{rank: len(c.peers)})
	}
	return c.peers[rank]
}

// enqueue adds a call for p behind those that wait, unless p is over.
func (c *Conn) enqueue(p *peer, f func()) {
	if !p.over {
		p.queue = append(p.queue, f)
		c.calls++
		c.work.Broadcast()
	}
}

// bury queues Lost for a peer that is to look dead, once that is safe.
func (c *Conn) bury(p *peer) {
	if p.dead != nil && p.held == 0 && !p.over {
		c.lose(p, p.dead)
	}
}

func (c *Conn) lose(p *peer, cause error) {
	c.enqueue(p, func() { c.h.Lost(p.rank, cause) })
	p.over, p.dead = true, cause
}

// pump makes the queued calls, those for one peer in order, those for several
// in any.
func (c *Conn) pump() {
	defer close(c.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for c.calls == 0 {
			if c.closing {
				return
			}
			c.work.Wait()
		}
		var ready []*peer
		for _, p := range c.peers {
			if len(p.queue) > 0 && !c.chance(c.plan.Delay) {
				ready = append(ready, p)
			}
		}
		if len(ready) == 0 {
			c.mu.Unlock()
			runtime.Gosched()
			c.mu.Lock()
			continue
		}
		p := ready[c.rnd.IntN(len(ready))]
		n := 1 + c.rnd.IntN(len(p.queue))
		batch := p.queue[:n:n]
		p.queue = p.queue[n:]
		c.calls -= n
		c.mu.Unlock()
		for _, call := range batch {
			call()
		}
		c.h.Idle()
		c.mu.Lock()
	}
}
