package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

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
