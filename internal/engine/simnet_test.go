package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// simNet links engines by queues that hold every frame until step delivers it.
// On its seed it answers Full, calls Writable early or late, holds Bulk
// payloads and says Sent long after, splits Bulk, and delays Idle. It runs on
// the caller's goroutine; nothing in it depends on time. A goroutine that step
// wakes may call the engines too, as step leaves the simNet alone by then, if the
// caller waits for it before the next step.
type simNet struct {
	rng     *rand.Rand
	engines []*Engine
	links   [][]simLink // by sender, receiver
	idle    []bool      // by engine: Idle is due
	calm    bool        // no more Full
	memory  [][]byte    // what can be reached, by address/1<<32 - 1
	shared  bool        // both ends copy

	// arrive is told of every frame just before it is delivered.
	arrive func(from, to int, h *wire.Header)
}

type simLink struct {
	frames []simFrame
	held   []uint64 // tokens of payloads delivered but not given back
	full   bool     // Writable is due
	cut    bool
	claims [transport.ClaimWords]atomic.Uint64 // of what the receiver pulls
}

// sever ends the link, with what is on its way.
func (l *simLink) sever() {
	l.frames, l.held, l.full, l.cut = nil, nil, false, true
}

type simFrame struct {
	h       wire.Header
	payload layout.Buffer
	token   uint64 // of a Held payload, else 0
}

var errCut = errors.New("link cut by the test")

func newSimNet(rng *rand.Rand, n int, configure func(*Config)) *simNet {
	s := &simNet{rng: rng, links: make([][]simLink, n), idle: make([]bool, n)}
	direct := rng.IntN(2) == 0
	s.shared = rng.IntN(3) > 0
	for i := range n {
		cfg := Config{Self: i, Size: n}
		if configure != nil {
			configure(&cfg)
		}
		e := New(cfg)
		e.part = 20
		s.engines = append(s.engines, e)
		s.links[i] = make([]simLink, n)
		var port transport.Conn = &simPort{s, i}
		if direct {
			port = &directPort{simPort{s, i}}
		}
		e.Start(func(int) transport.Conn { return port }, port)
	}
	return s
}

// simPort is one rank's Conn.
type simPort struct {
	net  *simNet
	self int
}

func (p *simPort) Close() error { return nil }

func (p *simPort) Send(peer int, h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	s, l := p.net, &p.net.links[p.self][peer]
	switch {
	case l.cut:
		return transport.Full, errCut
	case l.full:
		return transport.Full, nil
	case !s.calm && s.rng.IntN(5) == 0:
		if s.rng.IntN(3) == 0 {
			s.engines[p.self].Writable(peer)
			s.idle[p.self] = true
		} else {
			l.full = true
		}
		return transport.Full, nil
	case h.Kind == wire.Bulk && s.rng.IntN(2) == 0:
		l.frames = append(l.frames, simFrame{*h, payload, token})
		return transport.Held, nil
	}
	l.frames = append(l.frames, simFrame{*h, layout.Of(clone(payload)), 0})
	return transport.Taken, nil
}

// directPort is a simPort over links that copy from memory to memory.
type directPort struct{ simPort }

func (p *directPort) Reach(_ int, b layout.Buffer) uint64 {
	run, ok := b.Contiguous()
	if !ok || len(run) == 0 || p.net.rng.IntN(8) == 0 {
		return 0
	}
	p.net.memory = append(p.net.memory, run)
	return uint64(len(p.net.memory)) << 32
}

func (p *directPort) reach(peer int, addr uint64, n int) ([]byte, error) {
	if p.net.links[p.self][peer].cut {
		return nil, errCut
	}
	off := int(addr & (1<<32 - 1))
	return p.net.memory[addr>>32-1][off : off+n], nil
}

func (p *directPort) Pull(peer int, dst layout.Buffer, addr uint64) error {
	src, err := p.reach(peer, addr, dst.Len())
	dst.WriteAt(src, 0)
	return err
}

func (p *directPort) Push(peer int, addr uint64, src layout.Buffer) error {
	dst, err := p.reach(peer, addr, src.Len())
	src.ReadAt(dst, 0)
	return err
}

func (p *directPort) Claims(peer int) (in, out *[transport.ClaimWords]atomic.Uint64) {
	if !p.net.shared {
		return nil, nil
	}
	return &p.net.links[peer][p.self].claims, &p.net.links[p.self][peer].claims
}

func clone(b layout.Buffer) []byte {
	out := make([]byte, b.Len())
	b.ReadAt(out, 0)
	return out
}

