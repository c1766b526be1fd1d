package hostmem

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// views returns the same memory as two ranks see it: of one process and of two.
func views(t *testing.T) map[string][2]*Memory {
	t.Helper()
	f, err := Create("muster-test-host")
	if err != nil {
		t.Skipf("this host shares no memory: %v", err)
	}
	defer f.Close()
	var mapped [2]*Memory
	for i := range mapped {
		if mapped[i], err = Map(f); err != nil {
			t.Fatal(err)
		}
	}
	one := New()
	return map[string][2]*Memory{"goroutines": {one, one}, "processes": mapped}
}

// What one holder writes the others read; a slot that comes back is zero again.
func TestHoldersShareASlotUntilTheLastReleasesIt(t *testing.T) {
	for kind, m := range views(t) {
		for round := range 3 {
			a, err := m[0].Claim(2)
			if err != nil {
				t.Fatal(kind, err)
			}
			b, err := m[1].Open(a.Number)
			if err != nil {
				t.Fatal(kind, err)
			}
			for i, x := range a.Bytes[:FirstBytes] {
				if x != 0 {
					t.Fatalf("%s, round %d: byte %d of a new slot is %d", kind, round, i, x)
				}
			}
			if err := b.Grow(); err != nil {
				t.Fatal(kind, err)
			}
			a.Bytes[0], b.Bytes[SlotBytes-1] = 1, 2
			if b.Bytes[0] != 1 || a.Bytes[SlotBytes-1] != 2 {
				t.Errorf("%s: holders see different bytes", kind)
			}
			a.Release()
			if _, err := m[1].Open(b.Number); err != nil {
				t.Errorf("%s: a slot that one of two holds: %v", kind, err)
			}
			b.Release()
			if _, err := m[0].Open(b.Number); err == nil {
				t.Errorf("%s: a slot that nobody holds was opened", kind)
			}
		}
	}
}

func TestWhereAllSlotsAreTakenAClaimFails(t *testing.T) {
	m := views(t)["processes"]
	var slots []*Slot
	seen := make(map[int]bool)
	for i := range Slots {
		s, err := m[i%2].Claim(1)
		if err != nil || seen[s.Number] {
			t.Fatalf("claim %d: %v, %v", i, s, err)
		}
		seen[s.Number] = true
		slots = append(slots, s)
	}
	if _, err := m[0].Claim(1); !errors.Is(err, ErrFull) {
		t.Errorf("claim beyond the last: %v, want ErrFull", err)
	}
	slots[7].Release()
	if s, err := m[1].Claim(1); err != nil || s.Number != slots[7].Number {
		t.Errorf("after a release: %v, %v", s, err)
	}
}

// A rank that spoils the states makes others' slots unusable, and nothing else.
func TestStatesThatMakeNoSenseAreNotBelieved(t *testing.T) {
	m := views(t)["processes"]
	s, err := m[0].Claim(2)
	if err != nil {
		t.Fatal(err)
	}
	m[1].state(s.Number).Store(-5)
	s.Release()
	if _, err := m[0].Open(s.Number); err == nil {
		t.Error("a slot of a state below zero was opened")
	}
	for _, number := range []int{-1, Slots, 1 << 40} {
		if _, err := m[0].Open(number); err == nil {
			t.Errorf("slot %d was opened", number)
		}
	}
}

// Sleepers wake when what they wait for comes about, whoever is quicker, and no wake is
// lost: none sleeps anywhere near as long as it may.
func TestNoWakeIsLost(t *testing.T) {
	const sleepers, rounds = 4, 2000
	var p Parking
	var word atomic.Uint32
	var done sync.WaitGroup
	reached := make([]atomic.Uint32, sleepers)
	begun := time.Now()
	for i := range sleepers {
		done.Go(func() {
			var s Sleeper
			for n := uint32(1); n <= rounds; n++ {
				for word.Load() < n {
					p.Sleep(&s, func() bool { return word.Load() >= n }, time.Minute)
				}
				reached[i].Store(n)
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := uint32(1); n <= rounds; n++ {
		word.Store(n)
		p.Wake()
		if r.IntN(2) == 0 {
			for i := range reached {
				for reached[i].Load() < n {
					time.Sleep(0) // let it run
				}
			}
		}
	}
	done.Wait()
	if d := time.Since(begun); d > 30*time.Second {
		t.Errorf("%v: somebody slept until its time was over", d)
	}
}

func TestASleepEnds(t *testing.T) {
	var p Parking
	var s Sleeper
	for range 3 { // a Sleeper is used again
		p.Sleep(&s, func() bool { return false }, time.Millisecond)
	}
	if n := p.asleep.Load(); n != 0 {
		t.Errorf("%d are asleep, want none", n)
	}
}

func TestFutexesWake(t *testing.T) {
	var word atomic.Uint32
	woken := make(chan struct{})
	go func() {
		for word.Load() == 0 {
			FutexWait(&word, 0, time.Minute)
		}
		close(woken)
	}()
	word.Store(1)
	for {
		FutexWake(&word)
		select {
		case <-woken:
			return
		default:
		}
	}
}
