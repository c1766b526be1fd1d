package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// stand is an engine, rank 0 of 3, whose peers are the test: it delivers what
// it likes as them and keeps what the engine sends.
type stand struct {
	*Engine
	world *Context
	sent  []standFrame
	lost  map[int][]error
	full  bool // the links answer Full
	hold  bool // the links hold Bulk
}

type standFrame struct {
	to      int
	h       wire.Header
	payload []byte
	token   uint64
}

func newStand(t testing.TB) *stand {
	s := &stand{lost: make(map[int][]error)}
	s.Engine = New(Config{Size: 3, EagerBytes: 64, UnexpectedBytes: 3 * 1000, Lost: func(peer int, cause error) {
		s.lost[peer] = append(s.lost[peer], cause)
	}})
	s.Start(func(int) transport.Conn { return s })
	var err error
	if s.world, err = s.NewContext(WorldID, wholeWorld(3), 0); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stand) Send(peer int, h *wire.Header, payload layout.Buffer, token uint64) (transport.Result, error) {
	if s.full {
		return transport.Full, nil
	}
	s.sent = append(s.sent, standFrame{peer, *h, clone(payload), token})
	if s.hold && h.Kind == wire.Bulk {
		return transport.Held, nil
	}
	return transport.Taken, nil
}

// Close is the Conn's; the Engine's is reached by name.
func (s *stand) Close() error { return nil }

func (s *stand) deliver(from int, h wire.Header, payload ...byte) {
	s.Deliver(from, &h, layout.Of(payload))
	s.Idle()
}

func (s *stand) irecv(source int, buf []byte) Ref {
	r, err := s.Irecv(&Envelope{Context: s.world, Peer: source, Tag: match.AnyTag, Buf: layout.Of(buf)})
	if err != nil {
		panic(err)
	}
	return r
}

func (s *stand) isend(to int, mode Mode, n int) Ref {
	r, err := s.Isend(&Envelope{Context: s.world, Peer: to, Mode: mode, Buf: layout.Of(make([]byte, n))})
	if err != nil {
		panic(err)
	}
	return r
}

// last returns the last frame of a kind that was sent to peer.
func (s *stand) last(peer int, kind wire.Kind) standFrame {
	for i := len(s.sent) - 1; i >= 0; i-- {
		if f := s.sent[i]; f.to == peer && f.h.Kind == kind {
			return f
		}
	}
	return standFrame{}
}

// granted posts a receive of n bytes from peer 1, has it matched by an offer
// and returns its number.
func (s *stand) granted(buf []byte) (op uint64) {
	s.irecv(1, buf)
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: uint64(len(buf))})
	return s.last(1, wire.Grant).h.Arg
}

func eager(source uint32, n int) wire.Header {
	return wire.Header{Kind: wire.Eager, Source: source, Bytes: uint64(n)}
}

func bindOf(number uint32, id ContextID) (wire.Header, []byte) {
	return wire.Header{Kind: wire.Bind, Context: number, Bytes: ContextIDBytes}, id.Append(nil)
}

func (s *stand) bind(from int, number uint32, id ContextID) {
	h, payload := bindOf(number, id)
	s.deliver(from, h, payload...)
}

