package engine

import (
	"errors"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

func (s *stand) context(t *testing.T) *Context {
	c, err := s.NewContext(s.NextID(), wholeWorld(3), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kinds returns the kinds of the frames sent so far.
func (s *stand) kinds() []wire.Kind {
	var kinds []wire.Kind
	for _, f := range s.sent {
		kinds = append(kinds, f.h.Kind)
	}
	return kinds
}

func released(c *Context) bool {
	select {
	case <-c.Released():
		return true
	default:
		return false
	}
}

// Each peer is told the number of a context before the first frame that uses
// it, and that it is over after the last; numbers are used again.
func TestBindAndUnbindFrameTheUse(t *testing.T) {
	s := newStand(t)
	for range 3 {
		s.sent = nil
		c := s.context(t)
		if c.Number() != 1 {
			t.Fatalf("number %d", c.Number())
		}
		for range 2 {
			if _, err := s.Isend(&Envelope{Context: c, Peer: 1}); err != nil {
				t.Fatal(err)
			}
		}
		s.deliver(1, wire.Header{Kind: wire.Credit, Bytes: uint64(2 * eagerCost(0))})
		c.Free()
		if got, want := s.kinds(), []wire.Kind{wire.Bind, wire.Eager, wire.Eager, wire.Unbind}; !slices.Equal(got, want) {
			t.Fatalf("sent %v, want %v", got, want)
		}
	}
}

// Free while another goroutine is in the link: the peer is told the end if it
// was told the beginning, once, and not otherwise.
func TestFreeDuringASend(t *testing.T) {
	for _, c := range []struct {
		name string
		at   wire.Kind // the frame in whose Send Free is called
		full bool      // and which is then refused
		used bool      // the context that is freed is the one of the send
		want []wire.Kind
		err  error
	}{
		{"bind", wire.Bind, false, true, []wire.Kind{wire.Bind, wire.Eager, wire.Unbind}, nil},
		{"message", wire.Eager, false, true, []wire.Kind{wire.Bind, wire.Eager, wire.Unbind}, nil},
		{"refused message", wire.Eager, true, true, []wire.Kind{wire.Bind, wire.Unbind}, ErrFreed},
		{"message of another context", wire.Eager, false, false, []wire.Kind{wire.Eager}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			freed := s.context(t)
			use := s.world
			if c.used {
				use = freed
			}
			s.during = func(h *wire.Header) {
				if h.Kind == c.at {
					s.during = nil
					freed.Free()
					s.full = c.full
				}
			}
			r, err := s.Isend(&Envelope{Context: use, Peer: 1})
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil {
				if _, done, err := s.Test(r); !done || err != nil {
					t.Fatalf("done %v, error %v", done, err)
				}
			}
			s.full = false
			s.Writable(1)
			s.Idle()
			if got := s.kinds(); !slices.Equal(got, c.want) {
				t.Errorf("sent %v, want %v", got, c.want)
			}
			if !released(freed) || len(s.spare) != 1 {
				t.Errorf("released %v, free numbers %v", released(freed), s.spare)
			}
			if c.err != nil && s.peer(1).credit != s.window {
				t.Errorf("credit %d of %d", s.peer(1).credit, s.window)
			}
		})
	}
}

// A message that a matched probe took is received also from a context that is
// being freed, which lasts until then.
func TestProbedMessagesOutliveFree(t *testing.T) {
	s := newStand(t)
	c := s.context(t)
	s.bind(1, 1, c.ID())
	s.deliver(1, wire.Header{Kind: wire.Eager, Context: 1, Source: 1, Bytes: 2}, 4, 5)
	m, err := s.Take(c, wire.User, 1, 0)
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	c.Free()
	if released(c) {
		t.Fatal("released before the message is received")
	}
	buf := make([]byte, 2)
	r, err := s.Imrecv(m, &Envelope{Buf: layout.Of(buf)})
	if err != nil {
		t.Fatal(err)
	}
	if _, done, err := s.Test(r); !done || err != nil || buf[1] != 5 {
		t.Errorf("done %v, error %v, got %v", done, err, buf)
	}
	if !released(c) {
		t.Error("not released")
	}
	if _, err := s.Imrecv(m, &Envelope{}); !errors.Is(err, ErrStale) {
		t.Errorf("received twice: %v", err)
	}
}

// Parts of a message may come in any order, as they may take different roads.
func TestBulkInAnyOrder(t *testing.T) {
	s := newStand(t)
	buf := make([]byte, 5)
	op := s.granted(buf)
	for _, at := range []uint64{4, 1, 0, 3, 2} {
		if s.Stats().Unexpected != 0 || s.op(op).phase != arriving {
			t.Fatalf("complete before byte %d", at)
		}
		s.deliver(1, wire.Header{Kind: wire.Bulk, ID: op, Arg: at, Bytes: 1}, byte(10+at))
	}
	if string(buf) != "\x0a\x0b\x0c\x0d\x0e" || s.op(op).phase != complete || len(s.lost) != 0 {
		t.Errorf("got % x, lost %v", buf, s.lost)
	}
}

// A context that is held is freed only when the last holder lets it go, and until then
// operations begin on it and messages come.
func TestHeldContextsOutliveFree(t *testing.T) {
	s := newStand(t)
	c := s.context(t)
	s.bind(1, 1, c.ID())
	c.Hold()
	c.Hold()
	c.Free()
	c.Unhold()
	if released(c) {
		t.Fatal("released while it is held")
	}
	if _, err := s.Isend(&Envelope{Context: c, Peer: 1}); err != nil {
		t.Errorf("send on a held context: %v", err)
	}
	s.deliver(1, wire.Header{Kind: wire.Eager, Context: 1, Source: 1})
	if s.stats.Dropped != 0 {
		t.Error("a message to a held context was dropped")
	}
	c.Unhold()
	if !released(c) {
		t.Error("not released")
	}
	if _, err := s.Isend(&Envelope{Context: c, Peer: 1}); !errors.Is(err, ErrFreed) {
		t.Errorf("send on a freed context: got %v, want ErrFreed", err)
	}
	if s.stats.Dropped != 1 {
		t.Errorf("dropped %d messages, want 1", s.stats.Dropped)
	}
	d := s.context(t)
	d.Hold()
	d.Unhold()
	if released(d) {
		t.Error("Unhold frees what nobody has freed")
	}
}
