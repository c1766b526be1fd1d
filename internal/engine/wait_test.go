package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/transport"
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
		go func() {
			_, err := s.Recv(t.Context(), &Envelope{Context: s.world, Peer: 1, What: record.OpRecv, Tag: 4})
			done <- err
		}()
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
		// Frames of this package are Muster's own: the first that is not is the
		// start of the goroutine.
		if site := blocked[0].Site; !strings.HasPrefix(site, "asm_") || strings.Contains(site, "engine") {
			t.Errorf("site %q", site)
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

// fakePoller is a link that the waiting thread drives: after some polls it
// delivers a message. It always says that there is work, and mostly there is
// none.
type fakePoller struct {
	stand *stand
	after int // polls until then; negative: never
	polls int
	calls []string // Doze and Rouse
	news  bool     // what Doze says
	head  wire.Header
}

func (p *fakePoller) Send(int, *wire.Header, layout.Buffer, uint64) (transport.Result, error) {
	return transport.Taken, nil
}
func (p *fakePoller) Close() error { return nil }

func (p *fakePoller) Ready() bool { return true }
func (p *fakePoller) Rouse()      { p.calls = append(p.calls, "rouse") }
func (p *fakePoller) Doze() bool {
	p.calls = append(p.calls, "doze")
	return p.news
}

func (p *fakePoller) Poll(h transport.Handler) bool {
	p.polls++
	if p.polls != p.after {
		return false
	}
	p.head = eager(1, 0)
	h.Deliver(1, &p.head, layout.Buffer{})
	return true
}

// steppingClock moves on by a microsecond whenever somebody looks.
type steppingClock struct {
	SystemClock
	now   time.Time
	looks int
}

func (c *steppingClock) Now() time.Time {
	c.looks++
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func newPolled(t testing.TB, crowded bool) (*stand, *fakePoller, *steppingClock) {
	s := newStand(t)
	p := &fakePoller{stand: s, after: -1}
	clock := &steppingClock{now: time.Unix(1, 0)}
	s.cfg.Crowded, s.cfg.Clock = crowded, clock
	s.pollers = []transport.Poller{p}
	return s, p, clock
}

// Who waits polls for as long as the policy says, then has the links ring, and
// parks without polling again.
func TestWaitPollsBeforeItParks(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		limit := spinFor
		if crowded {
			limit = crowdFor
		}
		for name, wait := range map[string]func(*stand) error{
			"Wait":    func(s *stand) error { _, err := s.Wait(context.Background(), s.irecv(1, nil)); return err },
			"WaitAny": func(s *stand) error { _, _, err := s.WaitAny(context.Background(), []Ref{s.irecv(1, nil)}); return err },
			"Recv": func(s *stand) error {
				_, err := s.Recv(context.Background(), &Envelope{Context: s.world, Peer: 1})
				return err
			},
			"Probe": func(s *stand) error {
				_, _, err := s.Probe(context.Background(), &Envelope{Context: s.world, Peer: 1}, true)
				return err
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				s, p, clock := newPolled(t, crowded)
				polls := 0
				go func() {
					synctest.Wait() // until the waiter has parked
					polls = p.polls
					s.deliver(1, eager(1, 0))
				}()
				if err := wait(s); err != nil {
					t.Error(err)
				}
				if looks := time.Duration(clock.looks) * time.Microsecond; looks < limit || looks > limit+10*time.Microsecond {
					t.Errorf("crowded %t: %s parks after %d looks at the clock, want about %d", crowded, name, clock.looks, limit/time.Microsecond)
				}
				if polls != p.polls || polls < clock.looks {
					t.Errorf("crowded %t: %s polls %d times and %d after it has parked", crowded, name, polls, p.polls-polls)
				}
				if got := fmt.Sprint(p.calls); got != "[doze]" {
					t.Errorf("crowded %t: %s: the links were told %s, want to ring", crowded, name, got)
				}
			})
		}
	}
}

// A message that comes with a poll is received by the thread that polls,
// without a goroutine switch and without allocating.
func TestPolledReceiveDoesNotParkOrAllocate(t *testing.T) {
	s, p, _ := newPolled(t, false)
	env := &Envelope{Context: s.world, Peer: 1}
	recv := func() {
		p.polls, p.after = 0, 3
		if _, err := s.Recv(context.Background(), env); err != nil {
			t.Fatal(err)
		}
		if p.polls != 3 {
			t.Fatalf("%d polls, want 3", p.polls)
		}
	}
	if n := testing.AllocsPerRun(1000, recv); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if s.stamper.timer != nil {
		t.Error("it has parked")
	}
}

// What comes while a rank computes is delivered by the tick, after which the
// links ring: Wake delivers then, and a call that waits ends that.
func TestLinksAreLookedAtWhileNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := newPolled(t, false)
		r := s.irecv(1, nil)
		if _, done, err := s.Test(r); done || err != nil {
			t.Fatalf("done %t, %v", done, err)
		}
		s.mu.Lock()
		s.rouse()
		p.after = p.polls + 1
		s.mu.Unlock()
		time.Sleep(3 * tickEvery)
		synctest.Wait()
		if _, done, err := s.Peek(r); !done || err != nil {
			t.Errorf("after the tick: done %t, %v", done, err)
		}
		if got := fmt.Sprint(p.calls); got != "[rouse doze]" {
			t.Errorf("the links were told %s", got)
		}
		polls := p.polls
		time.Sleep(time.Hour)
		if p.polls != polls {
			t.Errorf("%d polls in an hour of silence", p.polls-polls)
		}
		s.Release(r)
		r = s.irecv(1, nil)
		p.after = p.polls + 1
		s.Wake()
		if _, done, err := s.Peek(r); !done || err != nil {
			t.Errorf("after the bell: done %t, %v", done, err)
		}
		s.Release(r)
	})
}

// A ring that is lost costs a tenth of a second and no more.
func TestLostRingIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := newPolled(t, false)
		go func() {
			synctest.Wait()
			s.mu.Lock()
			p.after = p.polls + 1
			s.mu.Unlock()
		}()
		begin := time.Now()
		if _, err := s.Recv(t.Context(), &Envelope{Context: s.world, Peer: 1}); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d > recheckEvery {
			t.Errorf("received after %v", d)
		}
	})
}

// News that comes while the links are told to ring is not slept over.
func TestNewsAtTheLastMomentIsSeen(t *testing.T) {
	s, p, _ := newPolled(t, false)
	s.mu.Lock()
	p.news = true
	slept := s.doze()
	s.mu.Unlock()
	if got := fmt.Sprint(p.calls); slept || s.dozing || got != "[doze rouse]" {
		t.Errorf("dozing %t %t, the links were told %s", slept, s.dozing, got)
	}
}

// Links ring from the start, or are looked at: a program may never poll.
func TestLinksRingBeforeTheFirstPoll(t *testing.T) {
	for _, news := range []bool{false, true} {
		e, p := New(Config{Size: 2}), &fakePoller{news: news}
		e.Start(func(int) transport.Conn { return p }, p)
		e.mu.Lock()
		if e.dozing == news || e.ticker.armed != news {
			t.Errorf("news %t: dozing %t, ticker armed %t", news, e.dozing, e.ticker.armed)
		}
		e.mu.Unlock()
		e.Close(ErrClosed)
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
