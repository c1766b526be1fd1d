package engine

import (
	"fmt"
	"math/rand/v2"

	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

type spaceKey struct {
	rank, ctx int
	space     wire.Space
}

// modelSpace is MPI's matching, as dumb as can be.
type modelSpace struct {
	messages []*letter
	receives []*receiving
}

type fate int

const (
	underWay fate = iota
	queuedAtReceiver
	matched
	withdrawn
	refused
	unready
)

// letter is a message; its number travels as the layout of its elements.
type letter struct {
	number             uint32
	from, to, ctx, tag int
	space              wire.Space
	mode               Mode
	want, buf          []byte
	ref                Ref
	eager              bool // and standard: complete without the receiver
	asked              bool // its withdrawal was asked for
	fate               fate
	done               bool
}

type receiving struct {
	rank, ctx   int
	space       wire.Space
	source, tag int
	buf         []byte // with a canary of canaryBytes behind room
	room        int
	ref         Ref
	got         *letter
	cancelled   bool
	done        bool
}

const canaryBytes = 16

func (m *letter) String() string {
	return fmt.Sprintf("message %d from %d to %d, context %d/%d, tag %d, mode %d, %d bytes, eager %v, withdrawal asked %v, fate %d, done %v",
		m.number, m.from, m.to, m.ctx, m.space, m.tag, m.mode, len(m.want), m.eager, m.asked, m.fate, m.done)
}

func (r *receiving) String() string {
	return fmt.Sprintf("receive at %d, context %d/%d, source %d, tag %d, room %d, cancelled %v, done %v, of: %v",
		r.rank, r.ctx, r.space, r.source, r.tag, r.room, r.cancelled, r.done, r.got)
}

func (m *letter) matches(r *receiving) bool {
	return (r.source == int(match.AnySource) || r.source == m.from) && (r.tag == int(match.AnyTag) || r.tag == m.tag)
}

func pattern(number uint32, n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(number), 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func (p *program) space(rank, ctx int, s wire.Space) *modelSpace {
	key := spaceKey{rank, ctx, s}
	if p.spaces[key] == nil {
		p.spaces[key] = new(modelSpace)
	}
	return p.spaces[key]
}

// first is what a receive posted now would get.
func (s *modelSpace) first(source, tag int) (int, *letter) {
	for i, m := range s.messages {
		if m.matches(&receiving{source: source, tag: tag}) {
			return i, m
		}
	}
	return -1, nil
}

// arrived is the model's side of a delivery.
func (p *program) arrived(from, to int, h *wire.Header) {
	switch h.Kind {
	case wire.Eager, wire.Offer:
		m := p.sends[h.Layout-1]
		if m.fate != underWay || m.from != from || m.to != to {
			p.fail("arrives from %d at %d: %v", from, to, m)
			return
		}
		key := [3]int{from, to, m.ctx}
		if p.lastSeen[key] >= m.number {
			p.fail("message %d from %d to %d arrives after %d", m.number, from, to, p.lastSeen[key])
		}
		p.lastSeen[key] = m.number
		p.meet(m)
	case wire.Withdraw:
		m := p.byOp[[2]uint64{uint64(from), h.ID}]
		s := p.space(to, m.ctx, m.space)
		for i := range s.messages {
			if s.messages[i] == m {
				s.messages = append(s.messages[:i], s.messages[i+1:]...)
				m.fate = withdrawn
				return
			}
		}
	}
}

// meet matches a message that arrives.
func (p *program) meet(m *letter) {
	s := p.space(m.to, m.ctx, m.space)
	for i, r := range s.receives {
		if m.matches(r) {
			s.receives = append(s.receives[:i], s.receives[i+1:]...)
			m.fate, r.got = matched, m
			return
		}
	}
	if p.contexts[m.ctx][m.to].freeing.Load() {
		m.fate = refused
		return
	}
	if m.mode == Ready {
		m.fate = unready
		return
	}
	m.fate = queuedAtReceiver
	s.messages = append(s.messages, m)
}

// dropFreed drops what the model has queued for contexts that are gone.
func (p *program) dropFreed() {
	for ctx, cs := range p.contexts {
		for rank, c := range cs {
			if c.freeing.Load() && !p.dropped[c] {
				p.dropped[c] = true
				for _, space := range []wire.Space{wire.User, wire.Collective} {
					s := p.space(rank, ctx, space)
					for _, m := range s.messages {
						m.fate = refused
					}
					s.messages = nil
				}
			}
		}
	}
}

// unreachable reports whether a receive from source that finds no message fails.
func (p *program) unreachable(source int) bool {
	return source == int(match.AnySource) && len(p.lost) > 0 || p.lost[source]
}

// eagerAtReceiver reports whether the whole message lies at its receiver.
func (m *letter) eagerAtReceiver() bool { return m.eager || m.ref.op.eager }

func keep[T any](list []T, f func(T) bool) []T {
	var out []T
	for _, v := range list {
		if f(v) {
			out = append(out, v)
		}
	}
	return out
}