var violations = []struct {
	name string
	do   func(s *stand)
}{
	{"kind 0", func(s *stand) { s.deliver(1, wire.Header{}) }},
	{"kind of a user without handler", func(s *stand) { s.deliver(1, wire.Header{Kind: 99}) }},

	{"eager shorter than it says", func(s *stand) { s.deliver(1, eager(1, 9), 1, 2) }},
	{"eager longer than it says", func(s *stand) { s.deliver(1, eager(1, 1), 1, 2) }},
	{"eager of 2^62 bytes", func(s *stand) { s.deliver(1, eager(1, 1<<62)) }},
	{"eager without credit", func(s *stand) {
		for range 4 {
			s.deliver(1, eager(1, 64), make([]byte, 64)...)
		}
	}},
	{"empty eager messages without credit", func(s *stand) {
		for range 4 {
			s.deliver(1, eager(1, 0))
		}
	}},
	{"offer with payload", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, Bytes: 1}, 1) }},
	{"source of another rank", func(s *stand) { s.deliver(1, eager(2, 0)) }},
	{"source of the receiver", func(s *stand) { s.deliver(1, eager(0, 0)) }},
	{"source outside the group", func(s *stand) { s.deliver(1, eager(3, 0)) }},
	{"source that is AnySource as int32", func(s *stand) { s.deliver(1, eager(1<<32-1, 0)) }},
	{"source outside the job in a context not made yet", func(s *stand) {
		s.bind(1, 1, ContextID{Leader: 1, Counter: 1})
		s.deliver(1, wire.Header{Kind: wire.Eager, Context: 1, Source: 1 << 31})
	}},
	{"source of another rank in a context not made yet", func(s *stand) {
		id := ContextID{Leader: 1, Counter: 1}
		s.bind(1, 1, id)
		s.deliver(1, wire.Header{Kind: wire.Eager, Context: 1, Source: 2})
		if _, err := s.NewContext(id, wholeWorld(3), 0); err != nil {
			panic(err)
		}
	}},
	{"eager in an unbound context", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Eager, Source: 1, Context: 5}) }},
	{"offer in an unbound context", func(s *stand) {
		s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, Context: 1<<32 - 1})
	}},

	{"bind of a short name", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Bind, Context: 1, Bytes: 3}, 1, 2, 3) }},
	{"bind of number 0", func(s *stand) { s.bind(1, 0, ContextID{Leader: 1, Counter: 1}) }},
	{"bind of the world", func(s *stand) { s.bind(1, 1, WorldID) }},
	{"bind of a number twice", func(s *stand) {
		s.bind(1, 1, ContextID{Leader: 1, Counter: 1})
		s.bind(1, 1, ContextID{Leader: 1, Counter: 2})
	}},
	{"bind of a huge number", func(s *stand) { s.bind(1, 1<<32-1, ContextID{Leader: 1, Counter: 1}) }},
	{"unbind of the world", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Unbind}) }},
	{"unbind of what is not bound", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Unbind, Context: 3}) }},
	{"unbind twice", func(s *stand) {
		s.bind(1, 1, ContextID{Leader: 1, Counter: 1})
		s.deliver(1, wire.Header{Kind: wire.Unbind, Context: 1})
		s.deliver(1, wire.Header{Kind: wire.Unbind, Context: 1})
	}},

	{"grant of an unknown operation", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Grant, ID: 5<<32 | 1}) }},
	{"grant of operation slot 2^32-1", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Grant, ID: 1<<64 - 1}) }},
	{"grant of another rank's operation", func(s *stand) {
		s.isend(2, Standard, 100)
		s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(2, wire.Offer).h.ID, Bytes: 100})
	}},
	{"grant beyond the offer", func(s *stand) {
		s.isend(1, Standard, 100)
		s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 101})
	}},
	{"grant of 2^62 bytes", func(s *stand) {
		s.isend(1, Standard, 100)
		s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 1 << 62})
	}},
	{"grant twice", func(s *stand) {
		s.hold = true
		s.isend(1, Standard, 100)
		grant := wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Arg: 9, Bytes: 100}
		s.deliver(1, grant)
		s.deliver(1, grant)
	}},
	{"grant of an eager message", func(s *stand) {
		s.isend(1, Synchronous, 10)
		s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Eager).h.ID, Bytes: 10})
	}},
	{"grant of a receive", func(s *stand) {
		r := s.irecv(1, make([]byte, 10))
		s.deliver(1, wire.Header{Kind: wire.Grant, ID: r.op.id, Bytes: 10})
	}},
	{"ack of an unknown operation", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Ack, ID: 3}) }},
	{"ack of another rank's operation", func(s *stand) {
		s.isend(2, Synchronous, 10)
		s.deliver(1, wire.Header{Kind: wire.Ack, ID: s.last(2, wire.Eager).h.ID})
	}},
	{"ack of an offer", func(s *stand) {
		s.isend(1, Synchronous, 100)
		s.deliver(1, wire.Header{Kind: wire.Ack, ID: s.last(1, wire.Offer).h.ID})
	}},
	{"ack twice", func(s *stand) {
		s.isend(1, Synchronous, 10)
		ack := wire.Header{Kind: wire.Ack, ID: s.last(1, wire.Eager).h.ID}
		s.deliver(1, ack)
		s.deliver(1, ack)
	}},
	{"credit nobody spent", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Credit, Bytes: 1}) }},
	{"credit of 2^62 bytes", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Credit, Bytes: 1 << 62}) }},
	{"credit of 2^64-1 bytes", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Credit, Bytes: 1<<64 - 1}) }},

	{"bulk for an unknown operation", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Bulk, ID: 1 << 40, Bytes: 1}, 1) }},
	{"bulk for a receive that nothing matched", func(s *stand) {
		r := s.irecv(1, make([]byte, 10))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: r.op.id, Bytes: 1}, 1)
	}},
	{"bulk for another rank's message", func(s *stand) {
		s.irecv(2, make([]byte, 10))
		s.deliver(2, wire.Header{Kind: wire.Offer, Source: 2, ID: 77, Bytes: 10})
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: s.last(2, wire.Grant).h.Arg, Bytes: 1}, 1)
	}},
	{"bulk beyond what was wanted", func(s *stand) {
		op := s.granted(make([]byte, 4))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Bytes: 5}, 1, 2, 3, 4, 5)
	}},
	{"bulk that ends beyond what was wanted", func(s *stand) {
		op := s.granted(make([]byte, 4))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Arg: 3, Bytes: 2}, 1, 2)
	}},
	{"bulk whose end overflows", func(s *stand) {
		op := s.granted(make([]byte, 4))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Arg: 1<<64 - 1, Bytes: 2}, 1, 2)
	}},
	{"bulk that overlaps", func(s *stand) {
		op := s.granted(make([]byte, 4))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Bytes: 2}, 1, 2)
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Arg: 1, Bytes: 2}, 1, 2)
	}},
	{"bulk of nothing", func(s *stand) {
		op := s.granted(make([]byte, 4))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op})
	}},
	{"bulk that says another length", func(s *stand) {
		op := s.granted(make([]byte, 4))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Bytes: 1 << 61}, 1, 2)
	}},
	{"bulk after the last", func(s *stand) {
		op := s.granted(make([]byte, 1))
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Bytes: 1}, 1)
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Bytes: 1}, 1)
	}},
	{"bulk in crumbs all over", func(s *stand) {
		op := s.granted(make([]byte, 10*maxGaps))
		for i := range uint64(2 * maxGaps) {
			s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Arg: 2*i + 1, Bytes: 1}, 1)
		}
	}},

	{"withdraw in an unbound context", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Withdraw, Context: 2}) }},
	{"withdrawn, an unknown operation", func(s *stand) {
		s.deliver(1, wire.Header{Kind: wire.Withdrawn, ID: 1, Arg: withdrawnGone})
	}},
	{"withdrawn, which nobody asked for", func(s *stand) {
		s.isend(1, Standard, 100)
		s.deliver(1, wire.Header{Kind: wire.Withdrawn, ID: s.last(1, wire.Offer).h.ID, Arg: withdrawnGone})
	}},
	{"not ready, which was not the mode", func(s *stand) {
		s.isend(1, Synchronous, 100)
		s.deliver(1, wire.Header{Kind: wire.Withdrawn, ID: s.last(1, wire.Offer).h.ID, Arg: withdrawnUnready})
	}},
	{"withdrawn for an unknown reason", func(s *stand) {
		s.isend(1, Ready, 100)
		s.deliver(1, wire.Header{Kind: wire.Withdrawn, ID: s.last(1, wire.Offer).h.ID, Arg: 1 << 60})
	}},

	{"last bye first", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Bye, Arg: lastBye}) }},
	{"first bye twice", func(s *stand) {
		s.deliver(1, wire.Header{Kind: wire.Bye, Arg: firstBye})
		s.deliver(1, wire.Header{Kind: wire.Bye, Arg: firstBye})
	}},
	{"bye 0", func(s *stand) { s.deliver(1, wire.Header{Kind: wire.Bye}) }},
}

