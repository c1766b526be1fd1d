package agent

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/queue"
	pb "github.com/muster-mpi/muster/proto"
)

func TestPlaceSharesCoresOut(t *testing.T) {
	cores := [][]int{{0, 4}, {1, 5}, {2, 6}, {3, 7}}
	for _, c := range []struct {
		n    int
		want [][]int
	}{
		{1, [][]int{{0, 4, 1, 5, 2, 6, 3, 7}}},
		{2, [][]int{{0, 4, 1, 5}, {2, 6, 3, 7}}},
		{3, [][]int{{0, 4}, {1, 5}, {2, 6, 3, 7}}},
		{4, [][]int{{0, 4}, {1, 5}, {2, 6}, {3, 7}}},
		{6, [][]int{{0, 4}, {1, 5}, {2, 6}, {3, 7}, {0, 4}, {1, 5}}},
	} {
		for i, want := range c.want {
			if got := place(cores, i, c.n); !slices.Equal(got, want) {
				t.Errorf("rank %d of %d: got %v, want %v", i, c.n, got, want)
			}
		}
	}
	if got := place(nil, 0, 3); got != nil {
		t.Errorf("no cores known: got %v", got)
	}
}

func TestCrashStartFindsTheLineAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		text string
		at   int
	}{
		{"panic: x\n", 0}, {"a\npanic: x\n", 2}, {"no panic: x\n", -1}, {"", -1}, {"\n\nfatal error: all goroutines are asleep\n", 2},
		{"SIGNAL\n", -1}, {"SIGSEGV: segmentation violation\n", 0}, {"2026/01/02 panic: x\n", -1},
	} {
		if got := crashStart([]byte(c.text), true); got != c.at {
			t.Errorf("%q: got %d, want %d", c.text, got, c.at)
		}
	}
	if got := crashStart([]byte("panic: x\nfatal error: y"), false); got != 9 {
		t.Errorf("inside a line: got %d, want 9", got)
	}
}

func TestCrashTextIsOnePiece(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := queue.New[*pb.FromAgent]()
	s, err := newStream(3, true, r, newCredit(1<<20), func(m *pb.FromAgent) { out.Put(m) })
	if err != nil {
		t.Fatal(err)
	}
	go s.run()
	text := "panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:3 +0x1d\nexit status 2"
	fmt.Fprint(w, "before\n")
	<-s.settled()
	const mark = len("panic: ") // the runtime writes it in one piece, which a pipe keeps whole
	w.WriteString(text[:mark])
	for i := mark; i < len(text); i++ {
		w.WriteString(text[i : i+1])
	}
	w.Close()
	<-s.ended
	var got []string
	for _, m := range out.Take() {
		got = append(got, string(m.GetOutput().GetData()))
		if m.GetOutput().GetRank() != 3 || !m.GetOutput().GetStderr() {
			t.Errorf("got %v", m)
		}
	}
	if want := []string{"before\n", text, ""}; !slices.Equal(got, want) && !slices.Equal(got, slices.Insert(want[1:], 0, "before", "\n")) {
		t.Errorf("got %q, want %q", got, want)
	}
	if s.panicLine() != "panic: x" {
		t.Errorf("panic line is %q", s.panicLine())
	}
}

// The credit is what the launcher has room for: no more leaves the agent than
// one piece beyond it.
func TestOutputStopsWithoutCredit(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const window = 100 << 10
	sent := make(chan int, 1000)
	c := newCredit(window)
	s, err := newStream(0, false, r, c, func(m *pb.FromAgent) { sent <- len(m.GetOutput().GetData()) })
	if err != nil {
		t.Fatal(err)
	}
	go s.run()
	const total = 1 << 20
	go func() {
		w.Write(make([]byte, total))
		w.Close()
	}()
	got, allowed := 0, window
	for got < total {
		n := <-sent
		got += n
		if got > allowed+pieceBytes {
			t.Fatalf("%d bytes came, the credit was %d", got, allowed)
		}
		if got >= allowed {
			allowed += window
			c.add(window)
		}
	}
	<-s.ended
	if n := <-sent; n != 0 || got != total {
		t.Errorf("got %d bytes and then %d, want %d and the end", got, n, total)
	}
}

// A descriptor that others hold open does not delay the end of a stream.
func TestFinishDoesNotWaitForOtherHolders(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	out := queue.New[*pb.FromAgent]()
	s, err := newStream(0, false, r, newCredit(1<<20), func(m *pb.FromAgent) { out.Put(m) })
	if err != nil {
		t.Fatal(err)
	}
	go s.run()
	text := strings.Repeat("x", 50000)
	w.WriteString(text)
	s.finish()
	<-s.ended
	got := 0
	for _, m := range out.Take() {
		got += len(m.GetOutput().GetData())
	}
	if got != len(text) {
		t.Errorf("got %d bytes, want %d", got, len(text))
	}
}

