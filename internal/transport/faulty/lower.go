package faulty

import (
	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// lower is the half of a Conn that the transport below calls: it copies and
// queues.
type lower Conn

func (l *lower) Deliver(rank int, h *wire.Header, payload layout.Buffer) {
	c := (*Conn)(l)
	mem := make([]byte, payload.Len())
	payload.ReadAt(mem, 0)
	head := *h
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peer(rank)
	if p.dead != nil {
		return // what had arrived before is queued already
	}
	for h.Kind == wire.Bulk && len(mem) > 1 && c.chance(c.plan.Split) {
		n := 1 + c.rnd.IntN(len(mem)-1)
		c.deliver(p, head, mem[:n:n])
		mem = mem[n:]
		head.Arg += uint64(n)
	}
	c.deliver(p, head, mem)
}

func (c *Conn) deliver(p *peer, h wire.Header, mem []byte) {
	if h.Kind == wire.Bulk {
		h.Bytes = uint64(len(mem))
	}
	c.enqueue(p, func() {
		c.h.Deliver(p.rank, &h, layout.Of(mem))
		for i := range mem {
			mem[i] = 0xbd // valid only during the call
		}
		h = wire.Header{}
	})
}

func (l *lower) Sent(rank int, token uint64) {
	c := (*Conn)(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peer(rank)
	p.held--
	c.enqueue(p, func() { c.h.Sent(rank, token) })
	c.bury(p)
}

func (l *lower) Writable(rank int) {
	c := (*Conn)(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueue(c.peer(rank), func() { c.h.Writable(rank) })
}

func (l *lower) Lost(rank int, cause error) {
	c := (*Conn)(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peer(rank)
	if !p.over {
		c.lose(p, cause)
	}
}

// Idle does nothing: pump makes its own.
func (l *lower) Idle() {}