// A peer that breaks the protocol is lost, with a cause that names it; the
// engine and its other peers go on (FAULTS F60, S11).
func TestViolationsLoseTheLinkAndNothingElse(t *testing.T) {
	for _, v := range violations {
		t.Run(v.name, func(t *testing.T) {
			s := newStand(t)
			v.do(s)
			if len(s.lost[1]) != 1 {
				t.Fatalf("lost %d times: %v", len(s.lost[1]), s.lost)
			}
			if err := s.lost[1][0]; !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "rank 1") {
				t.Fatalf("cause %q, want ErrProtocol and the rank", err)
			}
			s.deliver(1, wire.Header{Kind: wire.Bye, Arg: 9}) // and nothing more is heard of it
			if len(s.lost) != 1 || len(s.lost[1]) != 1 {
				t.Fatalf("lost: %v", s.lost)
			}
			s.Fail(1, s.lost[1][0])
			s.deliver(2, eager(2, 2), 7, 8)
			buf := make([]byte, 2)
			st, err := s.Recv(context.Background(), &Envelope{Context: s.world, Peer: 2, Tag: 0, Buf: layout.Of(buf)})
			if err != nil || st.Bytes != 2 || !bytes.Equal(buf, []byte{7, 8}) {
				t.Fatalf("message of another rank: %+v, %v, %v", st, err, buf)
			}
		})
	}
}

