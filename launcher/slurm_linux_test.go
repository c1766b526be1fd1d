package launcher

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// inAllocation starts a launcher under salloc on all nodes of c, which reaches them by
// srun.
func inAllocation(t *testing.T, c *testbed.Cluster, env []string, args ...string) *launcherProcess {
	t.Helper()
	nodes := c.Nodes()
	salloc := []string{"salloc", "--quiet", "--nodes=" + strconv.Itoa(len(nodes)), "--exclusive", os.Args[0], "launch"}
	cmd := c.Command(append(salloc, args...)...)
	cmd.Env = append(cmd.Environ(), "TEST_HOSTS="+strings.Join(nodes, ","), "TEST_SHELL=srun")
	cmd.Env = append(cmd.Env, env...)
	return launchAs(t, cmd)
}

func TestSlurmAllocationRunsRealRanks(t *testing.T) {
	want := exchangeAlone(t, 4)
	path, _ := exchange()
	c := testbed.Slurm(t, 2, 2)
	l := inAllocation(t, c, []string{"TEST_PROGRAM=" + path}, "4")
	l.expect(l.wait(30*time.Second), 0)
	if got := resultLine.FindString(l.stdout.String()); got != want {
		t.Errorf("got %q, want %q\n%s", got, want, l.stderr)
	}
	awaitNoSteps(t, c)
}

func TestSlurmAllocationEndsWithItsLauncher(t *testing.T) {
	c := testbed.Slurm(t, 2, 2)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		l := inAllocation(t, c, nil, "4", "@stop-others")
		l.stdout.await(t, "ready", 4)
		launcher := 0
		for _, p := range processes(l.mark) {
			if args, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline"); err == nil &&
				strings.HasPrefix(string(args), os.Args[0]+"\x00launch\x00") {
				launcher = p.PID
			}
		}
		if launcher == 0 {
			t.Fatal("no launcher")
		}
		syscall.Kill(launcher, sig)
		l.cmd.Wait()
		awaitNoSteps(t, c)
	}
	// srun may end later than the step that it has started.
	t.Cleanup(func() { reapOrphans(slack(time.Second)) })
}

// awaitNoSteps returns when nothing of any job runs on the nodes.
func awaitNoSteps(t *testing.T, c *testbed.Cluster) {
	t.Helper()
	rank := regexp.MustCompile(`(^| )rank( |$)|agent`)
	var left []testbed.Process
	for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		left = left[:0]
		for _, p := range c.Net().Processes() {
			if rank.MatchString(strings.Join(p.Args, " ")) {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			reapOrphans(slack(time.Second))
			return
		}
	}
	t.Fatalf("these are left: %v", left)
}
