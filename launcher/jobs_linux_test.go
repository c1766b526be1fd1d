package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// await polls until f says that what is awaited has come, and fails the test if it
// does not.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// job finds the only job of a launcher.
func job(t testing.TB, pid int) (found JobStatus) {
	t.Helper()
	await(t, fmt.Sprintf("a job of process %d", pid), func() bool {
		all, err := Jobs()
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range all {
			if j.PID == pid {
				found = j
				return true
			}
		}
		return false
	})
	return found
}

// inState returns the job of a launcher once it is in a state, with so many ranks that
// have joined.
func inState(t testing.TB, pid int, state string, joined int) (j JobStatus) {
	t.Helper()
	await(t, fmt.Sprintf("%s, %d joined", state, joined), func() bool {
		j = job(t, pid)
		return j.State == state && j.Joined == joined
	})
	return j
}

func TestJobIsSeenWhileItRuns(t *testing.T) {
	tr := newTrial(t, 3, "@answer")
	tr.job.Grace = time.Minute
	tr.start().stdout.await(t, "ready", 3)
	j := inState(t, os.Getpid(), JobRunning, 3)
	want := JobStatus{
		Job: j.Job, PID: os.Getpid(), Command: os.Args, Ranks: 3, Joined: 3, State: JobRunning,
		Hosts: []HostRanks{{j.Hosts[0].Host, "0-2"}}, Start: j.Start, Grace: time.Minute, handle: j.handle,
	}
	if !reflect.DeepEqual(j, want) {
		t.Errorf("got %+v\nwant %+v", j, want)
	}
	tr.cancel()
	tr.wait()
	if j.Job != tr.result.Job || !j.Start.Equal(tr.result.Start) {
		t.Errorf("got job %s of %v, want %s of %v", j.Job, j.Start, tr.result.Job, tr.result.Start)
	}
	all, err := Jobs() // others may run jobs as well
	if err != nil || slices.ContainsFunc(all, func(x JobStatus) bool { return x.Job == j.Job }) {
		t.Errorf("after its end: got %+v, %v, want %s not to be there", all, err, j.Job)
	}
	if _, err := j.Kill(t.Context(), false); !errors.Is(err, ErrJobGone) {
		t.Errorf("after its end: Kill got %v, want ErrJobGone", err)
	}
	if _, err := j.Stacks(t.Context(), -1); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("after its end: Stacks got %v", err)
	}
}

func TestStateOfAJobThatStarts(t *testing.T) {
	// The second host is one that does not answer.
	tr := newTrial(t, 2, "@answer")
	tr.job.Hosts = []Host{{Name: "localhost"}, {Name: "other"}}
	tr.job.Placement = []int{0, 1}
	tr.job.Shell = []string{"sh", "-c", "exec sleep 999"}
	tr.start()
	j := inState(t, os.Getpid(), JobReaching, 0)
	if want := []HostRanks{{"localhost", "0"}, {"other", "1"}}; !reflect.DeepEqual(j.Hosts, want) {
		t.Errorf("hosts %+v, want %+v", j.Hosts, want)
	}
	s, err := j.Stacks(t.Context(), -1)
	if err != nil || len(s.Ranks) != 2 || s.Ranks[1].Error != "it has not been started yet" {
		t.Errorf("stacks: got %+v, %v", s, err)
	}
	tr.cancel()
	tr.wait()

	tr = newTrial(t, 3, "sleep", "1").start() // rank 1 never joins
	inState(t, os.Getpid(), JobStarting, 2)
	tr.cancel()
	tr.wait()
}

func TestJobThatIsEndingSaysSo(t *testing.T) {
	l := launch(t, "2", "@trap", "all")
	l.stdout.await(t, "trapped", 2)
	l.signal(unix.SIGTERM)
	inState(t, l.cmd.Process.Pid, JobEnding, 2)
	l.expect(l.wait(1500*time.Millisecond), 143)
}

