package engine

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

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
