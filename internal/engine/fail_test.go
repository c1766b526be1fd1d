package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// pending starts one operation of every kind that needs rank 1, and returns
// them by name. The links are Full at the end.
func pending(s *stand) map[string]Ref {
	refs := make(map[string]Ref)
	refs["receive"] = s.irecv(1, make([]byte, 8))
	refs["receive from any source"] = s.irecv(int(match.AnySource), make([]byte, 8))
	refs["synchronous send, small"] = s.isend(1, Synchronous, 8)
	refs["synchronous send, large"] = s.isend(1, Synchronous, 100)
	refs["standard send, large"] = s.isend(1, Standard, 100)
	refs["ready send"] = s.isend(1, Ready, 8)

	refs["receive under way"] = s.irecvTag(1, 5, make([]byte, 8))
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, Tag: 5, ID: 70, Bytes: 8})
	s.deliver(1, wire.Header{Kind: wire.Bulk, ID: s.last(1, wire.Grant).h.Arg, Bytes: 3}, 1, 2, 3)

	s.chunk = 60
	refs["send half on the link"] = s.isend(1, Standard, 100)
	half := s.last(1, wire.Offer).h.ID
	s.full = true
	s.deliver(1, wire.Header{Kind: wire.Grant, ID: half, Arg: 9, Bytes: 100})
	refs["queued send"] = s.isend(1, Standard, 8)
	refs["queued offer"] = s.isend(1, Standard, 100)
	refs["queued synchronous send"] = s.isend(1, Synchronous, 8)
	return refs
}

func (s *stand) irecvTag(source int, tag int64, buf []byte) Ref {
	// The wildcards of pending were posted first and would take the offer.
	c, err := s.NewContext(s.NextID(), wholeWorld(3), 0)
	if err != nil {
		panic(err)
	}
	s.bind(1, c.number, c.id)
	r, err := s.Irecv(&Envelope{Context: c, Peer: source, Tag: tag, Buf: layout.Of(buf)})
	if err != nil {
		panic(err)
	}
	return r
}

func checkAll(t *testing.T, s *stand, refs map[string]Ref, check func(error) bool) {
	t.Helper()
	for name, r := range refs {
		_, done, err := s.Test(r)
		if !done || !check(err) {
			t.Errorf("%s: done %v, error %v", name, done, err)
		}
		if _, _, err := s.Test(r); !errors.Is(err, ErrStale) {
			t.Errorf("%s completes twice: %v", name, err)
		}
	}
	if len(s.free) != len(s.ops) {
		t.Errorf("%d of %d operations are back in the pool", len(s.free), len(s.ops))
	}
}

var errGone = errors.New("gone for the test")

// When a rank is given up every operation that needs it ends with a
// FailedError, once, and new ones are refused with it.
func TestFailEndsWhatNeedsTheRank(t *testing.T) {
	s := newStand(t)
	refs := pending(s)
	other := s.irecv(2, make([]byte, 8))
	isFailed := func(err error) bool {
		var f *FailedError
		return errors.As(err, &f) && f.World == 1 && errors.Is(err, ErrFailed) && errors.Is(err, errGone)
	}
	s.Fail(1, errGone)
	checkOther := func() {
		s.deliver(2, eager(2, 1), 1)
		if _, done, err := s.Test(other); !done || err != nil {
			t.Errorf("a receive from another rank: %v, %v", done, err)
		}
	}
	checkOther()
	checkAll(t, s, refs, isFailed)
	if _, err := s.Isend(&Envelope{Context: s.world, Peer: 1}); !isFailed(err) {
		t.Errorf("send to the failed rank: %v", err)
	}
	for _, source := range []int{1, int(match.AnySource)} {
		if _, err := s.Recv(context.Background(), &Envelope{Context: s.world, Peer: source, Tag: match.AnyTag}); !isFailed(err) {
			t.Errorf("receive from %d: %v", source, err)
		}
		if _, _, err := s.Probe(context.Background(), &Envelope{Context: s.world, Peer: source, Tag: match.AnyTag}, false); !isFailed(err) {
			t.Errorf("probe of %d: %v", source, err)
		}
	}
	if err := s.Post(1, wire.Header{Kind: wire.FirstUser}, layout.Buffer{}); !isFailed(err) {
		t.Errorf("frame to the failed rank: %v", err)
	}
}

// Close ends everything with its cause.
func TestCloseEndsEverything(t *testing.T) {
	s := newStand(t)
	refs := pending(s)
	ext, finish := s.External(record.OpLeave, 1)
	refs["generalized request"] = ext
	s.Engine.Close(errGone)
	finish(Status{}, nil)
	is := func(err error) bool { return errors.Is(err, errGone) }
	checkAll(t, s, refs, is)
	if _, err := s.Isend(&Envelope{Context: s.world, Peer: 1}); !is(err) {
		t.Errorf("send: %v", err)
	}
	if _, err := s.Irecv(&Envelope{Context: s.world, Peer: 1}); !is(err) {
		t.Errorf("receive: %v", err)
	}
	if _, err := s.NewContext(s.NextID(), wholeWorld(3), 0); !is(err) {
		t.Errorf("context: %v", err)
	}
	if err := s.Drain(context.Background()); !is(err) {
		t.Errorf("drain: %v", err)
	}
}