func TestStacksOfAllRanksAreGrouped(t *testing.T) {
	tr := newTrial(t, 4, "@answer").start()
	tr.stdout.await(t, "ready", 4)
	j := job(t, os.Getpid())
	s, err := j.Stacks(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, g := range s.Groups {
		if strings.Contains(g.Stack, ".standHere(...)\n") {
			found++
			if g.RankList() != "0-3" || g.Goroutines != 4 || g.State != "sleep" {
				t.Errorf("got ranks %s, %d goroutines in %q, want one of each rank, asleep", g.RankList(), g.Goroutines, g.State)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d groups stand in standHere, want one: %+v", found, s.Groups)
	}
	for rank, x := range s.Ranks {
		if x.Rank != rank || x.PID != tr.process(rank) || x.Host == "" || x.Goroutines < 2 || x.Error != "" {
			t.Errorf("rank %d: got %+v", rank, x)
		}
	}
	one, err := j.Stacks(t.Context(), 2)
	if err != nil || len(one.Ranks) != 1 || one.Ranks[0].Rank != 2 || !strings.Contains(one.Text, ".standHere(") || one.Groups != nil {
		t.Errorf("of rank 2: got %+v, %v", one, err)
	}
	for _, rank := range []int{-2, 4} {
		if _, err := j.Stacks(t.Context(), rank); err == nil || !strings.Contains(err.Error(), "only 0 to 3") {
			t.Errorf("of rank %d: got %v", rank, err)
		}
	}
	tr.cancel()
	tr.wait()
}

// Ranks that do not answer are named with the reason, and hold up nothing else.
func TestRanksThatCannotAnswerAreNamed(t *testing.T) {
	tr := newTrial(t, 3, "@answer", "0,2").start() // rank 1 has joined and never listens
	tr.stdout.await(t, "ready", 2)
	j := inState(t, os.Getpid(), JobRunning, 3)
	stopped := tr.process(2)
	syscall.Kill(stopped, syscall.SIGSTOP)
	tr.stderr.await(t, "is stopped by SIGSTOP", 1)
	begin := time.Now()
	s, err := j.Stacks(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < stacksWithin || d > slack(stacksWithin) {
		t.Errorf("it took %v, want the %v that rank 1 was waited for", d, stacksWithin)
	}
	for rank, want := range []string{"", "it did not answer within 3s: it is stopped, or in code", "it is stopped"} {
		if got := s.Ranks[rank].Error; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("rank %d: %q, want %q", rank, got, want)
		}
	}
	// What a rank answers late is no answer to the next request.
	syscall.Kill(stopped, syscall.SIGCONT)
	tr.stderr.await(t, "runs again", 1)
	if s, err := j.Stacks(t.Context(), 2); err != nil || s.Ranks[0].Error != "" || s.Text == "" {
		t.Errorf("rank 2 runs again: got %+v, %v", s, err)
	}
	tr.cancel()
	tr.wait()

	tr = newTrial(t, 1, "sleep").start()
	j = inState(t, os.Getpid(), JobRunning, 0)
	s, err = j.Stacks(t.Context(), 0)
	if err != nil || s.Ranks[0].Error != "it has not joined the job, so muster cannot ask it" || s.Ranks[0].PID != tr.process(0) {
		t.Errorf("a rank that has not joined: got %+v, %v", s, err)
	}
	tr.cancel()
	tr.wait()
}

// A rank may answer whatever it likes; what is for an earlier request is left out.
func TestAnswerThatIsNoStackHarmsNobody(t *testing.T) {
	tr := newTrial(t, 2, "@answer-with", "all", "goroutine 1 [\x1b[31m]:_f(_\tx +0x__goroutine _goroutine 2 [ok]:_\x7f").start()
	tr.stdout.await(t, "ready", 2)
	j := job(t, os.Getpid())
	s, err := j.Stacks(t.Context(), -1)
	if err != nil || len(s.Groups) != 1 || s.Groups[0].RankList() != "0-1" {
		t.Errorf("got %+v, %v, want one group of both ranks", s, err)
	}
	if s, err = j.Stacks(t.Context(), 1); err != nil || !strings.HasPrefix(s.Text, "goroutine 1 [\x1b[31m]:\nf(\n") {
		t.Errorf("got %+v, %v, want what it has answered", s, err)
	}
	tr.cancel()
	tr.wait()
}

func TestStacksOfSeveralHosts(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@answer")
	tr.start().stdout.await(t, "ready", 4)
	j := inState(t, os.Getpid(), JobRunning, 4)
	if want := []HostRanks{{"node1", "0,2"}, {"node2", "1,3"}}; !reflect.DeepEqual(j.Hosts, want) {
		t.Errorf("hosts %+v, want %+v", j.Hosts, want)
	}
	s, err := j.Stacks(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	for rank, x := range s.Ranks {
		if want := fmt.Sprintf("node%d", rank%2+1); x.Host != want || x.Error != "" || x.PID == 0 || s.HostOf(rank) != want {
			t.Errorf("rank %d: got %+v, want an answer from %s", rank, x, want)
		}
	}
	if g := s.Groups; len(g) == 0 || g[0].RankList() != "0-3" {
		t.Errorf("got %+v, want a group of all ranks", g)
	}
	tr.signals <- unix.SIGINT
	tr.wait().expect(130, "rank 0 was in Recv from 1", "rank 1 was in Recv from 2", "rank 2 was in Recv from 3", "rank 3 was in Recv from 0")
}

func TestKillGivesRanksTimeToEnd(t *testing.T) {
	l := launch(t, "2", "polite")
	l.stdout.await(t, "ready", 2)
	j := job(t, l.cmd.Process.Pid)
	if d, err := j.Kill(t.Context(), false); err != nil || d <= 0 || d > slack(time.Second) {
		t.Errorf("got %v, %v, want the end in between", d, err)
	}
	l.expect(l.wait(time.Second), 143)
	if got := strings.Count(l.stdout.String(), "last words"); got != 2 {
		t.Errorf("%d ranks ended in order, want 2", got)
	}
}

func TestKillNowWaitsForNoRank(t *testing.T) {
	t.Setenv("TEST_GRACE", "1h")
	l := launch(t, "2", "@trap", "all")
	l.stdout.await(t, "trapped", 2)
	j := job(t, l.cmd.Process.Pid)
	begin := time.Now()
	if _, err := j.Kill(t.Context(), true); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > slack(heedsWithin) {
		t.Errorf("it took %v", d)
	}
	l.expect(l.wait(time.Second), 143)

	// Also where it has been told to end before.
	l = launch(t, "2", "@trap", "all")
	l.stdout.await(t, "trapped", 2)
	l.signal(unix.SIGTERM)
	j = inState(t, l.cmd.Process.Pid, JobEnding, 2)
	if _, err := j.Kill(t.Context(), true); err != nil {
		t.Error(err)
	}
	l.expect(l.wait(time.Second), 143)
}

// A second request to end in peace is none to kill.
func TestKillOfAJobThatIsEndingWaits(t *testing.T) {
	l := launch(t, "2", "@trap", "all")
	l.stdout.await(t, "trapped", 2)
	l.signal(unix.SIGTERM)
	signaled := time.Now()
	j := inState(t, l.cmd.Process.Pid, JobEnding, 2)
	if _, err := j.Kill(t.Context(), false); err != nil {
		t.Error(err)
	}
	if d := time.Since(signaled); d < 500*time.Millisecond {
		t.Errorf("the ranks had %v, want their grace of 500ms", d)
	}
	l.expect(l.wait(time.Second), 143)
}

func TestStoppedLauncherIsSeenAndCanBeEnded(t *testing.T) {
	l := launch(t, "2", "polite")
	l.stdout.await(t, "ready", 2)
	l.signal(unix.SIGTSTP)
	j := inState(t, l.cmd.Process.Pid, JobStopped, 0)
	if _, err := j.Stacks(t.Context(), -1); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("kill -CONT %d", j.PID)) {
		t.Errorf("stacks: got %v, want that it is stopped", err)
	}
	if _, err := j.Kill(t.Context(), false); err != nil {
		t.Error(err)
	}
	l.expect(l.wait(time.Second), 143)
}

func TestInterruptSaysWhereRanksAre(t *testing.T) {
	tr := newTrial(t, 20, "@answer").start()
	tr.stdout.await(t, "ready", 20)
	tr.signals <- unix.SIGINT
	tr.wait().expect(130, "SIGINT: the ranks have 5s to end", "ended by SIGINT")
	where := tr.result.Where
	if len(where) != 20 {
		t.Fatalf("the report says of %d ranks where they were, want 20", len(where))
	}
	text := tr.stderr.String()
	for i, x := range where {
		line := fmt.Sprintf("muster:   rank %d was in Recv from %d", x.Rank, (x.Rank+1)%20)
		if got := strings.Contains(text, line); got != (i < bannerRanks) {
			t.Errorf("%q is there: %v, want the first %d", line, got, bannerRanks)
		}
	}
	first := strings.Index(text, "muster:   rank ")
	if begin, end := strings.Index(text, "SIGINT: the ranks"), strings.Index(text, "ended by SIGINT"); begin > first || first > end {
		t.Errorf("where they were is not between what was done and the end:\n%s", text)
	}

	// Of ranks that are in no call there is nothing to say.
	tr = newTrial(t, 2, "polite").start()
	tr.stdout.await(t, "ready", 2)
	tr.signals <- unix.SIGINT
	tr.wait().expect(130, "!  rank ")
}

func TestSeveralMayAskAtOnce(t *testing.T) {
	tr := newTrial(t, 3, "@answer").start()
	tr.stdout.await(t, "ready", 3)
	j := job(t, os.Getpid())
	var asking sync.WaitGroup
	for i := range 6 {
		asking.Go(func() {
			s, err := j.Stacks(t.Context(), i%4-1)
			if err != nil || len(s.Ranks) != 1 && i%4 != 0 || s.Ranks[0].Error != "" {
				t.Errorf("of rank %d: got %+v, %v", i%4-1, s, err)
			}
		})
	}
	asking.Wait()
	tr.cancel()
	tr.wait()
}

// gate is an output whose reader takes nothing until it is opened.
type gate chan struct{}

func (g gate) Write(p []byte) (int, error) { <-g; return len(p), nil }

// A job that only its reader keeps is seen to end, and its ranks are said to have ended.
func TestJobThatWaitsForItsReader(t *testing.T) {
	tr := newTrial(t, 2, "leave-printing")
	reader := make(gate)
	tr.job.Stdout = reader
	tr.start()
	j := inState(t, os.Getpid(), JobEnding, 2)
	s, err := j.Stacks(t.Context(), -1)
	if err != nil || len(s.Ranks) != 2 || !strings.HasSuffix(s.Ranks[0].Error, "has ended") || !strings.HasSuffix(s.Ranks[1].Error, "has ended") {
		t.Errorf("got %+v, %v", s, err)
	}
	close(reader)
	tr.wait().expect(0)
}

// What others ask for and do not fetch costs the job nothing.
func TestAskersThatGoAwayDoNoHarm(t *testing.T) {
	tr := newTrial(t, 2, "@answer").start()
	tr.stdout.await(t, "ready", 2)
	j := job(t, os.Getpid())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		for _, request := range []string{"stacks -1", "stacks 99", "stacks", "", "exec sh"} {
			if text, err := j.handle.entry.Ask(gone, request); err == nil && request != "stacks -1" {
				t.Errorf("%q is answered by %q", request, text)
			}
		}
	}
	if s, err := j.Stacks(t.Context(), -1); err != nil || len(s.Ranks) != 2 || s.Ranks[1].Error != "" {
		t.Errorf("got %+v, %v", s, err)
	}
	tr.cancel()
	tr.wait()
}
