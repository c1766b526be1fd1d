package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher"
)

// hanging is a program whose ranks wait for each other in two places, for ever.
const hanging = `package main

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

func main() { rank.Run(hang) }

func hang(ctx context.Context, c *rank.Comm) error {
	fmt.Println("ready")
	if c.Rank() == 2 {
		return waitForLast(ctx, c, c.Size()-1)
	}
	return waitForNext(ctx, c, (c.Rank()+1)%c.Size())
}

//go:noinline
func waitForNext(ctx context.Context, c *rank.Comm, source int) error {
	_, err := rank.Recv(ctx, c, source, 7, make([]int, 3))
	return err
}

//go:noinline
func waitForLast(ctx context.Context, c *rank.Comm, source int) error {
	_, err := rank.Recv(ctx, c, source, 8, make([]int, 3))
	return err
}
`

// lines keeps what a process writes, and may be read meanwhile.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// runningJob is a muster run in the background.
type runningJob struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr lines
	status         launcher.JobStatus
	ended          chan struct{}
}

// background starts muster run with args and returns once n ranks are ready.
func background(t *testing.T, n int, args ...string) *runningJob {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	j := &runningJob{t: t, ended: make(chan struct{})}
	j.cmd = exec.Command(self, append([]string{"run", "--oversubscribe"}, args...)...)
	j.cmd.Env = append(os.Environ(), "TEST_AS_COMMAND=1")
	j.cmd.Stdout, j.cmd.Stderr = &j.stdout, &j.stderr
	if err := j.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { j.cmd.Wait(); close(j.ended) }()
	t.Cleanup(func() { j.cmd.Process.Kill(); <-j.ended })
	j.await("ready ranks", func() bool { return strings.Count(j.stdout.String(), "ready\n") == n })
	j.await("its entry", func() bool {
		for _, s := range listed(t) {
			if s.PID == j.cmd.Process.Pid {
				j.status = s
			}
		}
		return j.status.State == launcher.JobRunning
	})
	return j
}

func listed(t *testing.T) (all []launcher.JobStatus) {
	t.Helper()
	stdout, stderr, code := muster(t, "ps", "--json")
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != 0 || stderr != "" {
		t.Fatalf("ps --json: code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return all
}

func (j *runningJob) await(what string, f func() bool) {
	j.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			j.t.Fatalf("waited in vain for %s\n%s%s", what, &j.stdout, &j.stderr)
		}
	}
}

// exit waits for the end of muster run and returns its exit code.
func (j *runningJob) exit() int {
	j.t.Helper()
	select {
	case <-j.ended:
	case <-time.After(20 * time.Second):
		j.t.Fatalf("the job does not end\n%s%s", &j.stdout, &j.stderr)
	}
	return j.cmd.ProcessState.ExitCode()
}

