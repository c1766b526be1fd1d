package engine

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// A history forgets nothing that is past, is certain of nothing that is not, and
// takes none to be past that is newer than its recent ones. Its twin remembers all.
func TestHistoryRemembersWhatIsPast(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var h history
		past := make(map[uint64]bool)
		top := uint64(0)
		for range 400 {
			// Nearly in order, with gaps, and a few that come late.
			top += uint64(1 + rng.IntN(3))
			n := top
			if rng.IntN(5) == 0 {
				n = rng.Uint64N(top + 1)
			}
			if !past[n] {
				h.add(n)
				past[n] = true
			}
		}
		if len(h.recent) > maxRecent {
			t.Fatalf("seed %d: %d ranges", seed, len(h.recent))
		}
		for n := range top + 10 {
			got, certain := h.has(n)
			if past[n] && !got || certain && !past[n] || got && !certain && n >= h.floor {
				t.Fatalf("seed %d: counter %d: past %v, certain %v, want past %v; floor %d", seed, n, got, certain, past[n], h.floor)
			}
		}
	}
}

// longPast returns the id of a context between others, of which more have been
// freed since than a history remembers.
func (s *stand) longPast(t *testing.T, of func(counter uint64) ContextID) ContextID {
	t.Helper()
	for k := range uint64(3 * maxRecent) {
		c, err := s.NewContext(of(2*k), wholeWorld(3), 0)
		if err != nil {
			t.Fatal(err)
		}
		c.Free()
	}
	return of(3)
}

// What is remembered of freed contexts is bounded, however many there were and
// whichever their maker's others went to.
func TestRetiredContextsDoNotGrow(t *testing.T) {
	s := newStand(t)
	for _, of := range []func(uint64) ContextID{
		func(n uint64) ContextID { return ContextID{Leader: 1, Counter: n} },
		func(n uint64) ContextID { return ContextID{Leader: 1, Counter: n}.Side() },
		func(n uint64) ContextID { return ContextID{Leader: 2, Counter: n} },
	} {
		s.longPast(t, of)
	}
	if len(s.retired) != 3 || len(s.contexts) != 1 {
		t.Errorf("%d makers, want 3; %d contexts, want the world", len(s.retired), len(s.contexts))
	}
	for by, h := range s.retired {
		if len(h.recent) > maxRecent {
			t.Errorf("%+v: %d ranges, want at most %d", by, len(h.recent), maxRecent)
		}
	}
}

// A message for a context that may be long past is refused at once if this rank
// makes none now. Otherwise it waits: it is received if the context is made, and
// else refused, and nothing remains.
func TestMessagesForContextsInDoubt(t *testing.T) {
	for _, test := range []struct {
		name           string
		creating, made bool
	}{{"none being made", false, false}, {"another being made", true, false}, {"this being made", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			s := newStand(t)
			id := s.longPast(t, func(n uint64) ContextID { return ContextID{Leader: 1, Counter: n} })
			if test.creating {
				s.BeginCreation()
				s.BeginCreation()
				s.EndCreation()
			}
			s.bind(1, 1, id)
			s.deliver(1, wire.Header{Kind: wire.Eager, Context: 1, Source: 1, Bytes: 1, ID: 9, Flags: wire.FlagSync}, 42)
			refused := func() bool {
				f := s.last(1, wire.Withdrawn)
				return f.h.ID == 9 && f.h.Arg == withdrawnFreed
			}
			if refused() == test.creating {
				t.Fatalf("refused %v", refused())
			}
			var c *Context
			if test.made {
				var err error
				if c, err = s.NewContext(id, wholeWorld(3), 0); err != nil {
					t.Fatal(err)
				}
			}
			if test.creating {
				s.EndCreation()
			}
			if refused() == test.made {
				t.Errorf("refused %v in the end", refused())
			}
			if test.made {
				buf := make([]byte, 1)
				if _, err := s.Recv(t.Context(), &Envelope{Context: c, Peer: 1, Buf: layout.Of(buf)}); err != nil || buf[0] != 42 {
					t.Errorf("received %v, %v", buf, err)
				}
				c.Free()
			} else if _, err := s.NewContext(id, wholeWorld(3), 0); !errors.Is(err, ErrProtocol) {
				t.Errorf("made after it was refused: %v", err)
			}
			s.deliver(1, wire.Header{Kind: wire.Unbind, Context: 1})
			if len(s.contexts) != 1 || s.doubts != 0 || s.Stats().Unexpected != 0 || len(s.lost) != 0 {
				t.Errorf("%d contexts, %d doubts, %+v, lost %v", len(s.contexts), s.doubts, s.Stats(), s.lost)
			}
		})
	}
}
