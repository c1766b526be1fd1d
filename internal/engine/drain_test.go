package engine

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// Drain ends with the second Bye of each peer, and not before the link has taken
// this rank's own: without it the peer could not leave.
func TestDrainWaitsForByesBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.deliver(1, eager(1, 0))
		s.full = true
		done := make(chan error, 1)
		go func() { done <- s.Drain(context.Background()) }()
		waits := func(why string) {
			t.Helper()
			synctest.Wait()
			if len(done) != 0 {
				t.Fatalf("Drain returns %s", why)
			}
		}
		waits("at once")
		s.deliver(1, wire.Header{Kind: wire.Bye, Arg: firstBye})
		waits("after the first Bye")
		s.deliver(1, wire.Header{Kind: wire.Bye, Arg: lastBye})
		waits("while the link has not taken its own Byes")
		s.full = false
		s.Writable(1)
		s.Idle()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		s.Lost(1, errCut)
		if len(s.lost) != 0 {
			t.Errorf("a rank that has left is lost: %v", s.lost)
		}
	})
}

// A rank that never spoke to anybody leaves at once; a context ends the wait.
func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		if err := s.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		s.deliver(1, eager(1, 0))
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errGone)
		if err := s.Drain(ctx); err != errGone {
			t.Errorf("error %v", err)
		}
	})
}

// What nobody completed is listed once, with its count.
func TestLeftoversAreCounted(t *testing.T) {
	s := newStand(t)
	s.irecv(2, make([]byte, 3))
	s.irecv(2, make([]byte, 3))
	s.deliver(1, eager(1, 5), 1, 2, 3, 4, 5)
	s.isend(1, Standard, 7)   // complete, never waited for
	s.isend(1, Standard, 100) // an offer: its receiver counts it
	got := make(map[Leftover]bool)
	for _, l := range s.Leftovers() {
		got[l] = true
	}
	want := []Leftover{
		{Kind: LeftRecv, Context: s.world, Source: 2, Dest: 0, Tag: match.AnyTag, Bytes: 3, Count: 2},
		{Kind: LeftSend, Context: s.world, Source: 1, Dest: 0, Bytes: 5, Count: 1},
		{Kind: LeftRequest, Context: s.world, Source: 0, Dest: 1, Bytes: 7, Count: 1},
	}
	for _, l := range want {
		if !got[l] {
			t.Errorf("missing %+v", l)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %+v", got)
	}
}

// Frames of other users' kinds go to their handler and come from Post.
func TestUserKindsHaveHandlers(t *testing.T) {
	s := newStand(t)
	var got []byte
	s.Handle(wire.FirstUser, func(peer int, h *wire.Header, payload layout.Buffer) {
		got = append(clone(payload), byte(peer), byte(h.Arg))
	})
	s.deliver(1, wire.Header{Kind: wire.FirstUser, Arg: 5}, 7)
	if string(got) != "\x07\x01\x05" {
		t.Errorf("got % x", got)
	}
	if err := s.Post(2, wire.Header{Kind: wire.FirstUser, Arg: 6}, layout.Of([]byte{8})); err != nil {
		t.Fatal(err)
	}
	if f := s.last(2, wire.FirstUser); f.h.Arg != 6 || string(f.payload) != "\x08" {
		t.Errorf("sent %+v", f)
	}
	if err := s.Post(2, wire.Header{Kind: wire.Eager}, layout.Buffer{}); err == nil {
		t.Error("a kind of the engine's own goes through")
	}
}
