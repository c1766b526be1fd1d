package launcher

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// inHub starts a launcher in the hub of n hosts, with a rank on each in turn.
func inHub(t *testing.T, b *testbed.Net, netTimeout string, ranks string, mode ...string) *launcherProcess {
	t.Helper()
	cmd := b.Command(0, append([]string{os.Args[0], "launch", ranks}, mode...)...)
	cmd.Env = append(cmd.Environ(), "TEST_HOSTS="+strings.Join(b.Hosts(), ","), "TEST_SHELL=ssh", "TEST_NET_TIMEOUT="+netTimeout)
	return launchAs(t, cmd)
}

// awaitNobody returns when no process of the job is left on a host.
func awaitNobody(t *testing.T, b *testbed.Net, host int, limit time.Duration) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var left []testbed.Process
		for _, p := range b.Processes() {
			if p.Host == host && strings.Contains(strings.Join(p.Args, " "), "rank") {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Since(begin) > limit {
			t.Fatalf("after %v host %d has %v", limit, host, left)
		}
	}
}

func TestF32HostThatVanishesIsReportedAndCleansUp(t *testing.T) {
	for _, c := range []struct {
		netTimeout, silent string
		limit              time.Duration
	}{{"", "3.5s", 5 * time.Second}, {"700ms", "700ms", time.Second}} {
		t.Run(c.silent, func(t *testing.T) {
			b := testbed.Namespaces(t, 3)
			l := inHub(t, b, c.netTimeout, "6", "@stop-others")
			l.stdout.await(t, "ready", 6)
			cut := time.Now()
			b.Partition(2)
			l.stderr.await(t, "FAILED", 1)
			if d := time.Since(cut); d > c.limit+time.Second {
				t.Errorf("reported after %v, limit %v", d, c.limit)
			}
			l.cmd.Wait()
			if got := l.cmd.ProcessState.ExitCode(); got != ExitLost {
				t.Errorf("exit code %d, want %d", got, ExitLost)
			}
			for _, text := range []string{"host h2 was lost, with ranks 1,4", "nothing was heard of it for " + c.silent} {
				if !strings.Contains(l.stderr.String(), text) {
					t.Errorf("standard error lacks %q:\n%s", text, l.stderr)
				}
			}
			// It hears nothing of this: its lease ends.
			awaitNobody(t, b, 2, 20*time.Second)
		})
	}
}

func TestF33PartitionOfOneDirectionIsReported(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	l := inHub(t, b, "1s", "4", "@stop-others")
	l.stdout.await(t, "ready", 4)
	b.Block(2, 0)
	l.cmd.Wait()
	if got := l.cmd.ProcessState.ExitCode(); got != ExitLost || !strings.Contains(l.stderr.String(), "host h2 was lost") {
		t.Errorf("exit code %d, want %d, standard error:\n%s", got, ExitLost, l.stderr)
	}
	awaitNobody(t, b, 2, 20*time.Second)
}

func TestF34ShortPartitionHarmsNobody(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	l := inHub(t, b, "4s", "4", "@report-signals")
	l.stdout.await(t, "ready", 4)
	b.Partition(1)
	time.Sleep(2 * time.Second) // the rule is about time
	b.Heal(1)
	l.signal(syscall.SIGUSR1)
	l.expect(l.wait(10*time.Second), 0)
	if got := strings.Count(l.stdout.String(), "got SIGUSR1"); got != 4 {
		t.Errorf("%d ranks got SIGUSR1, want 4\n%s", got, l.stdout)
	}
}

func TestF11LauncherOfSeveralHostsMayBeStopped(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	l := inHub(t, b, "500ms", "4", "@report-signals")
	l.stdout.await(t, "ready", 4)
	l.signal(syscall.SIGSTOP)
	awaitState(t, l.cmd.Process.Pid, 'T')
	time.Sleep(6 * time.Second) // longer than the lease of a host that is cut off
	l.signal(syscall.SIGCONT)
	l.signal(syscall.SIGUSR1)
	l.expect(l.wait(5*time.Second), 0)
}

func TestSixtyFourHostsStartAndEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 64 network namespaces; run without -short")
	}
	b := testbed.Namespaces(t, 64)
	begin := time.Now()
	l := inHub(t, b, "10s", "64", "@leave")
	l.expect(l.wait(20*time.Second), 0)
	t.Logf("64 hosts with a rank each took %v", time.Since(begin))
}
