package launcher

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
	"golang.org/x/sys/unix"
)

func testContext() context.Context { return context.Background() }

// buffer is an output that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	news chan struct{}
}

func newBuffer() *buffer { return &buffer{news: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// await returns when b holds text n times.
func (b *buffer) await(t testing.TB, text string, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for strings.Count(b.String(), text) < n {
		select {
		case <-b.news:
		case <-deadline:
			t.Fatalf("waited for %d × %q, output is\n%s", n, text, b)
		}
	}
}

// trial is a job under test.
type trial struct {
	t              testing.TB
	job            Job
	stdout, stderr *buffer
	signals        chan os.Signal
	ctx            context.Context
	cancel         context.CancelFunc
	mark           string
	farm           *testbed.Farm // the hosts; nil: this machine alone
	done           chan struct{}
	result         Result
	err            error
	elapsed        time.Duration
}

// newTrial prepares a job of n test ranks.
func newTrial(t testing.TB, n int, mode ...string) *trial {
	tr := &trial{
		t: t, stdout: newBuffer(), stderr: newBuffer(), signals: make(chan os.Signal, 8),
		done: make(chan struct{}), mark: fmt.Sprintf("TEST_TRIAL=%s-%d", t.Name(), time.Now().UnixNano()),
	}
	tr.ctx, tr.cancel = context.WithCancel(context.Background())
	tr.job = Job{
		Apps:   []App{{Ranks: n, Argv: append([]string{os.Args[0], "rank"}, mode...), Env: []string{tr.mark}}},
		Agent:  []string{os.Args[0], "agent"},
		Stdout: tr.stdout, Stderr: tr.stderr,
		Report: filepath.Join(t.TempDir(), "report.json"),
	}
	return tr
}

func (tr *trial) start() *trial {
	go func() {
		defer close(tr.done)
		begin := time.Now()
		tr.result, tr.err = Run(tr.ctx, tr.job, tr.signals)
		tr.elapsed = time.Since(begin)
	}()
	return tr
}

// wait returns when the job is over, and fails the test if anything is left of
// it.
func (tr *trial) wait() *trial {
	tr.t.Helper()
	select {
	case <-tr.done:
	case <-time.After(60 * time.Second):
		tr.t.Fatalf("the job does not end\nstdout:\n%s\nstderr:\n%s", tr.stdout, tr.stderr)
	}
	tr.cancel()
	assertClean(tr.t, tr.mark)
	if tr.farm != nil {
		awaitNone(tr.t, tr.farm.Processes, time.Second)
	}
	return tr
}

// awaitNone returns when none of the processes runs any more, which list tells. That
// takes moments after a job, as sshd ends.
func awaitNone(t testing.TB, list func() []testbed.Process, limit time.Duration) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		left := list()
		if len(left) == 0 {
			return
		}
		if time.Since(begin) > slack(limit) {
			t.Errorf("after %v these run: %v", slack(limit), left)
			return
		}
	}
}

func (tr *trial) run() *trial { tr.t.Helper(); return tr.start().wait() }

// expect checks what has to hold at the end of every job (assertEnd), its exit code, and
// texts of standard error; a text that begins with "!" must not be there.
func (tr *trial) expect(code int, texts ...string) *trial {
	tr.t.Helper()
	if tr.result.Code != code || tr.err != nil {
		tr.t.Errorf("got code %d, error %v, want code %d", tr.result.Code, tr.err, code)
	}
	all := tr.stderr.String()
	assertEnd(tr.t, code, all, tr.job.Report)
	for _, text := range texts {
		if rest, ok := strings.CutPrefix(text, "!"); ok == strings.Contains(all, rest) {
			tr.t.Errorf("standard error: got contains %q = %v", rest, ok)
		}
	}
	if tr.t.Failed() {
		tr.t.Logf("stdout:\n%s\nstderr:\n%s", tail(tr.stdout.String()), tail(all))
	}
	return tr
}

