package launcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
	"golang.org/x/sys/unix"
)

func TestRanksThatLeaveAreASuccess(t *testing.T) {
	tr := newTrial(t, 4, "@leave").run().expect(0)
	if tr.stderr.String() != "" {
		t.Errorf("standard error: %s", tr.stderr)
	}
}

func TestProgramsThatNeverJoinAreASuccess(t *testing.T) {
	tr := newTrial(t, 3)
	tr.job.Apps[0].Argv = []string{"sh", "-c", "echo $MUSTER_RANK of $MUSTER_SIZE"}
	tr.run().expect(0)
	for i := range 3 {
		if want := fmt.Sprintf("%d of 3\n", i); !strings.Contains(tr.stdout.String(), want) {
			t.Errorf("output %q lacks %q", tr.stdout, want)
		}
	}
}

// afterStartUp repeats a job until its rank fails after all have joined: on a
// loaded machine the victim may be quicker than the others' start.
func afterStartUp(run func() *trial) *trial {
	tr := run()
	for range 20 {
		if !strings.Contains(tr.stderr.String(), "during startup") {
			break
		}
		tr = run()
	}
	return tr
}

func TestF01KillRank(t *testing.T) {
	tr := afterStartUp(func() *trial { return newTrial(t, 4, "@signal", "2", "9").run() })
	tr.expect(137, "rank 2 (host", "killed by signal 9 (SIGKILL)", "3 ranks stopped by muster; exit 137",
		"rank 0 was in Recv from 1 tag 7 on world", "at solver.go:142")
}

func TestF02KillRankDuringStartup(t *testing.T) {
	newTrial(t, 4, "signal", "3", "9").run().
		expect(137, "rank 3 (host", "killed by signal 9 (SIGKILL)")
}

func TestF03KillRankWhileItLeaves(t *testing.T) {
	tr := newTrial(t, 3, "@exit-in-leave", "1")
	tr.run().expect(137, "rank 1 (host", "while leaving")
}

func TestF04SeveralDeathsAreOneFailure(t *testing.T) {
	tr := newTrial(t, 6, "@stop-others").start()
	tr.stdout.await(t, "ready", 6)
	var killed []int
	// An agent that runs could end the others before they are killed.
	agent := agentOf(t, tr)
	unix.Kill(agent, unix.SIGSTOP)
	awaitState(t, agent, 'T')
	for _, p := range processes(tr.mark) {
		if len(killed) < 4 && p.Kill() {
			killed = append(killed, p.PID)
		}
	}
	unix.Kill(agent, unix.SIGCONT)
	tr.wait().expect(137, "killed by signal 9 (SIGKILL)", "2 ranks stopped by muster")
	named := 0
	for _, pid := range killed {
		if strings.Contains(tr.stderr.String(), fmt.Sprintf("pid %d) ", pid)) || strings.Contains(tr.stderr.String(), fmt.Sprintf("pid %d)\n", pid)) {
			named++
		}
	}
	if named != len(killed) {
		t.Errorf("%d of the %d killed ranks are named\n%s", named, len(killed), tr.stderr)
	}
}

func TestF05CrashTextComesFirstAndUnmixed(t *testing.T) {
	for _, c := range []struct{ mode, first string }{
		{"panic", "panic: runtime error: invalid memory address or nil pointer dereference"},
		{"concurrent", "fatal error: concurrent map"},
	} {
		tr := newTrial(t, 3, c.mode, "1")
		tr.job.Apps[0].Env = append(tr.job.Apps[0].Env, "GOMAXPROCS=4")
		// Another rank writes to standard error all the time.
		tr.job.Apps = append(tr.job.Apps, App{Ranks: 1, Argv: []string{"sh", "-c", "while :; do echo noise >&2; done"}, Env: []string{tr.mark}})
		tr.run().expect(2, c.first, "rank 1 (host", "exited 2", "goroutine ")
		all := tr.stderr.String()
		begin := strings.Index(all, c.first)
		end := strings.LastIndex(all, "goroutine ")
		if begin < 0 || end < begin {
			t.Fatalf("%s: no crash text", c.mode)
		}
		if strings.Contains(all[begin:end], "noise\n") {
			t.Errorf("%s: the crash text is mixed with other lines:\n%s", c.mode, all[begin:end])
		}
		if strings.Index(all, " FAILED after ") < strings.Index(all, c.first) {
			t.Errorf("%s: the banner comes before the crash text", c.mode)
		}
		if tr.result.Failure == nil || !strings.HasPrefix(tr.result.Failure.Panic, c.first) {
			t.Errorf("%s: failure %+v does not have the panic", c.mode, tr.result.Failure)
		}
	}
}

func TestF05SegmentationFaultOfForeignProgram(t *testing.T) {
	tr := newTrial(t, 2)
	tr.job.Apps[0].Argv = []string{"sh", "-c", "kill -SEGV $$; sleep 60"}
	tr.run().expect(139, "killed by signal 11 (SIGSEGV)")
}

func TestF06ExitWithoutLeaving(t *testing.T) {
	newTrial(t, 3, "@exit", "1", "3").run().expect(3, "rank 1 (host", "exited 3 without leaving the job", "exit 3")
}

