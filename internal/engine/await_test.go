package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// eventual is ready once ready is.
type eventual struct{ ready bool }

func (a *eventual) Ready() bool         { return a.ready }
func (a *eventual) Sleep(time.Duration) {}

// What has come about counts, also if something else ends the wait at that moment: the
// rank that brought it about may be gone since.
func TestAwaitPrefersWhatHasComeAbout(t *testing.T) {
	s := newStand(t)
	for _, comes := range []bool{true, false} {
		a, over := new(eventual), errors.New("over")
		err := s.Await(t.Context(), s.world, a, func() error {
			a.ready = comes
			return over
		})
		if comes != (err == nil) || !comes && err != over {
			t.Errorf("ready %v: got %v", comes, err)
		}
	}
}

// napping is an eventual thing that is slept for.
type napping struct{ *eventual }

func (napping) Sleep(d time.Duration) { time.Sleep(d) }

func TestSleepInAwaitIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		a := new(eventual)
		err := s.Asleep(func() error {
			return s.sleepUntil(t.Context(), s.world, napping{a}, func() error {
				a.ready = true
				return nil
			})
		})
		time.Sleep(time.Minute) // awake
		if got := s.Records().Reader().Slept(time.Now()); err != nil || got != sleepFor {
			t.Errorf("got %v, slept %v, want %v", err, got, sleepFor)
		}
	})
}

// lateFailure is ready at the look that follows the one at the ranks.
type lateFailure struct {
	s     *stand
	looks int
}

func (a *lateFailure) Ready() bool {
	if a.looks++; a.looks == 1 {
		a.s.Fail(1, errors.New("killed"))
	}
	return a.looks > 1
}

func (a *lateFailure) Sleep(time.Duration) {}

func TestAwaitSurvivesWhoDiesAfterwards(t *testing.T) {
	s := newStand(t)
	s.gifts.Store(giftsToLearn) // look at the ranks at each turn
	if err := s.Await(t.Context(), s.world, &lateFailure{s: s}, func() error { return nil }); err != nil {
		t.Error(err)
	}
}
