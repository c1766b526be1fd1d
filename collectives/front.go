package collectives

import "github.com/muster-mpi/muster/rank"

// start carries the call out in the background and returns at once: the calls of a
// communicator have the order in which they were started.
func (p *plan[T]) start() rank.Request {
	q, err := p.tryStart()
	if err != nil {
		return rank.Failed(p.fail(nonblocking, err))
	}
	return q
}

func (p *plan[T]) tryStart() (q rank.Request, err error) {
	if p.err != nil {
		return q, p.err
	}
	s, err := stateOf(p.c)
	if err != nil {
		return q, err
	}
	if err := s.refuses(); err != nil {
		return q, err
	}
	c, err := p.compile(s)
	if err != nil {
		return q, err
	}
	r := s.take()
	r.call = p.describe(r, nonblocking, c.algorithm)
	if err := s.number(r); err != nil {
		s.done(r)
		s.giveUpAll(err)
		return q, err
	}
	return p.background(s, r, c, nonblocking), nil
}

// background carries out a call that has its number, with nobody waiting for it.
func (p *plan[T]) background(s *state, r *run, c *compiled, m mode) rank.Request {
	own := *p // the caller's is on its stack
	own.behind = true
	if own.pack != nil {
		own.pack()
	}
	q, done := rank.NewRequest(p.c)
	r.label(r.number, m == persistent)
	b := &background[T]{r: r, c: c, mem: own.mem, op: own.op.Apply, active: true}
	b.finish = func(err error) {
		if err == nil && own.unpack != nil {
			own.unpack()
		}
		if err != nil {
			s.giveUpAll(err)
		}
		s.done(r)
		if m == nonblocking {
			s.give(r)
		}
		done(rank.Status{Source: rank.AnySource, Tag: rank.AnyTag}, own.fail(m, err))
	}
	s.mu.Lock()
	r.stop, r.seen = b.stop, false
	s.running[r] = true
	s.watchOver()
	s.mu.Unlock()
	if err := s.spoiled(); err != nil {
		b.stop(err) // who gave up may not have seen it
	}
	b.launch()
	return q
}

// persist makes a persistent operation of the call.
func (p *plan[T]) persist() *rank.Persistent {
	start, err := p.prepare()
	return rank.NewPersistent(start, p.fail(persistent, err))
}

// prepare returns what starts a round of the call.
func (p *plan[T]) prepare() (start func() rank.Request, err error) {
	if p.err != nil {
		return nil, p.err
	}
	s, err := stateOf(p.c)
	if err != nil {
		return nil, err
	}
	c, err := p.compile(s)
	if err != nil {
		return nil, err
	}
	own := *p
	r := newRun(s)
	r.call = own.describe(r, persistent, c.algorithm)
	r.number, r.print = s.numberInit(), r.call.print
	return func() rank.Request {
		if err := s.refuses(); err != nil {
			return rank.Failed(own.fail(persistent, err))
		}
		// Rounds of one operation come one after the other on every rank, and links keep
		// the order of messages of one tag.
		return own.background(s, r, c, persistent)
	}, nil
}
