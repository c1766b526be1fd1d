package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

var violations = []struct {
	name string
	do   func(s *stand)
}{
	{"kind 0", func(s *stand) { s.deliver(1, wire.Header{}) }},
	{"more frames of users without handler than are kept", func(s *stand) {
		for range maxEarly + 1 {
			s.deliver(1, wire.Header{Kind: 99})
		}
	}},
	{"a large frame of a user without handler", func(s *stand) {
		s.deliver(1, wire.Header{Kind: 99}, make([]byte, maxEarlyBytes+1)...)
	}},

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

// A frame that comes before the handler of its kind is kept for it.
func TestHandlersGetWhatCameBeforeThem(t *testing.T) {
	s := newStand(t)
	s.deliver(1, wire.Header{Kind: 99, Arg: 7}, 1, 2, 3)
	var got []byte
	s.Handle(99, func(peer int, h *wire.Header, payload layout.Buffer) {
		got = append(got, byte(peer), byte(h.Arg), byte(payload.Len()))
	})
	s.deliver(1, wire.Header{Kind: 99, Arg: 8})
	if want := []byte{1, 7, 3, 1, 8, 0}; !bytes.Equal(got, want) || len(s.lost[1]) != 0 {
		t.Errorf("got %v, lost %v, want %v", got, s.lost, want)
	}
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

// A rank of the world outside a group that numbers its ranks as the world does
// cannot speak in it.
func TestOutsiderOfASmallerGroupIsNotHeard(t *testing.T) {
	s := newStand(t)
	id := ContextID{Counter: 1}
	if _, err := s.NewContext(id, wholeWorld(2), 0); err != nil {
		t.Fatal(err)
	}
	s.bind(2, 1, id)
	s.deliver(2, wire.Header{Kind: wire.Eager, Context: 1, Source: 2})
	if len(s.lost[2]) != 1 || !errors.Is(s.lost[2][0], ErrProtocol) {
		t.Errorf("lost: %v, want rank 2 for ErrProtocol", s.lost)
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
