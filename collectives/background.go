package collectives

import (
	"sync"
	"time"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// background is a call that nobody carries out in one go: each step is taken by the
// thread that finds what it has waited for complete. That is the caller's while it
// waits for the call, or for anything else, and one that looks after the links while
// it computes; so there is no goroutine for the call and none to switch to.
type background[T any] struct {
	r      *run
	c      *compiled
	mem    [schedule.Buffers][]T
	op     func(dst, a, b []T)
	finish func(error) // called once

	mu     sync.Mutex // guards what follows
	active bool       // a thread takes steps; who finds it so leaves an event
	events []event

	// Owned by the active thread.
	pending  []int // by step: how many it still waits for
	open     int   // steps that are not complete
	under    []bool
	nunder   int // messages under way
	err      error
	finished bool
}

// event is that a message's step is complete, or with step −1 that the call is to
// be given up.
type event struct {
	step   int
	status rank.Status
	err    error
}

// launch begins the call and returns at once. active is true before it, so that who
// stops the call before it has begun leaves an event.
func (b *background[T]) launch() {
	n := len(b.c.Steps)
	b.mem[schedule.Temp] = memoryOf[T](b.r, b.c.Temp)
	b.pending, b.under, b.open = make([]int, n), make([]bool, n), n
	if n > len(b.r.requests) {
		b.r.requests = make([]rank.Request, n)
	}
	var ready []int
	for _, i := range b.c.order {
		if b.pending[i] = len(b.c.Steps[i].After); b.pending[i] == 0 {
			ready = append(ready, i)
		}
	}
	b.take(ready)
	b.settle()
	b.loop()
}

// notify leaves an event, and acts on it unless another thread does.
func (b *background[T]) notify(e event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	if b.active {
		b.mu.Unlock()
		return
	}
	b.active = true
	b.mu.Unlock()
	b.loop()
}

// loop acts on events until there is none.
func (b *background[T]) loop() {
	for {
		b.mu.Lock()
		events := b.events
		b.events = nil
		if len(events) == 0 {
			b.active = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		for _, e := range events {
			b.handle(e)
			b.settle()
		}
	}
}

// handle acts on e.
func (b *background[T]) handle(e event) {
	switch {
	case e.step < 0:
		b.fail(e.err)
		return
	case b.finished:
		return
	}
	b.under[e.step] = false
	b.nunder--
	b.r.requests[e.step] = rank.Request{}
	if e.err != nil {
		b.fail(&peerError{b.c.Steps[e.step].Peer, reason(e.err)})
		return
	}
	if err := lengthError[T](&b.c.Steps[e.step], e.status.Bytes); err != nil {
		b.fail(err)
		return
	}
	b.take(b.complete(e.step, nil))
}

// complete notes that step i is, and adds to ready the steps that waited for it
// alone.
func (b *background[T]) complete(i int, ready []int) []int {
	b.open--
	for _, k := range b.c.dependents()[i] {
		if b.pending[k]--; b.pending[k] == 0 {
			ready = append(ready, k)
		}
	}
	return ready
}

// take takes the steps of ready, and those that become so.
func (b *background[T]) take(ready []int) {
	part := func(s schedule.Span) []T { return b.mem[s.Buf][s.Off : s.Off+s.Len : s.Off+s.Len] }
	for len(ready) > 0 && b.err == nil {
		i := ready[0]
		ready = ready[1:]
		t := &b.c.Steps[i]
		switch t.Kind {
		case schedule.Combine:
			b.op(part(t.Dst), part(t.A), part(t.B))
			ready = b.complete(i, ready)
		case schedule.Move:
			copy(part(t.Dst), part(t.A))
			ready = b.complete(i, ready)
		case schedule.SendTo:
			to, peer := b.r.state.route(t.Peer)
			b.follow(i, rank.Isend(to, peer, b.r.tag+rank.Tag(t.Number), part(t.A)))
		case schedule.RecvFrom:
			from, peer := b.r.state.route(t.Peer)
			b.follow(i, rank.Irecv(from, peer, b.r.tag+rank.Tag(t.Number), part(t.Dst)))
		}
	}
}

// follow has step i's end lead to an event.
func (b *background[T]) follow(i int, q rank.Request) {
	b.r.requests[i] = q
	b.under[i] = true
	b.nunder++
	status, done, err := q.Continue(func(s rank.Status, err error) { b.notify(event{i, s, err}) })
	if done {
		b.mu.Lock()
		b.events = append(b.events, event{i, status, err})
		b.mu.Unlock()
	}
}

// fail gives the call up: what is under way is taken back where it can be, and the
// rest comes to its end.
func (b *background[T]) fail(err error) {
	if b.err != nil || b.finished {
		return
	}
	b.err = err
	for i, under := range b.under {
		if under {
			b.r.requests[i].Withdraw()
		}
	}
}

// settle ends the call once nothing is under way and nothing is left to do.
func (b *background[T]) settle() {
	if b.finished || b.nunder > 0 || b.open > 0 && b.err == nil {
		return
	}
	b.finished = true
	clear(b.r.requests)
	b.finish(b.err)
}

// stop gives the call up, from outside.
func (b *background[T]) stop(err error) { b.notify(event{step: -1, err: err}) }

// dependents lists for each step who waits for it.
func (c *compiled) dependents() [][]int {
	c.once.Do(func() {
		c.waiting = make([][]int, len(c.Steps))
		for i := range c.Steps {
			for _, j := range c.Steps[i].After {
				c.waiting[j] = append(c.waiting[j], i)
			}
		}
	})
	return c.waiting
}

// watchOver has the calls in the background looked at now and then, as patience
// does for a blocking one, for as long as there are any. state.mu is held.
func (s *state) watchOver() {
	if !s.watched {
		s.watched = true
		time.AfterFunc(patienceFor, s.look)
	}
}

// look writes to the peers of those calls that were under way at the last look too.
func (s *state) look() {
	s.mu.Lock()
	var slow []note
	s.watched = false
	for r := range s.running {
		if r.stop == nil {
			continue
		}
		if r.seen {
			slow = append(slow, r.note())
		}
		r.seen = true
		s.watchOver()
	}
	s.mu.Unlock()
	for _, n := range slow {
		s.writeAll(s.others(), n)
	}
}
