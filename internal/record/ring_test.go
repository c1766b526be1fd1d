package record

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLastIsNewestFirst(t *testing.T) {
	r := New()
	r.NameComm(7, "world")
	r.Begin(OpSend, 7, 1, 10, 8).End(r)
	r.BeginLocked(OpRecv, 7, AnySource, AnyTag, 16).End(r)
	r.Begin(OpSplit, 9, NoPeer, NoTag, -1)
	r.BeginLocked(OpIsend, 7, Null, 3, 1)
	want := []string{
		"Isend to the null process tag 3 on world, 1 byte, under way",
		"Split on communicator 9, under way",
		"Recv from any source any tag on world, 16 bytes, done",
		"Send to 1 tag 10 on world, 8 bytes, done",
	}
	got := r.Reader().Last(10)
	if len(got) != len(want) {
		t.Fatalf("got %d records %v, want %d", len(got), got, len(want))
	}
	for i := range want {
		if got[i].String() != want[i] {
			t.Errorf("record %d: got %q, want %q", i, got[i], want[i])
		}
	}
	for _, n := range []int{-1, 0, 2} {
		if got := len(r.Reader().Last(n)); got != max(n, 0) {
			t.Errorf("Last(%d): got %d records", n, got)
		}
	}
}

func TestBlockedOutlivesTheRing(t *testing.T) {
	r := New()
	r.NameComm(1, "world")
	s := r.BeginLocked(OpRecv, 1, 2, 7, 1024)
	late := r.Begin(OpProbe, 1, 3, AnyTag, -1)
	start := time.Now()
	s.Block(r, start.UnixNano(), "solver.go:142")
	for range 10 * ringSize {
		r.BeginLocked(OpIsend, 1, 4, 0, 8).End(r)
		r.Begin(OpIsend, 1, 4, 0, 8).End(r)
	}
	// An operation that blocks only after its record has been overwritten loses nothing.
	late.Block(r, start.UnixNano(), "b.go:1")

	got := r.Reader().Blocked()
	if len(got) != 2 || got[0].Op != OpProbe || got[0].Peer != 3 || got[0].Site != "b.go:1" {
		t.Fatalf("blocked: got %v, want the probe and the receive", got)
	}
	got[1].read = start.Add(3200 * time.Millisecond)
	if want := "Recv from 2 tag 7 on world, 1024 bytes, blocked 3.2 s at solver.go:142"; got[1].String() != want {
		t.Errorf("got %q, want %q", got[1], want)
	}
	all := r.Reader().Last(1000)
	if len(all) != ringSize+2 || all[ringSize+1].Op != OpRecv || !all[ringSize+1].Blocked {
		t.Errorf("Last gives %d records ending in %v, want %d ending in the blocked receive", len(all), all[len(all)-1], ringSize+2)
	}

	s.EndAt(r, start.UnixNano()+1)
	late.End(r)
	if got := r.Reader().Blocked(); len(got) != 0 {
		t.Errorf("blocked after their end: %v", got)
	}
}

func TestEndOfBlockedOperationWhoseRecordIsStillThere(t *testing.T) {
	r := New()
	s := r.Begin(OpRecv, 1, 2, 7, 8)
	s.Block(r, 1e18, "a.go:1")
	s.Block(r, 2e18, "a.go:2")
	if got := r.Reader().Blocked(); len(got) != 1 || got[0].Site != "a.go:2" || got[0].Start.UnixNano() != 2e18 {
		t.Fatalf("after a second Block: got %v, want one record at a.go:2", got)
	}
	s.EndAt(r, 2e18+5e6)
	got := r.Reader().Last(10)
	if want := "Recv from 2 tag 7 on communicator 1, 8 bytes, done after waiting 5 ms at a.go:2"; len(got) != 1 || got[0].String() != want {
		t.Fatalf("got %v, want %q", got, want)
	}
	if len(r.Reader().Blocked()) != 0 {
		t.Error("an operation that has ended is still blocked")
	}
}

func TestEndLeavesALaterRecordAlone(t *testing.T) {
	r := New()
	old := r.BeginLocked(OpRecv, 1, 2, 7, 8)
	for range laneSize {
		r.BeginLocked(OpSend, 1, 2, 7, 8)
	}
	old.End(r)
	for _, rec := range r.Reader().Last(ringSize) {
		if rec.Done {
			t.Errorf("%v (number %d) was ended by an older operation", rec, rec.Seq)
		}
	}
}

