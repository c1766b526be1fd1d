package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// The rows of one host, with the culprit on another than the launcher.
func TestFaultsOfRanksOfOtherHosts(t *testing.T) {
	for _, c := range []struct {
		row   string
		mode  []string
		code  int
		texts []string
	}{
		{"F02 killed during start-up", []string{"signal", "1", "9"}, 137, []string{"killed by signal 9 (SIGKILL)"}},
		{"F03 killed while it leaves", []string{"@exit-in-leave", "1"}, 137, []string{"killed by signal 9 (SIGKILL)", "while leaving"}},
		{"F05 panic", []string{"@panic", "1"}, 2, []string{"panic: runtime error: invalid memory address", "exited 2", `rank 1 wrote "panic: runtime error`}},
		{"F06 exits", []string{"@exit", "1", "3"}, 3, []string{"exited 3 without leaving the job"}},
		{"F07 exits 0", []string{"@exit", "1", "0"}, ExitInternal, []string{"exited 0 without leaving the job"}},
		{"F07 exits 0 without joining", []string{"exit", "1", "0"}, ExitInternal, []string{"exited 0 without joining"}},
		{"F18 leaves processes behind", []string{"@strays", "1", "exit"}, 3, []string{"exited 3"}},
		{"F26 another build", []string{"skew", "1"}, ExitProtocol, []string{"cannot join", "runs build another"}},
		{"F60 malformed control message", []string{"@garbage", "1"}, ExitProtocol, []string{"asked for a link to rank 99 of 4"}},
	} {
		t.Run(c.row, func(t *testing.T) {
			tr, _ := onHosts(t, 2, 4, c.mode...)
			if strings.HasPrefix(c.row, "F26") {
				// Any other rank may be the one that does not fit.
				tr.run().expect(c.code, append(c.texts, "rank ")...)
				return
			}
			tr.run().expect(c.code, append(c.texts, "rank 1 (host node2, pid ")...)
		})
	}
}

func TestF04DeathsOnSeveralHostsAreOneFailure(t *testing.T) {
	tr, _ := onHosts(t, 3, 6, "@stop-others")
	tr.start().stdout.await(t, "ready", 6)
	var pids []int
	for rank := range 5 {
		pids = append(pids, tr.process(rank))
	}
	killed := time.Now()
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	// Their agents may be quicker to end them than this loop to kill.
	tr.wait().expect(137, "killed by signal 9 (SIGKILL)").within(killed, time.Second)
	if tr.result.Failure.Rank > 4 {
		t.Errorf("rank %d is blamed, which was not killed", tr.result.Failure.Rank)
	}
}

func TestF09StoppedRankOfAnotherHostIsNoticed(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@report-signals")
	tr.start().stdout.await(t, "ready", 4)
	pid := tr.process(3)
	begin := time.Now()
	syscall.Kill(pid, syscall.SIGSTOP)
	tr.stderr.await(t, fmt.Sprintf("rank 3 on node2 (pid %d) is stopped by SIGSTOP; the job waits for it", pid), 1)
	if d := time.Since(begin); d > slack(time.Second) {
		t.Errorf("the warning took %v", d)
	}
	syscall.Kill(pid, syscall.SIGCONT)
	tr.stderr.await(t, fmt.Sprintf("rank 3 on node2 (pid %d) runs again", pid), 1)
	tr.signals <- syscall.SIGUSR1
	tr.wait().expect(0)
}

func TestF14RanksOfOtherHostsEndInOrder(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		tr, _ := onHosts(t, 2, 4, "polite")
		tr.start().stdout.await(t, "ready", 4)
		tr.signals <- sig
		tr.wait().expect(code, "!FAILED")
		if got := strings.Count(tr.stdout.String(), "last words"); got != 4 {
			t.Errorf("%v: %d ranks ended in order, want 4", sig, got)
		}
	}
}

func TestF15SecondInterruptKillsOnAllHosts(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@trap", "all")
	tr.job.Grace = time.Hour
	tr.start().stdout.await(t, "trapped", 4)
	begin := time.Now()
	for range 3 {
		tr.signals <- syscall.SIGINT
	}
	tr.wait().expect(130, "ended by SIGINT").within(begin, 500*time.Millisecond)
}

func TestF17RanksOfOtherHostsThatIgnoreSIGTERMAreKilled(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "@trap", "all")
	tr.start().stdout.await(t, "trapped", 4)
	pid, begin := tr.process(2), time.Now()
	syscall.Kill(pid, syscall.SIGKILL)
	tr.wait().expect(137, fmt.Sprintf("rank 2 (host node1, pid %d) killed", pid), "3 ranks stopped by muster").within(begin, time.Second)
}