func TestF07ExitZeroWithoutLeaving(t *testing.T) {
	newTrial(t, 3, "@exit", "2", "0").run().expect(ExitInternal, "rank 2 (host", "exited 0 without leaving the job")
	newTrial(t, 3, "exit", "2", "0").run().expect(ExitInternal, "rank 2 (host", "exited 0 without joining")
}

func TestF08OutstandingOperationIsNamed(t *testing.T) {
	// A wrapper ends while the rank below it is in a receive.
	tr := newTrial(t, 2)
	tr.job.Apps[0].Argv = []string{"sh", "-c",
		`[ $MUSTER_RANK = 1 ] || exec "$0" rank @hang; "$0" rank @touch all "$1" & while ! [ -e "$1" ]; do sleep 0.01; done; exit 0`,
		os.Args[0], filepath.Join(t.TempDir(), "joined")}
	tr.run().expect(ExitInternal, "rank 1 (host", "exited 0 without leaving the job", "in Recv from 0 tag 7 on world")
}

func TestAbortEndsTheJobWithItsCode(t *testing.T) {
	newTrial(t, 3, "@abort", "1").run().expect(5, "rank 1 (host", "aborted the job: no such file", "2 ranks stopped by muster; exit 5")
}

func TestF09StoppedRankIsNoticedAndContinues(t *testing.T) {
	tr := newTrial(t, 3, "@leave-late")
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	tr.job.Stdin, tr.job.StdinTo = in, "all"
	tr.start()
	tr.stdout.await(t, "ready", 3)
	victim := processes(tr.mark)[0]
	begin := time.Now()
	unix.Kill(victim.PID, unix.SIGSTOP)
	tr.stderr.await(t, fmt.Sprintf("(pid %d) is stopped by SIGSTOP; the job waits for it", victim.PID), 1)
	if d := time.Since(begin); d > slack(time.Second/4) {
		t.Errorf("the warning took %v", d)
	}
	unix.Kill(victim.PID, unix.SIGCONT)
	tr.stderr.await(t, fmt.Sprintf("(pid %d) runs again", victim.PID), 1)
	feed.Close()
	tr.wait().expect(0)
}

func TestF09StopTimeoutEndsTheJob(t *testing.T) {
	tr := newTrial(t, 2, "@signal", "1", "19")
	tr.job.StopTimeout = 300 * time.Millisecond
	tr.run().expect(ExitLost, "is stopped by SIGSTOP", "rank 1 (host", "has been stopped for 300ms")
}

