package launcher

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
	"golang.org/x/sys/unix"
)

// exchange is the program in testdata/exchange, built once.
var exchange = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), "TestExchange")
	// What the go command leaves running is not for this process to reap.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	out, err := exec.Command("go", "build", "-o", path, "./testdata/exchange").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return path, err
})

var resultLine = regexp.MustCompile(`result [0-9a-f]{16}`)

// exchangeAlone returns what exchange prints on this machine.
func exchangeAlone(t *testing.T, ranks int, args ...string) string {
	t.Helper()
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, ranks)
	tr.job.Apps[0].Argv = append([]string{path}, args...)
	tr.run().expect(0)
	return resultLine.FindString(tr.stdout.String())
}

// TestResultsDoNotDependOnHosts has real ranks exchange messages over every kind of
// link between hosts, and compares with one host.
func TestResultsDoNotDependOnHosts(t *testing.T) {
	want := exchangeAlone(t, 5)
	path, _ := exchange()
	for _, c := range []struct {
		name string
		set  func(*Job)
	}{
		{"tcp with TLS", func(*Job) {}},
		{"tcp and plain", func(j *Job) { j.Insecure = true }},
		{"all by tcp", func(j *Job) { j.Transport = "tcp" }},
		{"unix sockets within hosts", func(j *Job) { j.Transport = "unix" }},
		{"via ssh", func(j *Job) { j.Via = "ssh" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, _ := onHosts(t, 3, 5)
			tr.job.Apps[0].Argv = []string{path}
			c.set(&tr.job)
			tr.run().expect(0)
			if got := resultLine.FindString(tr.stdout.String()); got != want || want == "" {
				t.Errorf("got %q, want %q\n%s", got, want, tr.stderr)
			}
		})
	}
}

// exchangeInHub runs exchange with a rank or more on each host of b, from its hub.
func exchangeInHub(t *testing.T, b *testbed.Net, netTimeout string, ranks string, env []string, args ...string) *launcherProcess {
	t.Helper()
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	cmd := b.Command(0, append([]string{os.Args[0], "launch", ranks}, args...)...)
	cmd.Env = append(cmd.Environ(), "TEST_HOSTS="+strings.Join(b.Hosts(), ","), "TEST_SHELL=ssh",
		"TEST_NET_TIMEOUT="+netTimeout, "TEST_PROGRAM="+path)
	cmd.Env = append(cmd.Env, env...)
	return launchAs(t, cmd)
}

func TestF34PartitionThatHealsLeavesTheResult(t *testing.T) {
	args := []string{"-rounds=60", "-pause=50ms"}
	want := exchangeAlone(t, 4, args...)
	b := testbed.Namespaces(t, 2)
	l := exchangeInHub(t, b, "4s", "4", nil, args...)
	l.stdout.await(t, "exchanging", 1)
	b.Partition(1)
	time.Sleep(2 * time.Second) // the rule is about time
	b.Heal(1)
	l.expect(l.wait(20*time.Second), 0)
	if got := resultLine.FindString(l.stdout.String()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestF33HostsThatDoNotHearEachOtherAreReported(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	l := exchangeInHub(t, b, "2s", "4", nil, "-rounds=100000", "-pause=1ms")
	l.stdout.await(t, "exchanging", 1)
	cut := time.Now()
	b.Block(1, 2) // the launcher still hears both
	b.Block(2, 1)
	l.stderr.await(t, "FAILED", 1)
	if d := time.Since(cut); d > slack(5*time.Second) {
		t.Errorf("reported after %v", d)
	}
	l.expect(l.wait(10*time.Second), ExitLost)
	if !regexp.MustCompile(`the network between host h[12] and host h[12] is gone`).MatchString(l.stderr.String()) {
		t.Errorf("standard error:\n%s", l.stderr)
	}
}

func TestS3PortsAreFewAndNeverOnTheAnyAddress(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	for _, c := range []struct {
		name  string
		env   []string
		ports int // of a host
	}{
		{"tcp", nil, 1},
		{"via ssh", []string{"TEST_VIA=ssh"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := exchangeInHub(t, b, "4s", "4", c.env, "-rounds=100000", "-pause=1ms")
			l.stdout.await(t, "exchanging", 1)
			for host := 0; host <= 2; host++ {
				ports := make(map[uint16]bool)
				for _, a := range b.Listeners(host) {
					if a.Port() == 22 {
						continue
					}
					ports[a.Port()] = true
					if a.Addr().IsUnspecified() {
						t.Errorf("host %d listens at %v", host, a)
					}
				}
				if want := min(host, 1) * c.ports; len(ports) != want {
					t.Errorf("host %d has %d ports, want %d", host, len(ports), want)
				}
			}
			l.signal(syscall.SIGINT)
			l.expect(l.wait(10*time.Second), 130)
		})
	}
}

func TestFilesOfVariablesAreOnEveryHost(t *testing.T) {
	tr, _ := onHosts(t, 2, 2)
	file := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(file, []byte("of the launcher\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := &tr.job.Apps[0]
	app.Argv = []string{"sh", "-c", "cat $TEST_TABLE; echo $TEST_TABLE"}
	app.Env, app.Files = append(app.Env, "TEST_TABLE="+file), []string{"TEST_TABLE", "TEST_NOT_SET"}
	tr.run().expect(0)
	out := tr.stdout.String()
	if strings.Count(out, "of the launcher\n") != 2 || strings.Contains(out, file) {
		t.Errorf("got %s", out)
	}
}
