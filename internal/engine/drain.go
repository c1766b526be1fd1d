package engine

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// Leaving a job: nobody starts anything any more, but what has started must
// arrive, and what nobody received must be known for certain. Each pair of
// ranks with a link says Bye twice. After a peer's first (firstBye) all its
// messages are here and matched as far as they will be; its second, said once
// it has our first and has pulled all that it pulls from us, comes behind all its
// Grants. What is under way then finishes: bulk that was granted and bulk that
// arrives.
const (
	firstBye = 1 + iota
	lastBye
)

// Drain returns when nothing is under way between this rank and any other. All
// ranks must have stopped starting operations and must drain.
func (e *Engine) Drain(ctx context.Context) error {
	e.mu.Lock()
	w := e.newWaiter()
	e.leaving = w
	for i := range e.peers {
		if p := e.peers[i].Load(); p != nil && p.used.Load() {
			e.sayBye(p, firstBye)
		}
	}
	e.mu.Unlock()
	e.Idle()
	e.mu.Lock()
	defer func() {
		e.leaving = nil
		e.waiters = append(e.waiters, w)
		e.mu.Unlock()
	}()
	slot := e.records.Begin(record.OpLeave, 0, record.NoPeer, record.NoTag, -1)
	defer slot.End(e.records)
	var p pace
	for {
		if err := e.over(); err != nil {
			return err
		}
		if e.drained() {
			return nil
		}
		if len(e.pollers) > 0 && !p.over {
			e.look(&p, w)
			continue
		}
		if err := e.park(ctx, w, slot, nil); err != nil {
			return err
		}
	}
}

// drained reports whether nothing is under way. Engine.mu is held.
func (e *Engine) drained() bool {
	for i := range e.peers {
		p := e.peers[i].Load()
		if p != nil && p.used.Load() && !p.lost && min(p.byeSeen, p.byeSent) < lastBye {
			return false
		}
	}
	for _, op := range e.ops {
		switch op.phase {
		case queued, sending, arriving, pushing, pulling:
			return false
		}
	}
	return true
}

// sayBye says Byes up to n to p. Engine.mu is held.
func (e *Engine) sayBye(p *peer, n uint64) {
	for p.byeSaid < n {
		p.byeSaid++
		e.reply(p, frame{h: wire.Header{Kind: wire.Bye, Arg: p.byeSaid}})
	}
}

// saidBye notes that the link has taken a Bye.
func (e *Engine) saidBye(p *peer, n uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.byeSent = n
	e.wakeLeaving()
}

// bye handles a Bye. Whoever says it knows that all ranks have stopped, so it
// is answered at once. Engine.mu is held.
func (e *Engine) bye(p *peer, h *wire.Header) error {
	if h.Arg != p.byeSeen+1 || h.Arg > lastBye {
		return fmt.Errorf("%w: Bye %d after %d", ErrProtocol, h.Arg, p.byeSeen)
	}
	p.byeSeen = h.Arg
	if h.Arg == firstBye {
		if p.byeDue = p.road.pulls > 0; !p.byeDue {
			e.sayBye(p, lastBye)
		}
	}
	e.wakeLeaving()
	return nil
}

// Leftover is an operation or a message that nobody completed.
type Leftover struct {
	Kind    LeftoverKind
	What    record.Op
	Context *Context // nil: of no communicator
	Source  int      // ranks of Context's group; match.AnySource possible
	Dest    int
	Tag     int64
	Bytes   int
	Count   int // how many alike
}

// LeftoverKind says which.
type LeftoverKind uint8

const (
	LeftRequest LeftoverKind = iota // a request that completed and was never waited for
	LeftSend                        // a message that arrived, or was offered, and was never received
	LeftRecv                        // a receive that nothing matched
)

// Leftovers lists what Drain found that will never complete, in no particular
// order, with what is alike counted together.
func (e *Engine) Leftovers() []Leftover {
	e.mu.Lock()
	defer e.mu.Unlock()
	count := make(map[Leftover]int)
	for _, op := range e.ops {
		l := Leftover{What: op.env.What, Context: op.env.Context, Tag: op.env.Tag, Bytes: op.env.Buf.Len()}
		switch op.phase {
		case complete:
			if op.env.Context == nil || op.claimed {
				continue
			}
			l.Kind = LeftRequest
		case posted:
			l.Kind = LeftRecv
		default:
			// Sends that nothing matched are counted where they arrived.
			continue
		}
		l.Source, l.Dest = op.env.Peer, op.env.Context.self
		if op.send {
			l.Source, l.Dest = l.Dest, l.Source
		}
		count[l]++
	}
	for _, c := range e.contexts {
		if c.group == nil {
			continue
		}
		for i := range c.spaces {
			if wire.Space(i) == wire.Library || c.spaces[i].forgiven {
				continue // of a call that failed, and said so
			}
			for m := range c.spaces[i].match.Messages {
				m := m.Ref.(*message)
				count[Leftover{
					Kind: LeftSend, Context: c, Source: int(m.m.Source), Dest: c.self, Tag: m.m.Tag, Bytes: int(m.head.Bytes),
				}]++
			}
		}
	}
	list := make([]Leftover, 0, len(count))
	for l, n := range count {
		l.Count = n
		list = append(list, l)
	}
	return list
}