func TestF22SpawnFailureNamesTheHost(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(foreign, []byte("\x7fELF\x02\x01\x01\x00garbage"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"no-such-program": "no such program in PATH",
		foreign:           "is no program for this machine (exec format error)",
	} {
		tr, _ := onHosts(t, 2, 2, "@hang")
		// Ranks 0 and 2 on the first host, 1 and 3 on the second: there the programs are wrong.
		tr.job.Apps = append(tr.job.Apps, App{Ranks: 2, Argv: []string{path}, Env: []string{tr.mark}})
		tr.job.Placement = []int{0, 0, 1, 1}
		tr.run()
		if tr.result.Code != ExitSpawn || tr.err == nil || !strings.HasPrefix(tr.err.Error(), "cannot start rank 2 on node2: ") ||
			!strings.Contains(tr.err.Error(), want) {
			t.Errorf("%s: got code %d, error %v, want %d and %q", path, tr.result.Code, tr.err, ExitSpawn, want)
		}
	}
}

func TestF23RankOfAnotherHostThatDoesNotJoinInTime(t *testing.T) {
	tr, _ := onHosts(t, 2, 4, "sleep", "3")
	tr.job.StartTimeout = 2 * time.Second
	tr.run().expect(ExitSpawn, "rank 3 (host node2", "did not join within 2s", "it is sleeping (state S)", "3 of 4 joined")
}

func TestF53FloodOfSeveralHostsIsWhole(t *testing.T) {
	const lines = 20000
	tr, _ := onHosts(t, 2, 4, "flood", "all", fmt.Sprint(lines))
	tr.run().expect(0)
	want, n := strings.Repeat("x", 99)+"\n", 0
	for line := range strings.Lines(tr.stdout.String()) {
		if line != want {
			t.Fatalf("line %d: got %q", n, line)
		}
		n++
	}
	if n != 4*lines {
		t.Errorf("got %d lines, want %d", n, 4*lines)
	}
}

func TestEveryByteBeforeADeathOnAnotherHostIsShown(t *testing.T) {
	tr, _ := onHosts(t, 2, 2)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 1 ]; then head -c 300000 /dev/zero | tr '\0' y; kill -9 $$; fi; sleep 60`}
	tr.run().expect(137)
	if got := strings.Count(tr.stdout.String(), "y"); got != 300000 {
		t.Errorf("%d bytes came through, want 300000", got)
	}
}

// F42, F43: a rank that computes for longer than a host may be silent, or whose memory is
// collected all the time, is alive.
func TestF42F43BusyRanksAreNotTakenForDead(t *testing.T) {
	want := exchangeAlone(t, 4, "-rounds=2")
	path, _ := exchange()
	for row, c := range map[string]struct{ flags, env []string }{
		"F42 tight loop":         {[]string{"-rounds=2", "-spin=1500ms"}, []string{"GOMAXPROCS=1"}},
		"F43 garbage collection": {[]string{"-rounds=2", "-ballast=50000000"}, []string{"GOGC=1"}},
	} {
		t.Run(row, func(t *testing.T) {
			tr, _ := onHosts(t, 2, 4)
			tr.job.Apps[0].Argv = append([]string{path}, c.flags...)
			tr.job.Apps[0].Env = append(tr.job.Apps[0].Env, c.env...)
			tr.job.NetTimeout = time.Second
			tr.run().expect(0)
			if got := resultLine.FindString(tr.stdout.String()); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// F41: a rank that gets a twentieth of a processor is slow and not dead.
func TestF41SlowRankIsNamedAndNotTakenForDead(t *testing.T) {
	dir := filepath.Join("/sys/fs/cgroup/cpu", fmt.Sprintf("muster-test-%d", os.Getpid()))
	if os.Mkdir(dir, 0o755) != nil {
		t.Skip("no cpu cgroup can be made here")
	}
	t.Cleanup(func() { os.Remove(dir) })
	if err := os.WriteFile(filepath.Join(dir, "cpu.cfs_quota_us"), []byte("5000"), 0); err != nil {
		t.Skip(err)
	}
	want := exchangeAlone(t, 4, "-rounds=60", "-n=20000")
	path, _ := exchange()
	tr, _ := onHosts(t, 2, 4)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 3 ]; then echo $$ > "$1"/cgroup.procs || exit 9; fi; exec "$0" -rounds=60 -n=20000`, path, dir}
	tr.job.NetTimeout = time.Second
	tr.run().expect(0)
	if got := resultLine.FindString(tr.stdout.String()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	tr.assertStraggler(3)
}

// F59: all ranks send 1 MiB to one that sleeps.
func TestF59AllToOneFlood(t *testing.T) {
	ranks := 64
	if testing.Short() {
		ranks = 16
	}
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, ranks)
	tr.job.Apps[0].Argv = []string{path, "-flood=1048576", "-pause=2s"}
	tr.job.StartTimeout = time.Minute
	tr.run().expect(0)
	if want := fmt.Sprintf("took %d messages", ranks-1); !strings.Contains(tr.stdout.String(), want) {
		t.Errorf("no %q in %q", want, tr.stdout)
	}
}

// F65: a host that loses power says nothing, and what comes back in its place is none of
// this job.
func TestF65HostThatIsRebootedIsLost(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	l := exchangeInHub(t, b, "2s", "4", nil, "-rounds=100000", "-pause=1ms")
	l.stdout.await(t, "exchanging", 1)
	begin := time.Now()
	b.Crash(2)
	l.stderr.await(t, "FAILED", 1)
	if d := time.Since(begin); d > slack(3*time.Second) {
		t.Errorf("reported after %v", d)
	}
	l.expect(l.wait(10*time.Second), ExitLost)
	if !strings.Contains(l.stderr.String(), "host h2 was lost, with ranks 1,3") {
		t.Errorf("standard error:\n%s", l.stderr)
	}
	b.Heal(2)
	awaitNone(t, b.Processes, time.Second)
}