func TestF10StopOfEverythingIsNoDeath(t *testing.T) {
	tr := newTrial(t, 2, "@sleep", "all")
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 0 ]; then exec "$0" rank @leave; fi; echo ready; read x; exec "$0" rank @leave`, os.Args[0]}
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	tr.job.Stdin, tr.job.StdinTo = in, "all"
	tr.job.StartTimeout = 2500 * time.Millisecond
	tr.start()
	tr.stdout.await(t, "ready", 1)
	// Stopped for longer than the start timeout: agent and ranks alike.
	victims := below(agentOf(t, tr))
	for _, p := range victims {
		unix.Kill(p, unix.SIGSTOP)
	}
	time.Sleep(3 * time.Second) // the rule is about time
	for _, p := range victims {
		unix.Kill(p, unix.SIGCONT)
	}
	fmt.Fprintln(feed)
	feed.Close()
	tr.wait().expect(0)
}

// agentOf returns the agent of a job some of whose ranks run.
func agentOf(t *testing.T, tr *trial) int {
	t.Helper()
	for _, p := range processes(tr.mark) {
		for q := p; q.Parent > 1; {
			if q.Parent == os.Getpid() {
				return q.PID
			}
			var ok bool
			if q, ok = proctree.Read(q.Parent); !ok {
				break
			}
		}
	}
	t.Fatalf("no agent found\n%s", tr.stderr)
	return 0
}

// below returns a process and its descendants.
func below(pid int) []int {
	all := []int{pid}
	for _, p := range proctree.Below(proctree.All(), func(p proctree.Process) bool { return p.PID == pid }) {
		all = append(all, p.PID)
	}
	return all
}

func TestF13KillAgent(t *testing.T) {
	tr := newTrial(t, 3, "@strays", "all", "hang").start()
	tr.stdout.await(t, "forked", 3)
	begin := time.Now()
	unix.Kill(agentOf(t, tr), unix.SIGKILL)
	tr.wait().expect(ExitLost, "the agent of host", "signal: killed").within(begin, time.Second)
}

func TestF17RankThatIgnoresSIGTERMIsKilled(t *testing.T) {
	tr := newTrial(t, 3, "@trap", "all").start()
	tr.stdout.await(t, "trapped", 3)
	begin := time.Now()
	unix.Kill(processes(tr.mark)[0].PID, unix.SIGKILL)
	tr.wait().expect(137, "2 ranks stopped by muster").within(begin, time.Second)
}

func TestF18GrandchildrenInOtherSessionsAreKilled(t *testing.T) {
	for _, c := range []struct {
		end  string
		code int
		text string
	}{{"exit", 3, "exited 3"}, {"leave", 0, "left processes behind"}} {
		tr := newTrial(t, 2, "@strays", "all", c.end)
		tr.run().expect(c.code, c.text)
		if got := strings.Count(tr.stdout.String(), "forked\n"); got < 1 {
			t.Errorf("%s: output %q", c.end, tr.stdout)
		}
		if tr.result.Strays == 0 {
			t.Errorf("%s: no strays counted", c.end)
		}
	}
}

func TestF19SignalsReachTheProgramUnderAWrapper(t *testing.T) {
	tr := newTrial(t, 3)
	tr.job.Apps[0].Argv = []string{"bash", "-c", `"$0" rank @stop-others; echo wrapper: $?`, os.Args[0]}
	tr.start()
	tr.stdout.await(t, "ready", 3)
	// The program dies, not its wrapper.
	for _, p := range processes(tr.mark) {
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID)); strings.HasPrefix(string(name), os.Args[0]) {
			p.Kill()
			break
		}
	}
	tr.wait().expect(ExitInternal, "exited 0 without leaving the job")
}

// F20: the kernel sends the parent-death signal when the thread ends that made
// the child. The control shows that this kernel does; the job, that the agent's
// thread lives on.
func TestF20ParentDeathSignalIsNotSentByAThreadsEnd(t *testing.T) {
	started := make(chan *exec.Cmd)
	go func() {
		lockThreadForGood()
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Error(err)
		}
		started <- cmd
		// The goroutine ends with its thread locked, so the thread ends.
	}()
	if err := (<-started).Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("control: the child of a thread that ended: %v, want killed", err)
	}
	tr := newTrial(t, 4)
	tr.job.Apps[0].Argv = []string{"sleep", "1"} // time for the agent's idle threads to end
	tr.run().expect(0)
}

func TestF23RankThatDoesNotJoinInTime(t *testing.T) {
	tr := newTrial(t, 4, "sleep", "2")
	tr.job.StartTimeout = 2 * time.Second
	tr.run().expect(ExitSpawn, "rank 2 (host", "did not join within 2s", "it is sleeping (state S)", "during startup, 3 of 4 joined")
}

func TestF24SecondProcessOfARankIsRefusedAndTheJobGoesOn(t *testing.T) {
	tr := newTrial(t, 2)
	tr.job.Apps[0].Argv = []string{"bash", "-c",
		`"$0" rank @leave-late & p=$!; if [ $MUSTER_RANK = 1 ]; then read line; "$0" rank @leave; echo second: $?; fi; wait $p`, os.Args[0]}
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	tr.job.Stdin, tr.job.StdinTo = in, "1"
	tr.start()
	tr.stdout.await(t, "ready", 2)
	fmt.Fprintln(feed)
	tr.stdout.await(t, "second: 8", 1)
	feed.Close()
	tr.wait().expect(0, "refused: process", "cannot join as rank 1: process")
}

func TestF26OtherVersionIsRefused(t *testing.T) {
	newTrial(t, 2, "version", "1").run().expect(ExitProtocol,
		fmt.Sprintf("cannot join: it speaks version %d of the control protocol and muster runs version %d", boot.Protocol+1, boot.Protocol))
	newTrial(t, 2, "skew", "1").run().expect(ExitProtocol, "cannot join: rank", "runs build another")
}

func TestF45OOMKillIsNamed(t *testing.T) {
	group, procs := memoryGroup(t, 48<<20)
	tr := newTrial(t, 2)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 1 ]; then echo $$ > "$1" || exit 9; fi; exec "$0" rank @memory 1 200000000`, os.Args[0], procs}
	tr.run().expect(137, "rank 1 (host", "killed by the OOM killer (SIGKILL; oom_kill 0→1, limit 48 MiB, largest resident set ")
	_ = group
}

// memoryGroup makes a memory cgroup with a limit, and returns it and the file
// that takes processes in.
func memoryGroup(t *testing.T, limit int) (dir, procs string) {
	for _, c := range []struct{ root, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
	} {
		dir = filepath.Join(c.root, fmt.Sprintf("muster-test-%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, c.limit), fmt.Append(nil, limit), 0) != nil {
			os.Remove(dir)
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		return dir, filepath.Join(dir, "cgroup.procs")
	}
	t.Skip("no memory cgroup can be made here")
	return "", ""
}

func TestF46FailedAllocationIsNamed(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector needs more addresses than the limit leaves")
	}
	tr := newTrial(t, 2)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 1 ]; then ulimit -v 4000000; fi; exec "$0" rank @memory 1 8000000000`, os.Args[0]}
	tr.run().expect(2, "out of memory", "rank 1 (host", "exited 2")
}

func TestMalformedControlMessageEndsTheJob(t *testing.T) {
	newTrial(t, 2, "@garbage", "1").run().expect(ExitProtocol, "rank 1 (host", "asked for a link to rank 99 of 2")
}

func TestRankThatClosesItsConnectionEndsTheJob(t *testing.T) {
	newTrial(t, 2, "@close", "1").run().expect(ExitInternal, "rank 1 (host", "closed its control connection and runs on")
}