// A Bind of a large number makes the engine allocate little.
func TestLargeContextNumbersAreCheap(t *testing.T) {
	s := newStand(t)
	got := allocated(func() { s.bind(1, maxNumbers-1, ContextID{Leader: 1, Counter: 1}) })
	if got > 1<<20 {
		t.Fatalf("one frame allocates %d bytes", got)
	}
	if len(s.lost) != 0 {
		t.Fatal(s.lost)
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A message for a communicator that is freed, or was long ago, is dropped and
// counted, and a sender that waits is told (FAULTS F61).
func TestMessagesForFreedContextsAreDroppedAndCounted(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("bound after the end %v", late), func(t *testing.T) {
			s := newStand(t)
			id := s.NextID()
			c, err := s.NewContext(id, wholeWorld(3), 0)
			if err != nil {
				t.Fatal(err)
			}
			if !late {
				s.bind(1, 1, id)
			}
			c.Free()
			if late {
				s.bind(1, 1, id)
			}
			s.deliver(1, wire.Header{Kind: wire.Eager, Context: 1, Source: 1})
			s.deliver(1, wire.Header{Kind: wire.Offer, Context: 1, Source: 1, ID: 5, Bytes: 1 << 40})
			if st := s.Stats(); st.Dropped != 2 || st.Unexpected != 0 {
				t.Fatalf("%+v, want 2 dropped and none held", st)
			}
			if f := s.last(1, wire.Withdrawn); f.h.ID != 5 || f.h.Arg != withdrawnFreed {
				t.Fatalf("the sender hears %+v", f.h)
			}
			s.deliver(1, wire.Header{Kind: wire.Unbind, Context: 1})
			if len(s.contexts) != 1 || len(s.lost) != 0 {
				t.Fatalf("%d contexts left, lost %v", len(s.contexts), s.lost)
			}
		})
	}
}

// FuzzDeliver drives an engine by frames that a peer makes up, between calls of
// its own program. Whatever comes: no panic, no byte written outside a posted
// buffer, memory in proportion to what was sent.
func FuzzDeliver(f *testing.F) {
	f.Add([]byte{})
	seed := make([]byte, 0, 400)
	for i := range byte(40) {
		seed = append(seed, i, i*7, i*13, 1, i, 3, 2, i)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, script []byte) {
		var s *stand
		var p *fuzzPeer
		if got := allocated(func() {
			s = newStand(t)
			p = &fuzzPeer{stand: s, script: script, t: t}
			p.run()
		}); got > 2<<20+uint64(len(script))*4096 {
			t.Fatalf("%d bytes of script allocate %d", len(script), got)
		}
	})
}

// fuzzPeer reads a script as frames and calls.
type fuzzPeer struct {
	*stand
	t      testing.TB
	script []byte
	bufs   [][]byte // posted, with canaries around
	refs   []Ref
	ctx    *Context
}

func (p *fuzzPeer) byte() byte {
	if len(p.script) == 0 {
		return 0
	}
	b := p.script[0]
	p.script = p.script[1:]
	return b
}