// A send whose buffer a link still reads ends only when the link lets go.
func TestFailWaitsForHeldBuffers(t *testing.T) {
	for _, how := range []string{"sent", "lost"} {
		t.Run(how, func(t *testing.T) {
			s := newStand(t)
			s.hold = true
			r := s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Arg: 9, Bytes: 100})
			s.Fail(1, errGone)
			if _, done, _ := s.Test(r); done {
				t.Fatal("complete while the link reads the buffer")
			}
			if how == "sent" {
				s.Sent(1, s.last(1, wire.Bulk).token)
			} else {
				s.Lost(1, errCut)
			}
			if _, done, err := s.Test(r); !done || !errors.Is(err, ErrFailed) {
				t.Fatalf("done %v, error %v", done, err)
			}
		})
	}
}

// A message whose payload a failed rank has kept is not to be had any more;
// one that is here is.
func TestMessagesOfFailedRanks(t *testing.T) {
	s := newStand(t)
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, Tag: 3, ID: 5, Bytes: 100})
	probed, err := s.Take(s.world, wire.User, 1, 3)
	if err != nil || probed == nil {
		t.Fatal(probed, err)
	}
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, Tag: 1, ID: 6, Bytes: 100})
	s.deliver(1, wire.Header{Kind: wire.Eager, Source: 1, Tag: 2, Bytes: 1}, 9)
	s.Fail(1, errGone)
	recv := func(tag int64) error {
		_, err := s.Recv(context.Background(), &Envelope{Context: s.world, Peer: 1, Tag: tag, Buf: layout.Of(make([]byte, 100))})
		return err
	}
	if err := recv(1); !errors.Is(err, ErrFailed) {
		t.Errorf("receive of the offer: %v", err)
	}
	if err := recv(2); err != nil {
		t.Errorf("receive of the eager message: %v", err)
	}
	if _, err := s.Mrecv(context.Background(), probed, &Envelope{Buf: layout.Of(make([]byte, 100))}); !errors.Is(err, ErrFailed) {
		t.Errorf("receive of the probed offer: %v", err)
	}
	if st := s.Stats(); st.Unexpected != 0 {
		t.Errorf("%+v", st)
	}
}

// Those who wait hear of the failure: a receive, a probe and Drain.
func TestFailWakesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.deliver(1, eager(1, 0)) // a peer to part from
		env := func() *Envelope { return &Envelope{Context: s.world, Peer: 1, Tag: 7} }
		errs := make(chan error)
		go func() { _, err := s.Recv(context.Background(), env()); errs <- err }()
		go func() { _, _, err := s.Probe(context.Background(), env(), true); errs <- err }()
		go func() {
			err := s.Drain(context.Background())
			if err == nil {
				err = ErrFailed // Drain does not need it
			}
			errs <- err
		}()
		synctest.Wait()
		s.Fail(1, errGone)
		for range 3 {
			if err := <-errs; !errors.Is(err, ErrFailed) {
				t.Error(err)
			}
		}
	})
}

// An operation that is being copied into is completed by the copier: Fail and
// Close leave it alone.
func TestOperationsMidCopyAreLeftToTheCopier(t *testing.T) {
	for name, end := range map[string]func(*stand){
		"fail":  func(s *stand) { s.Fail(1, errGone) },
		"close": func(s *stand) { s.Engine.Close(errGone) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			r := s.irecv(1, make([]byte, 4))
			s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, ID: 70, Bytes: 4})
			s.mu.Lock()
			r.op.copying = true
			s.mu.Unlock()
			end(s)
			if _, done, _ := s.Test(r); done {
				t.Fatal("complete while it is being written to")
			}
		})
	}
}

// What is answered before there are links is sent with Start.
func TestAnswersBeforeStartAreKept(t *testing.T) {
	e := New(Config{Size: 2})
	e.Deliver(1, &wire.Header{Kind: wire.Withdraw, ID: 4}, layout.Buffer{})
	e.Idle()
	s := &stand{Engine: e}
	e.Start(func(int) transport.Conn { return s })
	if f := s.last(1, wire.Withdrawn); f.h.ID != 4 {
		t.Fatalf("sent: %+v", s.sent)
	}
}

// A send whose buffer the link is reading in this moment is left to end by who
// called the link.
func TestFailLeavesSendsToTheirSender(t *testing.T) {
	for _, mode := range []Mode{Standard, Synchronous} {
		s := newStand(t)
		s.full = true
		r := s.isend(1, mode, 8)
		s.full = false
		calls := 0
		s.during = func(*wire.Header) {
			calls++
			s.Fail(1, errGone)
			if _, done, _ := s.Peek(r); done {
				t.Errorf("mode %d: complete while the link reads the buffer", mode)
			}
		}
		s.Writable(1)
		s.Idle()
		_, done, err := s.Test(r)
		if calls != 1 || !done || (err != nil) != (mode == Synchronous) {
			t.Errorf("mode %d: %d sends, done %v, error %v", mode, calls, done, err)
		}
	}
}
