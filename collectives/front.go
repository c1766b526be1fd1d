package collectives

import (
	"context"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/rank"
)

// start carries the call out in the background and returns at once: the calls of a
// communicator have the order in which they were started.
func (p *plan[T]) start() rank.Request {
	if p.err != nil {
		return rank.Failed(p.fail(nonblocking, p.err))
	}
	s, err := stateOf(p.c)
	if err != nil {
		return rank.Failed(p.fail(nonblocking, err))
	}
	if err := s.spoiled(); err != nil {
		return rank.Failed(p.fail(nonblocking, err))
	}
	c, err := p.compile(s)
	if err != nil {
		return rank.Failed(p.fail(nonblocking, err))
	}
	r := s.take()
	r.described = p.describe(nonblocking, c.algorithm)
	if err := s.number(r); err != nil {
		s.done(r)
		s.giveUpAll(err)
		return rank.Failed(p.fail(nonblocking, err))
	}
	return p.background(s, r, c, nonblocking)
}

// background carries out a call that has its number on a goroutine of its own.
func (p *plan[T]) background(s *state, r *run, c *compiled, m mode) rank.Request {
	q, done := rank.NewRequest(p.c)
	own := *p // the caller's is on its stack
	go func() {
		err := own.finish(context.Background(), s, r, c)
		r.site = ""
		s.give(r)
		done(rank.Status{Source: rank.AnySource, Tag: rank.AnyTag}, own.fail(m, err))
	}()
	return q
}

// persist makes a persistent operation of the call.
func (p *plan[T]) persist() *rank.Persistent {
	if p.err != nil {
		return rank.NewPersistent(nil, p.fail(persistent, p.err))
	}
	s, err := stateOf(p.c)
	if err != nil {
		return rank.NewPersistent(nil, p.fail(persistent, err))
	}
	c, err := p.compile(s)
	if err != nil {
		return rank.NewPersistent(nil, p.fail(persistent, err))
	}
	own := *p
	r := newRun(s)
	r.described = own.describe(persistent, c.algorithm)
	r.number = s.numberInit()
	return rank.NewPersistent(func() rank.Request {
		if err := s.spoiled(); err != nil {
			return rank.Failed(own.fail(persistent, err))
		}
		return own.round(s, r, c)
	}, nil)
}

// round starts a round of a persistent operation. Rounds of one operation come one
// after the other on every rank, and links keep the order of messages of one tag.
func (p *plan[T]) round(s *state, r *run, c *compiled) rank.Request {
	s.mu.Lock()
	s.running[r] = true
	s.mu.Unlock()
	q, done := rank.NewRequest(p.c)
	go func() {
		err := p.finish(context.Background(), s, r, c)
		done(rank.Status{Source: rank.AnySource, Tag: rank.AnyTag}, p.fail(persistent, err))
	}()
	return q
}

// callSite returns file:line of the program's call into Muster; "" on a goroutine
// of ours.
func callSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		name, ours := strings.CutPrefix(f.Function, "github.com/muster-mpi/muster/")
		if !ours || !strings.HasPrefix(name, "collectives.") && !strings.HasPrefix(name, "topology.") {
			if f.File == "" || strings.HasPrefix(f.Function, "runtime.") {
				return ""
			}
			return filepath.Base(f.File) + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}