// step does one thing that is due, chosen by the seed; false if nothing is.
func (s *simNet) step() bool {
	var due []func()
	for from := range s.links {
		if s.idle[from] {
			due = append(due, func() { s.idle[from] = false; s.engines[from].Idle() })
		}
		if len(s.engines[from].moves) > 0 {
			due = append(due, func() { s.engines[from].move(); s.idle[from] = true })
		}
		for to := range s.links[from] {
			l := &s.links[from][to]
			if l.full {
				due = append(due, func() {
					l.full = false
					s.idle[from] = true
					s.engines[from].Writable(to)
				})
			}
			if len(l.held) > 0 {
				due = append(due, func() { s.giveBack(from, to) })
			}
			if len(l.frames) > 0 {
				due = append(due, func() { s.deliver(from, to) })
			}
		}
	}
	if len(due) == 0 {
		return false
	}
	due[s.rng.IntN(len(due))]()
	return true
}

// settle steps until nothing is due.
func (s *simNet) settle() {
	for s.step() {
	}
}

func (s *simNet) giveBack(from, to int) {
	l := &s.links[from][to]
	token := l.held[0]
	l.held = l.held[1:]
	s.idle[from] = true
	s.engines[from].Sent(to, token)
}

// deliver hands over the oldest frame of a link. The payload is overwritten
// afterwards, as it is valid during the call only.
func (s *simNet) deliver(from, to int) {
	l := &s.links[from][to]
	f := l.frames[0]
	l.frames = l.frames[1:]
	if s.arrive != nil {
		s.arrive(from, to, &f.h)
	}
	payload := clone(f.payload)
	if f.token != 0 {
		l.held = append(l.held, f.token)
	}
	if n := len(payload); f.h.Kind == wire.Bulk && n > 1 && s.rng.IntN(2) == 0 {
		first, cut := f.h, 1+s.rng.IntN(n-1)
		first.Bytes = uint64(cut)
		f.h.Arg, f.h.Bytes = f.h.Arg+uint64(cut), uint64(n-cut)
		s.hand(from, to, first, payload[:cut])
		payload = payload[cut:]
	}
	s.hand(from, to, f.h, payload)
}

func (s *simNet) hand(from, to int, h wire.Header, payload []byte) {
	s.idle[to] = true
	s.engines[to].Deliver(from, &h, layout.Of(payload))
	for i := range payload {
		payload[i] = 0xee
	}
	h = wire.Header{}
}

// lose ends all links of a rank: what it had sent arrives as far as the seed
// says, then the others hear Lost and give it up.
func (s *simNet) lose(rank int) {
	for other := range s.engines {
		if other == rank {
			continue
		}
		s.links[other][rank].sever()
		in := &s.links[rank][other]
		for len(in.frames) > 0 && s.rng.IntN(4) > 0 {
			s.deliver(rank, other)
		}
		in.sever()
		s.engines[other].Lost(rank, errCut)
		s.idle[other] = true
	}
}

// wholeWorld is the group of all ranks.
type wholeWorld int

func (g wholeWorld) Size() int       { return int(g) }
func (g wholeWorld) World(r int) int { return r }

// open makes the context id on every engine.
func (s *simNet) open(t testing.TB, id ContextID) []*Context {
	t.Helper()
	var cs []*Context
	for i, e := range s.engines {
		c, err := e.NewContext(id, wholeWorld(len(s.engines)), i)
		if err != nil {
			t.Fatalf("context %v at rank %d: %v", id, i, err)
		}
		cs = append(cs, c)
	}
	return cs
}

// checkAtRest fails unless every engine is as it was at the start: no message
// queued, every operation back in its pool, all credit accounted for.
func (s *simNet) checkAtRest() error {
	for i, e := range s.engines {
		if st := e.Stats(); st.Unexpected != 0 || st.UnexpectedBytes != 0 {
			return fmt.Errorf("rank %d holds messages at rest: %+v", i, st)
		}
		if len(e.free) != len(e.ops) {
			return fmt.Errorf("rank %d: %d of %d operations are back in the pool", i, len(e.free), len(e.ops))
		}
		if len(e.moves) != 0 || len(e.breaches) != 0 {
			return fmt.Errorf("rank %d: %d single copies and %d breaches left", i, len(e.moves), len(e.breaches))
		}
		if len(e.dirty) != 0 || e.ndirty.Load() != 0 || e.parked.head != nil {
			return fmt.Errorf("rank %d: work or waiters left", i)
		}
		for j, o := range s.engines {
			out, in := e.peer(j), o.peer(i)
			if e.gone(out) != nil || o.gone(in) != nil {
				continue
			}
			if got := out.credit + in.spent; got != e.window {
				return fmt.Errorf("credit of rank %d towards %d: %d left and %d spent, want %d together", i, j, out.credit, in.spent, e.window)
			}
			if in.road.pulls != 0 || in.road.taken != 0 {
				return fmt.Errorf("rank %d pulls %d messages from %d by words %b", j, in.road.pulls, i, in.road.taken)
			}
			if in.owed != in.spent {
				return fmt.Errorf("rank %d owes %d of the %d bytes that %d has spent", j, in.owed, in.spent, i)
			}
			if out.frames.len() != 0 || out.nframe.Load() != 0 || out.bulk.len() != 0 || out.state.Load() != unowned {
				return fmt.Errorf("rank %d has frames for %d left", i, j)
			}
		}
	}
	return nil
}
