package launcher

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/testbed"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
)

// onHosts prepares a job of test ranks, one on each of n hosts in turn.
func onHosts(t testing.TB, hosts, ranks int, mode ...string) (*trial, *testbed.Farm) {
	f := testbed.SSH(t, hosts)
	tr := newTrial(t, ranks, mode...)
	tr.farm = f
	for _, name := range f.Hosts() {
		tr.job.Hosts = append(tr.job.Hosts, Host{Name: name})
	}
	for rank := range ranks {
		tr.job.Placement = append(tr.job.Placement, rank%hosts)
	}
	tr.job.Shell = []string{"ssh", "-F", f.Config()}
	return tr, f
}

func TestJobRunsOnSeveralHosts(t *testing.T) {
	tr, _ := onHosts(t, 3, 7, "@leave")
	tr.run().expect(0)
	for rank, x := range tr.result.Ranks {
		if want := fmt.Sprintf("node%d", rank%3+1); x.Host != want || !x.Ended || x.PID == 0 {
			t.Errorf("rank %d: got %+v, want it to have ended on %s", rank, x, want)
		}
	}
}

func TestHostThatCannotBeReachedIsNamedAndNothingRuns(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@leave")
	tr.job.Hosts = append(tr.job.Hosts, Host{Name: "no-such-host.invalid"})
	tr.job.Placement[3] = 2
	tr.run()
	if tr.result.Code != ExitSpawn || tr.err == nil || !strings.Contains(tr.err.Error(), "host no-such-host.invalid") ||
		!strings.Contains(tr.err.Error(), "ssh") {
		t.Errorf("got code %d, error %v, want %d and a sentence on the host", tr.result.Code, tr.err, ExitSpawn)
	}
	for _, x := range tr.result.Ranks {
		if x.PID != 0 {
			t.Errorf("rank %d was started: %+v", x.Rank, x)
		}
	}
}

// When its time is over a job's ranks have the grace that was asked for, on every host.
func TestGraceIsTheSameOnEveryHost(t *testing.T) {
	tr, _ := onHosts(t, 3, 6, "@polite", "all", "700ms")
	tr.job.Timeout, tr.job.Grace = 8*time.Second, 5*time.Second
	tr.run().expect(ExitTimeout, "the job ran longer than 8s")
	if got := strings.Count(tr.stdout.String(), "last words"); got != 6 {
		t.Errorf("%d ranks had time for their last words, want 6\n%s", got, tr.stdout)
	}
}

func TestF1KilledRankOfAnotherHostIsNamed(t *testing.T) {
	tr, _ := onHosts(t, 3, 6, "@stop-others")
	tr.start().stdout.await(t, "ready", 6)
	pid := tr.process(4)
	killed := time.Now()
	syscall.Kill(pid, syscall.SIGKILL)
	tr.wait().expect(137, fmt.Sprintf("rank 4 (host node2, pid %d) killed by signal 9 (SIGKILL)", pid), "5 ranks stopped by muster").within(killed, time.Second)
	if n := len(tr.result.Failure.Others); n != 5 {
		t.Errorf("the report tells of %d other ranks, want 5", n)
	}
}

func TestF13LostAgentOfAnotherHostEndsTheJob(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@stop-others")
	tr.start().stdout.await(t, "ready", 4)
	pid := tr.process(1)
	p, ok := proctree.Read(pid)
	if !ok {
		t.Fatalf("rank 1 (pid %d) has ended", pid)
	}
	killed := time.Now()
	syscall.Kill(p.Parent, syscall.SIGKILL)
	tr.wait().expect(ExitLost, "host node2 was lost, with ranks 1,3").within(killed, time.Second)
}

func TestF12NothingOutlivesTheLauncherOnOtherHosts(t *testing.T) {
	f := testbed.SSH(t, 2)
	t.Setenv("TEST_HOSTS", strings.Join(f.Hosts(), ","))
	t.Setenv("TEST_SHELL", "ssh -F "+f.Config())
	l := launch(t, "4", "@strays", "all", "hang")
	l.stdout.await(t, "forked", 4)
	killed := time.Now()
	l.signal(syscall.SIGKILL)
	l.expect(l.wait(time.Second), 137)
	for left := f.Processes(); len(left) > 0; left = f.Processes() {
		if time.Since(killed) > slack(2*time.Second) {
			t.Fatalf("these outlive the launcher: %v", left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// process returns the process of a rank of a job that runs.
func (tr *trial) process(rank int) int {
	tr.t.Helper()
	for _, p := range processes(tr.mark) {
		if hasEnv(p.PID, fmt.Sprintf("%s=%d", boot.EnvRank, rank)) {
			return p.PID
		}
	}
	tr.t.Fatalf("rank %d has no process", rank)
	return 0
}

// Input that is there, and over, before the other hosts have been reached is kept for
// the ranks.
func TestStdinWaitsForTheHosts(t *testing.T) {
	const size = 1 << 20
	for to, want := range map[string][]int{"0": {size, 0, 0}, "1": {0, size, 0}, "all": {size, size, size}} {
		tr, _ := onHosts(t, 2, 3, "cat")
		tr.job.Hosts = append([]Host{{Name: "localhost"}}, tr.job.Hosts...)
		tr.job.Placement = []int{0, 1, 2}
		tr.job.Stdin, tr.job.StdinTo = io.LimitReader(zeros{}, size), to
		tr.run().expect(0)
		for rank, n := range want {
			if line := fmt.Sprintf("rank %d read %d bytes, <nil>\n", rank, n); !strings.Contains(tr.stdout.String(), line) {
				t.Errorf("to %q: output %q lacks %q", to, tr.stdout, line)
			}
		}
	}
}

func TestJobGoesOnWithoutALostHostIfItMay(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@report-signals")
	tr.job.OnFailure = ReturnOnFailure
	tr.start().stdout.await(t, "ready", 4)
	pid := tr.process(1)
	p, ok := proctree.Read(pid)
	if !ok {
		t.Fatalf("rank 1 (pid %d) has ended", pid)
	}
	syscall.Kill(p.Parent, syscall.SIGKILL)
	tr.stderr.await(t, "the job goes on without it", 2)
	tr.signals <- syscall.SIGUSR1
	tr.wait().expect(0, "rank 1 on node2", "rank 3 on node2", "was lost with its host", "!FAILED")
}
