package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// countingClock counts the timers it is asked for.
type countingClock struct {
	SystemClock
	armed atomic.Int32
}

type countingTimer struct {
	Timer
	clock *countingClock
}

func (c *countingClock) AfterFunc(d time.Duration, f func()) Timer {
	c.armed.Add(1)
	return countingTimer{c.SystemClock.AfterFunc(d, f), c}
}

func (t countingTimer) Reset(d time.Duration) bool {
	t.clock.armed.Add(1)
	return t.Timer.Reset(d)
}

// A receive that has slept for a millisecond is on record as blocked, with the
// time and the place of the call; after that no timer runs.
func TestBlockedOperationsAreStamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := new(countingClock)
		s := newStand(t)
		s.cfg.Clock = clock
		begin := time.Now()
		done := make(chan error)
		var program sync.Once // its frame stands for the program's
		go program.Do(func() {
			_, err := s.Recv(t.Context(), &Envelope{Context: s.world, Peer: 1, What: record.OpRecv, Tag: 4})
			done <- err
		})
		synctest.Wait()
		if n := len(s.Records().Reader().Blocked()); n != 0 {
			t.Fatalf("%d operations are blocked at once", n)
		}
		time.Sleep(3 * time.Millisecond)
		synctest.Wait()
		blocked := s.Records().Reader().Blocked()
		if len(blocked) != 1 || blocked[0].Op != record.OpRecv || blocked[0].Peer != 1 || blocked[0].Tag != 4 {
			t.Fatalf("blocked: %v", blocked)
		}
		if b := blocked[0]; b.Start.Before(begin.Add(stampAfter)) || b.Start.After(begin.Add(2*stampAfter)) {
			t.Errorf("stamped after %v", b.Start.Sub(begin))
		}
		// Frames of this package are Muster's own.
		if site := blocked[0].Site; !strings.HasPrefix(site, "once.go:") {
			t.Errorf("site %q, want the line of once.go that called", site)
		}
		armed := clock.armed.Load()
		time.Sleep(time.Hour)
		if n := clock.armed.Load(); n != armed {
			t.Errorf("%d more timers in an hour of waiting", n-armed)
		}
		s.deliver(1, wire.Header{Kind: wire.Eager, Source: 1, Tag: 4})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if b := s.Records().Reader().Blocked(); len(b) != 0 {
			t.Errorf("still blocked: %v", b)
		}
	})
}

// A rank sleeps as long as a call of its sleeps, however many do at once.
func TestSleepIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		slept := func() time.Duration { return s.Records().Reader().Slept(time.Now()) }
		var all sync.WaitGroup
		for range 2 {
			r := s.irecv(1, nil)
			all.Go(func() { s.Wait(t.Context(), r) })
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if got := slept(); got != time.Second {
			t.Errorf("two calls have slept %v, want 1s", got)
		}
		s.deliver(1, eager(1, 0))
		s.deliver(1, eager(1, 0))
		all.Wait()
		time.Sleep(time.Minute)
		if got := slept(); got != time.Second {
			t.Errorf("after a minute awake: slept %v, want 1s", got)
		}
	})
}

// Waits much shorter than a millisecond are not stamped, however many, and a
// rank that does not wait has no timer.
func TestShortWaitsAreNotStamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := new(countingClock)
		s := newStand(t)
		s.cfg.Clock = clock
		for range 100 {
			r := s.irecv(1, nil)
			go func() {
				time.Sleep(100 * time.Microsecond)
				s.deliver(1, eager(1, 0))
			}()
			if _, err := s.Wait(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			for _, rec := range s.Records().Reader().Last(10) {
				if !rec.Start.IsZero() {
					t.Fatalf("stamped: %v", rec)
				}
			}
		}
		if n := clock.armed.Load(); n > 12 {
			t.Errorf("%d timers for 10 ms of short waits", n)
		}
		time.Sleep(10 * time.Millisecond)
		armed := clock.armed.Load()
		time.Sleep(time.Hour)
		if n := clock.armed.Load(); n != armed {
			t.Errorf("%d timers while nobody waits", n-armed)
		}
	})
}

// A request outlives the context of a Wait; a blocking call does not, and its
// buffer is free when it returns.
func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errGone)
		defer cancel()
		r := s.irecv(1, make([]byte, 1))
		if _, err := s.Wait(ctx, r); !errors.Is(err, errGone) {
			t.Errorf("Wait: %v", err)
		}
		s.deliver(1, eager(1, 1), 1)
		if st, err := s.Wait(t.Context(), r); err != nil || st.Bytes != 1 {
			t.Errorf("the request after it: %+v, %v", st, err)
		}
		for name, call := range map[string]func() error{
			"Recv": func() error {
				_, err := s.Recv(ctx, &Envelope{Context: s.world, Peer: 1})
				return err
			},
			"Probe": func() error {
				_, _, err := s.Probe(ctx, &Envelope{Context: s.world, Peer: 1}, true)
				return err
			},
		} {
			if err := call(); !errors.Is(err, ErrCancelled) || !errors.Is(err, errGone) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(s.free) != len(s.ops) {
			t.Error("an operation is left")
		}
	})
}