func TestJobIsListedAskedAndKilled(t *testing.T) {
	exe := built(t, hanging)
	j := background(t, 4, "-n", "4", exe)
	id := j.status.Job[:12]

	stdout, stderr, code := muster(t, "ps")
	row := ""
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, id[:8]) {
			row = line
		}
	}
	f := strings.Fields(row)
	if code != 0 || stderr != "" || len(f) < 7 || f[1] != fmt.Sprint(j.cmd.Process.Pid) || f[2] != "4" || f[4] != "running" ||
		!strings.Contains(row, " run --oversubscribe -n 4 ") || !strings.HasPrefix(stdout, "JOB ") {
		t.Errorf("ps: code %d, row %q\n%s%s", code, row, stdout, stderr)
	}

	stdout, stderr, code = muster(t, "stacks", id)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "job "+id[:8]+": 4 of 4 ranks answered\n\n") {
		t.Errorf("stacks: code %d\n%s%s", code, stdout, stderr)
	}
	for title, place := range map[string]string{"ranks 0-1,3 (3): ": "  main.waitForNext(...)\n", "rank 2: ": "  main.waitForLast(...)\n"} {
		found := 0
		for block := range strings.SplitSeq(stdout, "\n\n") {
			if strings.Contains(block, place) {
				found++
				if !strings.HasPrefix(block, title) {
					t.Errorf("%q is not titled %q:\n%s", place, title, block)
				}
			}
		}
		if found != 1 {
			t.Errorf("%q is there %d times, want once\n%s", place, found, stdout)
		}
	}
	if own := strings.Index(stdout, "In Muster and other libraries only:"); own < strings.Index(stdout, "main.waitForLast") {
		t.Errorf("goroutines of the program do not come first\n%s", stdout)
	}

	stdout, stderr, code = muster(t, "stacks", "--rank", "2", id)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "rank 2 (host ") || !strings.Contains(stdout, "\nmain.waitForLast({0x") ||
		!strings.Contains(stdout, "goroutine 1 [") || strings.Contains(stdout, "waitForNext") {
		t.Errorf("stacks --rank 2: code %d\n%s%s", code, stdout, stderr)
	}
	if _, stderr, code = muster(t, "stacks", id, "--rank", "4"); code != launcher.ExitUsage || !strings.Contains(stderr, "has no rank 4, only 0 to 3") {
		t.Errorf("stacks --rank 4: code %d, %s", code, stderr)
	}
	var s launcher.Stacks
	stdout, _, code = muster(t, "stacks", id, "--json")
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != 0 || len(s.Ranks) != 4 || len(s.Groups) < 2 || s.Job != j.status.Job {
		t.Errorf("stacks --json: code %d, %v\n%s", code, err, stdout)
	}

	// A rank that is stopped is named, and holds up neither the others nor the end.
	syscall.Kill(s.Ranks[1].PID, syscall.SIGSTOP)
	j.await("word of the stop", func() bool { return strings.Contains(j.stderr.String(), "is stopped by SIGSTOP") })
	stdout, _, code = muster(t, "stacks", id)
	want := fmt.Sprintf("job %s: 3 of 4 ranks answered\nrank 1 (host %s, pid %d): it is stopped\n\nranks 0,3 (2): ", id[:8], s.Ranks[1].Host, s.Ranks[1].PID)
	if code != 0 || !strings.HasPrefix(stdout, want) {
		t.Errorf("stacks with a stopped rank: code %d, want %q\n%s", code, want, stdout)
	}
	if _, _, code = muster(t, "stacks", id, "--rank", "1"); code != exitNoJob {
		t.Errorf("stacks of the stopped rank: code %d, want %d", code, exitNoJob)
	}

	stdout, stderr, code = muster(t, "kill", strings.ToUpper(id))
	if want := fmt.Sprintf("job %s (pid %d, 4 ranks) ended ", id[:8], j.cmd.Process.Pid); code != 0 || stderr != "" || !strings.HasPrefix(stdout, want) {
		t.Errorf("kill: code %d\n%s%s", code, stdout, stderr)
	}
	if got := j.exit(); got != 143 {
		t.Errorf("muster run exited %d, want 143\n%s", got, &j.stderr)
	}
	for _, args := range [][]string{{"kill", id}, {"stacks", id}, {"kill", "--now", id}} {
		if _, stderr, code := muster(t, args...); code != exitNoJob || !strings.HasPrefix(stderr, "muster: no job of yours ") {
			t.Errorf("%v after the end: code %d, %s", args, code, stderr)
		}
	}
}

func TestKillNowDoesNotWaitForTheGrace(t *testing.T) {
	j := background(t, 2, "-n", "2", "--grace", "1h", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
	stdout, stderr, code := muster(t, "kill", "--now", "--json", j.status.Job)
	var k killed
	if err := json.Unmarshal([]byte(stdout), &k); err != nil || code != 0 || !k.Ended || k.PID != j.cmd.Process.Pid || k.Job != j.status.Job {
		t.Errorf("code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if got := j.exit(); got != 143 {
		t.Errorf("muster run exited %d, want 143\n%s", got, &j.stderr)
	}
}

// Ctrl-C on a hang says where the ranks were.
func TestInterruptShowsWhereRanksWere(t *testing.T) {
	j := background(t, 3, "-n", "3", built(t, hanging))
	j.await("ranks to block", func() bool { // which is on record after a moment
		var s launcher.Stacks
		stdout, _, _ := muster(t, "stacks", j.status.Job, "--json")
		json.Unmarshal([]byte(stdout), &s)
		waiting := 0
		for _, g := range s.Groups {
			if strings.Contains(g.Stack, "main.waitFor") && (g.State == "chan receive" || g.State == "select" || g.State == "IO wait") {
				waiting += len(g.Ranks)
			}
		}
		return waiting == 3
	})
	j.cmd.Process.Signal(syscall.SIGINT)
	if got := j.exit(); got != 130 {
		t.Errorf("muster run exited %d, want 130", got)
	}
	text := j.stderr.String()
	for _, want := range []string{
		"muster: SIGINT: the ranks have 5s to end; a second signal kills them now\nmuster:   rank 0 was in Recv from 1 ",
		"\nmuster:   rank 1 was in Recv from 2 ", "\nmuster:   rank 2 was in Recv from 2 ", " blocked ", "ended by SIGINT",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

func TestListingWhileJobsComeAndGo(t *testing.T) {
	stop := make(chan struct{})
	var jobs sync.WaitGroup
	for range 2 {
		jobs.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, stderr, code := muster(t, "run", "--oversubscribe", "-n", "2", "true"); code != 0 {
						t.Errorf("a job that is listed meanwhile: code %d\n%s", code, stderr)
						return
					}
				}
			}
		})
	}
	for range 30 {
		for _, s := range listed(t) {
			if len(s.Job) != 32 || s.PID == 0 || s.State == "" || len(s.Hosts) == 0 || s.Start.IsZero() {
				t.Errorf("got %+v, want a whole entry", s)
			}
		}
	}
	close(stop)
	jobs.Wait()
}