func TestOneLinkANumberWhoeverAsks(t *testing.T) {
	l := newLinks()
	p := pairOf(5, 2)
	if p != (pair{2, 5}) {
		t.Fatalf("got %v", p)
	}
	if l.want(p, 0, false) {
		t.Error("made before both have joined")
	}
	if l.want(p, 0, true) {
		t.Error("asked for twice, made twice")
	}
	delete(l.wanted, p)
	l.next[p] = 1 // made
	if l.want(p, 0, true) {
		t.Error("asked for by the other side as well, made again")
	}
	if !l.want(p, 1, true) {
		t.Error("the link after a broken one is not made")
	}
}

func TestOOMVerdictNeedsACount(t *testing.T) {
	l := make(memoryLog)
	reads := 0
	for _, kills := range []int64{2, 5} { // only the first look counts
		l.seen("/a", func(group string) memoryState {
			reads++
			return memoryState{group: group, kills: kills}
		})
	}
	if reads != 1 {
		t.Errorf("the group was read %d times, want once", reads)
	}
	for _, c := range []struct {
		s    memoryState
		want string
	}{
		{memoryState{group: "/a", kills: 2}, ""},
		{memoryState{group: "/a", kills: 3}, "oom_kill 2→3, largest resident set 1 MiB"},
		{memoryState{group: "/b", kills: 1, limit: 64 << 20}, "oom_kill 0→1, limit 64 MiB, largest resident set 1 MiB"},
		{memoryState{group: "/b", kills: 0}, ""},
		{memoryState{kills: -1}, ""},
	} {
		if got := l.verdict(c.s, 1<<20); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.s, got, c.want)
		}
	}
}

func TestAwakeTimeStandsStillWhileStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a awake
		a.restart()
		for range 10 {
			time.Sleep(awakeStep)
			a.advance()
		}
		if a.total != 10*awakeStep {
			t.Errorf("got %v, want %v", a.total, 10*awakeStep)
		}
		time.Sleep(time.Hour) // nobody could run
		a.advance()
		if a.total > 13*awakeStep {
			t.Errorf("after a sleep of the machine: got %v", a.total)
		}
	})
}

func TestLastWordsMayBeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{start: new(pb.Start), outbox: queue.New[*pb.FromAgent]()}
		r := &rankState{conn: new(boot.Conn), phase: drained}
		h.live++
		h.onExit(r, new(process), ending{})
		if !h.needsClock() {
			t.Error("no clock runs for one whose last words are waited for")
		}
		h.awake.restart()
		time.Sleep(time.Hour) // the agent could not run: the words have come, but nobody could read them
		h.awake.advance()
		if h.judgeDeaths(); len(h.deaths) == 0 {
			t.Fatal("judged before its last words could be read")
		}
		h.onRank(r, r.conn, &pb.FromRank{Kind: &pb.FromRank_Left{Left: new(pb.Left)}})
		r.silent = true
		if h.judgeDeaths(); len(h.deaths) > 0 || h.ending {
			t.Errorf("one that had left: %d not judged, failed %v", len(h.deaths), h.ending)
		}
	})
}

func TestF21NoSignalAfterTheReaping(t *testing.T) {
	// Every number here would hit something it must not.
	for _, p := range []process{{pid: 0}, {pid: 1}, {pid: -1}, {pid: os.Getpid(), ended: true}} {
		p.signal(9)
	}
}

func TestDescriptorNeedGrowsWithTheRanks(t *testing.T) {
	if checkDescriptors(1, 0) != nil {
		t.Error("one rank is refused")
	}
	if err := checkDescriptors(1<<40, 0); err == nil || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("got %v", err)
	}
}

// Strangers may cause a line a second, however many hosts they try.
func TestS1HostsTellOfStrangersInTurn(t *testing.T) {
	for _, turns := range []int{1, 2, 3, 64} {
		told := make(map[time.Duration]int) // lines by second
		for turn := range turns {
			last := -time.Hour
			for at := 50 * time.Millisecond; at < time.Duration(3*turns)*time.Second; {
				wait := untilTurn(at, at-last, turn, turns)
				if wait < 0 || wait > time.Duration(turns)*time.Second {
					t.Fatalf("host %d of %d waits %v", turn, turns, wait)
				}
				if wait == 0 {
					told[at/time.Second]++
					last = at
					wait = 10 * time.Millisecond // and another comes
				}
				at += wait
			}
		}
		if len(told) < 3*turns-1 {
			t.Errorf("%d hosts: lines in %d of %d seconds", turns, len(told), 3*turns)
		}
		for second, n := range told {
			if n > 1 {
				t.Errorf("%d hosts: %d lines in second %d", turns, n, second)
			}
		}
	}
}