// A blocking send whose context ends is taken back from its peer, or succeeds
// if the peer has matched it already.
func TestContextEndsASend(t *testing.T) {
	for _, matched := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStand(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error)
			go func() {
				done <- s.Engine.Send(ctx, &Envelope{Context: s.world, Peer: 1, Mode: Synchronous})
			}()
			synctest.Wait()
			cancel(errGone)
			synctest.Wait()
			id := s.last(1, wire.Withdraw).h.ID
			if id == 0 || id != s.last(1, wire.Eager).h.ID {
				t.Fatalf("sent: %+v", s.sent)
			}
			if matched {
				s.deliver(1, wire.Header{Kind: wire.Ack, ID: id})
				s.deliver(1, wire.Header{Kind: wire.Withdrawn, ID: id, Arg: withdrawnMatched})
			} else {
				s.deliver(1, wire.Header{Kind: wire.Withdrawn, ID: id, Arg: withdrawnGone})
			}
			err := <-done
			if matched && err != nil || !matched && !(errors.Is(err, ErrCancelled) && errors.Is(err, errGone)) {
				t.Errorf("matched %v: %v", matched, err)
			}
		})
	}
}

// Of several complete requests each is chosen in its turn.
func TestWaitAnyStarvesNone(t *testing.T) {
	s := newStand(t)
	const n = 4
	chosen := make([]int, n)
	refs := make([]Ref, n)
	for i := range refs {
		refs[i] = s.Completed(nil, Status{})
	}
	for range 100 * n {
		i, _, err := s.WaitAny(context.Background(), refs)
		if err != nil {
			t.Fatal(err)
		}
		chosen[i]++
		refs[i] = s.Completed(nil, Status{})
	}
	for i, k := range chosen {
		if k < 50 {
			t.Errorf("request %d was chosen %d times of %d: %v", i, k, 100*n, chosen)
		}
	}
	if i, st, err := s.WaitAny(context.Background(), []Ref{{}, {}}); i != -1 || st != EmptyStatus || err != nil {
		t.Errorf("null requests only: %d, %+v, %v", i, st, err)
	}
}

// Two goroutines cannot wait for one request; who waited first gets it.
func TestOneWaiterPerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		r := s.irecv(1, nil)
		done := make(chan error)
		go func() { _, err := s.Wait(context.Background(), r); done <- err }()
		synctest.Wait()
		calls := map[string]func() error{
			"Wait":    func() error { _, err := s.Wait(context.Background(), r); return err },
			"WaitAny": func() error { _, _, err := s.WaitAny(context.Background(), []Ref{r}); return err },
			"Then":    func() error { return s.Then(r, func(Status, error) {}) },
			"Release": func() error { return s.Release(r) },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, ErrConcurrent) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.deliver(1, eager(1, 0)) // the waiter has not run yet
		calls["Test"] = func() error { _, _, err := s.Test(r); return err }
		for name, call := range calls {
			if err := call(); !errors.Is(err, ErrConcurrent) && !errors.Is(err, ErrStale) {
				t.Errorf("%s once complete: %v", name, err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := s.Wait(context.Background(), r); !errors.Is(err, ErrStale) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// Done is closed with completion, Then gets what Wait would, Release drops it.
func TestDoneThenRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		for _, before := range []bool{true, false} {
			complete := func(want bool) {
				if want == before {
					s.deliver(1, eager(1, 3), 1, 2, 3)
				}
			}
			r := s.irecv(1, make([]byte, 3))
			complete(true)
			ch := s.Done(r)
			complete(false)
			<-ch
			if st, done, err := s.Peek(r); !done || err != nil || st.Bytes != 3 {
				t.Errorf("Peek: %+v, %v, %v", st, done, err)
			}
			if _, err := s.Wait(t.Context(), r); err != nil {
				t.Errorf("Wait after Done: %v", err)
			}

			r = s.irecv(1, make([]byte, 3))
			got := make(chan Status, 2)
			complete(true)
			if err := s.Then(r, func(st Status, err error) { got <- st }); err != nil {
				t.Error(err)
			}
			complete(false)
			if st := <-got; st.Bytes != 3 || st.Source != 1 {
				t.Errorf("Then: %+v", st)
			}
			synctest.Wait()
			if len(got) != 0 {
				t.Error("called twice")
			}

			r = s.irecv(1, make([]byte, 3))
			complete(true)
			if err := s.Release(r); err != nil {
				t.Error(err)
			}
			complete(false)
			if _, _, err := s.Test(r); !errors.Is(err, ErrStale) {
				t.Errorf("after Release: %v", err)
			}
		}
		if len(s.free) != len(s.ops) {
			t.Errorf("%d of %d operations are back in the pool", len(s.free), len(s.ops))
		}
	})
}
