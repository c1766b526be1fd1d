package engine

import (
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

	during func(h *wire.Header) // called in each Send, as what others do meanwhile
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
	if s.during != nil {
		s.during(h)
	}
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