const fuzzRoom = 48

func (p *fuzzPeer) run() {
	id := p.NextID()
	var err error
	if p.ctx, err = p.NewContext(id, wholeWorld(3), 0); err != nil {
		p.t.Fatal(err)
	}
	for len(p.script) > 0 {
		switch k := p.byte() % 16; k {
		default:
			p.frame()
		case 10, 11:
			p.post()
		case 12:
			for _, n := range []int{10, 100, 60} {
				r, err := p.Isend(&Envelope{Context: p.context(), Mode: Mode(p.byte() % 3), Peer: 1, Buf: layout.Of(make([]byte, n))})
				if err == nil {
					p.refs = append(p.refs, r)
				}
			}
		case 13:
			for _, r := range p.refs {
				p.Cancel(r)
			}
		case 14:
			if m, _ := p.Take(p.context(), wire.User, int(match.AnySource), match.AnyTag); m != nil {
				p.receive(func(env *Envelope) (Ref, error) { return p.Imrecv(m, env) })
			}
		case 15:
			if p.byte()%16 == 0 {
				p.ctx.Free()
			}
			p.full = p.byte()%2 == 0
			p.Writable(1)
			p.Idle()
		}
		p.lost = make(map[int][]error)
		p.peer(1).lost = false // a link may break the protocol again and again here
	}
	p.Fail(1, ErrProtocol)
	for _, r := range p.refs {
		if _, done, _ := p.Test(r); !done {
			p.Cancel(r)
		}
	}
	for _, b := range p.bufs {
		for i := range fuzzRoom {
			if b[i] != 0xc4 || b[len(b)-1-i] != 0xc4 {
				p.t.Fatalf("written outside the buffer: %x", b)
			}
		}
	}
}

func (p *fuzzPeer) context() *Context {
	if p.byte()%2 == 0 {
		return p.ctx
	}
	return p.world
}

func (p *fuzzPeer) post() {
	source := int(p.byte()%4) - 1
	c := p.context()
	p.receive(func(env *Envelope) (Ref, error) {
		env.Context, env.Peer, env.Tag = c, source, int64(p.byte()%3)-1
		return p.Irecv(env)
	})
}

func (p *fuzzPeer) receive(start func(*Envelope) (Ref, error)) {
	n := int(p.byte() % fuzzRoom)
	b := bytes.Repeat([]byte{0xc4}, n+2*fuzzRoom)
	p.bufs = append(p.bufs, b)
	r, err := start(&Envelope{Buf: layout.Of(b[fuzzRoom : fuzzRoom+n])})
	if err == nil {
		p.refs = append(p.refs, r)
	}
}

// frame delivers a frame whose fields are mostly near what could be right.
func (p *fuzzPeer) frame() {
	h := wire.Header{Kind: wire.Kind(p.byte() % 14), Flags: wire.Flags(p.byte() % 8), Context: uint32(p.byte() % 4), Source: 1}
	number := func() uint64 {
		switch b := p.byte(); {
		case b < 200:
			return uint64(b)
		case b < 230:
			return 1<<32*uint64(p.byte()%4) | uint64(p.byte()%8)
		case b < 240:
			return 1<<uint(p.byte()%64) - 1
		case len(p.refs) > 0:
			return p.refs[int(p.byte())%len(p.refs)].op.id
		}
		return 0
	}
	h.ID, h.Arg, h.Bytes = number(), number(), number()
	payload := bytes.Repeat([]byte{0x11}, int(p.byte()))
	switch p.byte() % 4 {
	case 0:
	case 1:
		id := p.ctx.id
		if p.byte()%2 == 0 {
			id.Counter = uint64(p.byte())
		}
		payload = id.Append(nil)
	default:
		h.Bytes = uint64(len(payload))
	}
	if h.Kind == 13 && p.byte()%2 == 0 { // any header at all that a link would let pass
		raw := make([]byte, wire.HeaderBytes)
		for i := range raw {
			raw[i] = p.byte()
		}
		binary.LittleEndian.PutUint32(raw[8:], 1)
		if h.Parse(raw) != nil {
			return
		}
	}
	p.deliver(1, h, payload...)
}