// The worst mix of the two lanes: their numbers run ahead of each other as fast as they can.
func TestRecordOutlivesSixtyFourLaterOnes(t *testing.T) {
	for _, period := range []int{1, 2, 3, 63, 64, 65, 127} {
		r := New()
		for i := range 4 * laneSize {
			begin := r.Begin
			if i%period == 0 {
				begin = r.BeginLocked
			}
			begin(OpSend, 1, 0, int64(i), 8)
			got := r.Reader().Last(laneSize)
			for k, rec := range got {
				if rec.Tag != int64(i-k) {
					t.Fatalf("period %d: after operation %d the one %d before is %d, want %d", period, i, k, rec.Tag, i-k)
				}
			}
			if len(got) != min(i+1, laneSize) {
				t.Fatalf("period %d: after operation %d there are %d records, want %d", period, i, len(got), min(i+1, laneSize))
			}
		}
	}
}

func TestZeroSlotIsIgnored(t *testing.T) {
	r := New()
	var s Slot
	s.Block(r, 1, "a.go:1")
	s.End(r)
	s.EndAt(r, 5)
	for range ringSize {
		r.Begin(OpSend, 1, 2, 7, 8)
		r.BeginLocked(OpSend, 1, 2, 7, 8)
	}
	s.End(r)
	for _, rec := range r.Reader().Last(ringSize) {
		if rec.Done || rec.Blocked {
			t.Errorf("the zero Slot changed %v", rec)
		}
	}
}

func TestSleepIsAddedUp(t *testing.T) {
	r := New()
	moment := func(n int64) time.Time { return time.Unix(0, n) }
	at := func(want time.Duration, now int64) {
		t.Helper()
		if got := r.Reader().Slept(moment(now)); got != want {
			t.Errorf("at %d: slept %v, want %v", now, got, want)
		}
	}
	at(0, 5)
	r.Sleep(moment(10))
	at(0, 10)
	at(7, 17)
	r.WakeUp(moment(20))
	at(10, 30)
	r.WakeUp(moment(40)) // it is awake
	at(10, 50)
	r.Sleep(moment(60))
	r.WakeUp(moment(55))
	at(10, 70)
	r.m.slept, r.m.since = 1<<63, 1<<63 // the writer is not trusted
	at(0, 80)
}

func TestMoreBlockedThanPlaces(t *testing.T) {
	r := New()
	var slots []Slot
	for i := range 3 * waitSize {
		s := r.Begin(OpRecv, 1, int32(i), 7, 8)
		s.Block(r, 1e18, "a.go:1")
		slots = append(slots, s)
	}
	if got := r.Reader().Blocked(); len(got) != waitSize || got[waitSize-1].Peer != 0 {
		t.Fatalf("%d blocked on record, the oldest %v; want the first %d", len(got), got[len(got)-1], waitSize)
	}
	for _, s := range slots {
		s.End(r)
	}
	s := r.Begin(OpRecv, 1, 1, 7, 8)
	s.Block(r, 1e18, "b.go:1")
	if got := r.Reader().Blocked(); len(got) != 1 || got[0].Site != "b.go:1" {
		t.Errorf("after all have ended: got %v, want the one that blocked since", got)
	}
}

func TestConcurrentOperationsKeepTheirRecords(t *testing.T) {
	r := New()
	var mu sync.Mutex
	var wg sync.WaitGroup
	const goroutines, rounds = 8, 2000
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				var s Slot
				if g%2 == 0 {
					s = r.Begin(OpRecv, uint32(g), int32(g), int64(g), int64(g))
				} else {
					mu.Lock()
					s = r.BeginLocked(OpRecv, uint32(g), int32(g), int64(g), int64(g))
					mu.Unlock()
				}
				if i%16 == 0 {
					s.Block(r, int64(g+2), fmt.Sprint("g.go:", g))
				}
				s.End(r)
				if i%100 == 0 {
					r.NameComm(uint32(g), fmt.Sprint("comm", g))
				}
			}
			r.Begin(OpWait, uint32(g), int32(g), int64(g), int64(g)).Block(r, int64(g+2), fmt.Sprint("g.go:", g))
		})
	}
	check := func(rec Record) {
		if g := int(rec.Peer); rec.Tag != int64(g) || rec.Bytes != int64(g) || g < 0 || g >= goroutines ||
			rec.Site != "" && rec.Site != fmt.Sprint("g.go:", g) {
			t.Errorf("parts of two records in one: %+v", rec)
		}
	}
	for range 200 {
		for _, rec := range r.Reader().Last(1000) {
			check(rec)
		}
	}
	wg.Wait()
	got := r.Reader().Blocked()
	for _, rec := range got {
		check(rec)
		if rec.Op != OpWait || rec.Comm != fmt.Sprint("comm", rec.Peer) {
			t.Errorf("blocked: got %v", rec)
		}
	}
	if len(got) != goroutines {
		t.Errorf("%d operations blocked, want %d", len(got), goroutines)
	}
}