// assertEnd checks what a job says in the end: one banner if it has failed, and none if
// not, and a report that says the same.
func assertEnd(t testing.TB, code int, stderr, report string) {
	t.Helper()
	var r Result
	text, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Errorf("report: %v", err)
		return
	}
	if r.Code != code || r.Job == "" || r.Elapsed <= 0 {
		t.Errorf("the report has code %d, want %d: %s", r.Code, code, text)
	}
	if n := len(r.Survivors); n > 0 {
		t.Errorf("processes %v do not end", r.Survivors)
	}
	const failed = " FAILED after "
	f := r.Failure
	if f == nil {
		if n := strings.Count(stderr, failed); n != 0 {
			t.Errorf("%d banners, want none", n)
		}
		return
	}
	_, rest, _ := strings.Cut(stderr, failed)
	line, _, _ := strings.Cut(rest, "\n")
	what, _, _ := strings.Cut(f.What, "\n")
	end := fmt.Sprintf("; exit %d", code)
	if n := strings.Count(stderr, failed); n != 1 || !strings.Contains(line, what) || !strings.HasSuffix(line, end) && what == f.What {
		t.Errorf("%d banners, want one with %q and %q", n, what, end)
	}
	if f.Time.IsZero() || f.Time.Before(r.Start.Add(-time.Second)) || f.Time.After(r.Start.Add(r.Elapsed+time.Second)) {
		t.Errorf("the report has a failure at %v, in a job that began at %v", f.Time, r.Start)
	}
	if f.Rank < 0 {
		return
	}
	x := r.Ranks[f.Rank]
	who := fmt.Sprintf("rank %d (host %s, pid %d) ", f.Rank, x.Host, f.PID)
	if f.Host != x.Host || f.PID == 0 || !strings.Contains(line, who) {
		t.Errorf("the banner does not name %q: %q", who, line)
	}
	if x.Ended && x.Signal != 0 && !x.ByMuster && code > 128 && code != 128+x.Signal {
		t.Errorf("exit code %d, rank %d ended by signal %d", code, f.Rank, x.Signal)
	}
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// within checks that the time since an event is short.
func (tr *trial) within(since time.Time, limit time.Duration) *trial {
	tr.t.Helper()
	if d := time.Since(since); d > slack(limit) {
		tr.t.Errorf("the job took %v to end, limit %v", d, limit)
	}
	return tr
}

// slack is a limit for a machine that others use as well.
func slack(limit time.Duration) time.Duration { return 4 * limit }

// processes returns the live processes that carry mark in their environment.
func processes(mark string) (found []proctree.Process) {
	for _, p := range proctree.All() {
		if p.PID != os.Getpid() && hasEnv(p.PID, mark) {
			found = append(found, p)
		}
	}
	return found
}

// agents are the numbers of those that this process has started.
var agents sync.Map

func init() { agentStarted = func(pid int) { agents.Store(pid, true) } }

// assertClean checks that nothing of the job with this mark is left: no process
// that has it in its environment, no zombie, no name in a file system, no
// socket that listens.
func assertClean(t testing.TB, mark string) {
	t.Helper()
	for _, p := range processes(mark) {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
		t.Errorf("process %d of the job is alive in state %c: %q", p.PID, p.State, name)
	}
	for _, p := range proctree.All() {
		if p.Parent != os.Getpid() || p.State != 'Z' {
			continue
		}
		if _, ours := agents.Load(p.PID); ours {
			t.Errorf("process %d, an agent, was not reaped", p.PID)
		}
		// Others are what beds and killed launchers have left to this process, a
		// subreaper by its own jobs, in the place of init.
		unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
	}
	for dir, known := range map[string]string{"/dev/shm": "!", os.TempDir(): "Test"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "testbed") {
				continue
			}
			if !strings.HasPrefix(e.Name(), known) && (known != "!" || strings.Contains(e.Name(), "muster")) {
				t.Errorf("%s holds %s", dir, e.Name())
			}
		}
	}
}
