package launcher

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/proctree"
	"golang.org/x/sys/unix"
)

func lockThreadForGood() { runtime.LockOSThread() }

// launcherProcess is a job whose launcher is a process of its own.
type launcherProcess struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdout *buffer
	stderr *buffer
	mark   string
}

func launch(t testing.TB, args ...string) *launcherProcess {
	t.Helper()
	return launchAs(t, exec.Command(os.Args[0], append([]string{"launch"}, args...)...))
}

// launchAs starts a launcher by a command of one's own.
func launchAs(t testing.TB, cmd *exec.Cmd) *launcherProcess {
	t.Helper()
	l := &launcherProcess{
		t: t, cmd: cmd, stdout: newBuffer(), stderr: newBuffer(),
		mark: fmt.Sprintf("TEST_TRIAL=%s-%d", t.Name(), time.Now().UnixNano()),
	}
	l.cmd.Env = append(l.cmd.Environ(), l.mark)
	if l.cmd.Stdout == nil {
		l.cmd.Stdout, l.cmd.Stderr = l.stdout, l.stderr
	}
	if l.cmd.SysProcAttr == nil {
		l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	// Its pipes would else keep Wait as long as a stray holds them.
	l.cmd.WaitDelay = 5 * time.Second
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *launcherProcess) signal(sig syscall.Signal) { l.cmd.Process.Signal(sig) }

// wait returns the launcher's exit code, 128+n for signal n, after making sure
// that nothing is left within limit.
func (l *launcherProcess) wait(limit time.Duration) int {
	l.t.Helper()
	begin := time.Now()
	l.cmd.Wait()
	for len(processes(l.mark)) > 0 && time.Since(begin) < slack(limit) {
		time.Sleep(time.Millisecond)
	}
	if d := time.Since(begin); d > slack(limit) {
		l.t.Errorf("the end took %v, limit %v", d, limit)
	}
	reapOrphans(slack(limit))
	assertClean(l.t, l.mark)
	if ws := l.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return l.cmd.ProcessState.ExitCode()
}

// reapOrphans waits for the children that have ended. What a launcher leaves that was
// killed is init's to reap; in its place is this process, a subreaper by its own jobs.
func reapOrphans(limit time.Duration) {
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		children := 0
		for _, p := range proctree.All() {
			if p.Parent == os.Getpid() && p.State == 'Z' {
				children++
				unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
			}
		}
		if children == 0 || time.Now().After(deadline) {
			break
		}
	}
}

func (l *launcherProcess) expect(got, want int) {
	l.t.Helper()
	if got != want || l.t.Failed() {
		l.t.Errorf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", got, want, l.stdout, l.stderr)
	}
}

func TestF11StoppedLauncherHarmsNobody(t *testing.T) {
	l := launch(t, "2", "@report-signals")
	l.stdout.await(t, "ready", 2)
	l.signal(unix.SIGSTOP)
	awaitState(t, l.cmd.Process.Pid, 'T')
	time.Sleep(time.Second) // the rule is about time
	l.signal(unix.SIGCONT)
	l.signal(unix.SIGUSR1)
	l.expect(l.wait(time.Second), 0)
	if got := strings.Count(l.stdout.String(), "got SIGUSR1"); got != 2 {
		t.Errorf("%d ranks got SIGUSR1, want 2\n%s", got, l.stdout)
	}
}