func TestNamesOfManyCommunicators(t *testing.T) {
	r := New()
	r.NameComm(0, "world")
	for i := range uint32(1000) {
		r.NameComm(i+1, fmt.Sprint("c", i+1))
	}
	r.NameComm(1000, "renamed")
	r.NameComm(0, "World")
	for comm, want := range map[uint32]string{0: "World", 1000: "renamed", 999: "c999", 938: "c938", 937: "communicator 937"} {
		r.Begin(OpDup, comm, NoPeer, NoTag, -1)
		if got := r.Reader().Last(1)[0].Comm; got != want {
			t.Errorf("communicator %d: got %q, want %q", comm, got, want)
		}
	}
}

func TestTextIsCutAtARuneAndMadePrintable(t *testing.T) {
	r := New()
	r.NameComm(1, "x"+strings.Repeat("é", 100))
	s := r.Begin(OpDup, 1, NoPeer, NoTag, -1)
	s.Block(r, 1e18, strings.Repeat("é", 100)+"/a\x1b[31m.go:1")
	rec := r.Reader().Blocked()[0]
	if want := "x" + strings.Repeat("é", 23); rec.Comm != want {
		t.Errorf("name: got %q, want %q", rec.Comm, want)
	}
	if want := strings.Repeat("é", 26) + "/a?[31m.go:1"; rec.Site != want {
		t.Errorf("site: got %q, want %q", rec.Site, want)
	}
}

func TestPhases(t *testing.T) {
	r := New()
	if got := r.Reader().Phase(); got != Starting {
		t.Errorf("new ring: %v, want %v", got, Starting)
	}
	for _, p := range []Phase{Joined, Leaving, Left} {
		r.Phase(p)
		if got := r.Reader().Phase(); got != p {
			t.Errorf("got %v, want %v", got, p)
		}
	}
	r.Phase(99)
	if got := r.Reader().Phase(); got != Absent {
		t.Errorf("a number that is no phase: got %v, want %v", got, Absent)
	}
	if got := (&Reader{m: new(memory)}).Phase(); got != Absent {
		t.Errorf("memory nobody mapped: got %v, want %v", got, Absent)
	}
}

func TestOperationsDoNotAllocate(t *testing.T) {
	r := New()
	if n := testing.AllocsPerRun(100, func() {
		r.Begin(OpSend, 1, 2, 3, 4).End(r)
		s := r.BeginLocked(OpRecv, 1, 2, 3, 4)
		s.Block(r, 1e18, "solver.go:142")
		s.End(r)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestEveryOpHasAName(t *testing.T) {
	seen := map[string]Op{}
	known := []Op{}
	for op := range lastOp + 1 {
		known = append(known, op)
	}
	for k := range collectives {
		known = append(known, OpCollective+Op(k))
	}
	for _, op := range known {
		name := op.String()
		if other, ok := seen[name]; ok || name == "" {
			t.Errorf("operation %d: name %q is that of %d or empty", op, name, other)
		}
		seen[name] = op
	}
	if got := (OpCollective + Op(len(collectives))).String(); got != "operation 75" {
		t.Errorf("unknown operation: got %q", got)
	}
}

func TestSpans(t *testing.T) {
	at := time.Unix(1e9, 0)
	for d, want := range map[time.Duration]string{
		12 * time.Microsecond:   " 12 µs",
		340 * time.Millisecond:  " 340 ms",
		3210 * time.Millisecond: " 3.2 s",
		200 * time.Second:       " 3m20s",
		-time.Second:            "",
	} {
		if got := span(at, at.Add(d)); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	if got := span(time.Time{}, at); got != "" {
		t.Errorf("unknown start: got %q", got)
	}
}

// What is recorded when it is over reads as what was recorded in two steps.
func TestDoneIsBeginAndEnd(t *testing.T) {
	one, two := New(), New()
	for range ringSize {
		one.DoneLocked(OpSend, 0, 1, 5, 8)
		two.BeginLocked(OpSend, 0, 1, 5, 8).End(two)
		if got, want := fmt.Sprint(one.Reader().Last(ringSize)), fmt.Sprint(two.Reader().Last(ringSize)); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
