package shm

import (
	"runtime"

	"github.com/muster-mpi/muster/internal/transport"
)

// Ready implements transport.Poller.
func (c *Conn) Ready() bool {
	links := *c.attached.Load()
	ready := false
	for _, l := range links {
		if l.in.ready(l.theirs) {
			ready = true
			break
		}
	}
	if !ready && c.busy.Load() != 0 {
		ready = c.due(links)
	}
	runtime.KeepAlive(links) // and so the memory: see attach
	return ready
}

// Poll implements transport.Poller.
func (c *Conn) Poll(h transport.Handler) bool {
	worked := false
	for _, l := range *c.attached.Load() {
		if l.receive(h) {
			worked = true
		}
	}
	if c.busy.Load() != 0 && c.tend(h) {
		worked = true
	}
	return worked
}

// Doze implements transport.Poller. From then on the first thing that happens on any link
// rings the bell, once until the next Doze.
func (c *Conn) Doze() bool {
	c.mu.Lock()
	c.doze(true)
	if c.sys.barrier != nil && !c.closed && len(*c.attached.Load()) > 0 && c.sys.barrier() != nil {
		// It was there when this process registered, and now it is forbidden.
		c.sys.barrier = nil
		c.doze(true)
	}
	c.mu.Unlock()
	return c.Ready()
}

// Rouse implements transport.Poller.
func (c *Conn) Rouse() {
	c.mu.Lock()
	c.doze(false)
	c.mu.Unlock()
}

func (c *Conn) doze(on bool) {
	if c.closed {
		return
	}
	c.dozing.Store(on)
	for _, l := range *c.attached.Load() {
		l.publishState(on)
	}
}

// due reports whether tend has work.
func (c *Conn) due(links []*link) bool {
	for _, l := range links {
		if l.failure.Load() != nil || l.writable() || l.pumpable() || l.provable() {
			return true
		}
	}
	return c.hasEarly.Load()
}

// tend does what there is to do beyond frames that arrive, and reports whether there was
// anything.
func (c *Conn) tend(h transport.Handler) bool {
	worked := false
	for _, l := range *c.attached.Load() {
		if l.pumpable() && l.resume(h) {
			worked = true
		}
		if l.provable() { // before what was refused comes again: it may want a single copy
			l.prove()
			worked = true
		}
		if l.writable() {
			l.unrefuse()
			h.Writable(l.peer)
			worked = true
		}
		if f := l.failure.Load(); f != nil && (!f.drain || l.in.empty()) {
			l.lose(h, f.cause)
			worked = true
		}
	}
	if c.hasEarly.Load() {
		for _, e := range c.takeEarly() {
			h.Lost(e.peer, e.cause)
			worked = true
		}
	}
	return worked
}

func (c *Conn) takeEarly() []loss {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	early := c.early
	c.early = nil
	c.hasEarly.Store(false)
	c.busy.Add(int64(-len(early)))
	return early
}

// writable reports whether a Send that was refused is worth another try.
func (l *link) writable() bool {
	need := l.refused.Load()
	return need != 0 && l.gate.Load() == gateOpen && (need == anyTail || l.theirs.tail.Load() >= need)
}

// pumpable reports whether there is room for more of the job.
func (l *link) pumpable() bool {
	return l.gate.Load() == gateBusy && l.theirs.tail.Load() >= l.want.Load()
}

// resume goes on with the job, and reports whether that changed anything.
func (l *link) resume(h transport.Handler) bool {
	before := l.out.pos
	done, err := l.pump()
	if err != nil {
		l.fail(err, false)
		return false
	}
	moved := l.out.pos != before
	if done {
		j := l.out.job
		l.out.job = job{}
		l.conn.busy.Add(-1)
		l.gate.Store(gateOpen) // out is Send's from here on
		if j.bulk {
			h.Sent(l.peer, j.token)
		}
	}
	return moved
}

// lose ends the link: its memory is not touched again but by a Send under way.
func (l *link) lose(h transport.Handler, cause error) {
	c := l.conn
	if l.gate.Swap(gateDead) == gateBusy {
		l.out.job = job{}
		c.busy.Add(-1)
	}
	l.unrefuse()
	l.settleProof(beyond)
	l.in.parts = nil

	c.mu.Lock()
	c.peers[l.peer].lost = cause
	old := *c.attached.Load()
	links := make([]*link, 0, len(old))
	for _, o := range old {
		if o != l {
			links = append(links, o)
		}
	}
	c.attached.Store(&links)
	c.busy.Add(-1) // for the failure
	c.mu.Unlock()
	h.Lost(l.peer, cause)
}