func awaitState(t testing.TB, pid int, states ...byte) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		p, ok := proctree.Read(pid)
		if ok && bytes.IndexByte(states, p.State) >= 0 {
			return
		}
		if !ok || time.Now().After(deadline) {
			t.Fatalf("process %d is in state %c, want one of %s", pid, p.State, states)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestF12KillLauncher(t *testing.T) {
	l := launch(t, "4", "@strays", "all", "hang")
	l.stdout.await(t, "forked", 4)
	l.signal(unix.SIGKILL)
	l.expect(l.wait(250*time.Millisecond), 137)
}

func TestF14TerminatedLauncherAsksItsRanks(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{unix.SIGINT: 130, unix.SIGTERM: 143} {
		l := launch(t, "2", "polite")
		l.stdout.await(t, "ready", 2)
		l.signal(sig)
		l.expect(l.wait(time.Second), code)
		if got := strings.Count(l.stdout.String(), "last words"); got != 2 {
			t.Errorf("%v: %d ranks ended in order, want 2", sig, got)
		}
		if strings.Contains(l.stderr.String(), "FAILED") {
			t.Errorf("%v: a wish is no failure\n%s", sig, l.stderr)
		}
	}
}

func TestF14RanksThatDoNotListenAreKilledAfterTheGrace(t *testing.T) {
	l := launch(t, "2", "@trap")
	l.stdout.await(t, "trapped", 2)
	l.signal(unix.SIGTERM)
	l.expect(l.wait(1500*time.Millisecond), 143)
}

func TestF15SecondInterruptKillsAtOnce(t *testing.T) {
	tr := newTrial(t, 3, "@trap", "all")
	tr.job.Grace = time.Hour
	tr.start()
	tr.stdout.await(t, "trapped", 3)
	begin := time.Now()
	for range 3 {
		tr.signals <- unix.SIGINT
	}
	tr.wait().expect(130, "the ranks have 1h0m0s to end", "ended by SIGINT").within(begin, 500*time.Millisecond)
}

func TestF16HangUpEndsTheJobUnlessDetached(t *testing.T) {
	l := launch(t, "2", "polite")
	l.stdout.await(t, "ready", 2)
	l.signal(unix.SIGHUP)
	l.expect(l.wait(time.Second), 129)

	tr := newTrial(t, 2, "@report-signals")
	tr.job.Detach = true
	tr.start()
	tr.stdout.await(t, "ready", 2)
	tr.signals <- unix.SIGHUP
	tr.signals <- unix.SIGUSR2
	tr.wait().expect(0)
}

func TestCtrlZStopsRanksAndLauncher(t *testing.T) {
	l := launch(t, "2", "@report-signals")
	l.stdout.await(t, "ready", 2)
	l.signal(unix.SIGTSTP)
	awaitState(t, l.cmd.Process.Pid, 'T')
	for _, p := range processes(l.mark) {
		if p.Parent != l.cmd.Process.Pid && p.PID != l.cmd.Process.Pid {
			awaitState(t, p.PID, 'T')
		}
	}
	l.signal(unix.SIGCONT)
	l.signal(unix.SIGWINCH)
	l.expect(l.wait(time.Second), 0)
	if got := strings.Count(l.stdout.String(), "got SIGWINCH"); got != 2 || l.stderr.String() != "" {
		t.Errorf("%d ranks got SIGWINCH, want 2; standard error %q, want none", got, l.stderr)
	}
}

func TestTimeoutEndsTheJob(t *testing.T) {
	tr := newTrial(t, 2, "@hang")
	tr.job.Timeout = 500 * time.Millisecond
	tr.run().expect(ExitTimeout, "the job ran longer than 500ms", "rank 0 was in Recv from 1", "rank 1 was in Recv from 0")
}

func TestEndOfContextKillsAtOnce(t *testing.T) {
	tr := newTrial(t, 2, "@trap", "all").start()
	tr.stdout.await(t, "trapped", 2)
	begin := time.Now()
	tr.cancel()
	tr.wait().within(begin, 500*time.Millisecond)
	if tr.err == nil || tr.result.Code != 143 {
		t.Errorf("got %v and code %d, want the context's error and 143", tr.err, tr.result.Code)
	}
}

func TestF66NestedJob(t *testing.T) {
	// A rank starts a job of its own; killing the outer rank ends both.
	l := launch(t, "1", "nested")
	deadline := time.Now().Add(20 * time.Second)
	for len(processes(l.mark)) < 6 { // launcher, agent, rank that launches, agent, two ranks
		if time.Now().After(deadline) {
			t.Fatalf("%d processes\n%s", len(processes(l.mark)), l.stderr)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, p := range processes(l.mark) {
		if hasEnv(p.PID, "MUSTER_RANK=0") && hasEnv(p.PID, "MUSTER_SIZE=1") {
			unix.Kill(p.PID, unix.SIGKILL)
		}
	}
	l.expect(l.wait(time.Second), 137)
}
