package testbed_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/testbed"
)

const deathVariable = "MUSTER_TESTBED_DEATH"

// TestDieWithBedsUp is the part of the test below that dies.
func TestDieWithBedsUp(t *testing.T) {
	if os.Getenv(deathVariable) == "" {
		t.Skip("this is run by the next test, in a process of its own")
	}
	farm := testbed.SSH(t, 1)
	run(t, farm.Command(1, "setsid -f sleep 987 </dev/null >/dev/null 2>&1"))
	dirs, list := farm.Dir(), farm.Processes()
	if os.Geteuid() == 0 {
		net := testbed.Namespaces(t, 2)
		run(t, net.Command(0, "ssh", "h2", "setsid -f sleep 986 </dev/null >/dev/null 2>&1"))
		run(t, net.Command(1, "sh", "-c", "setsid -f sleep 985 >/dev/null 2>&1"))
		dirs, list = dirs+" "+net.Dir(), append(list, net.Processes()...)
	}
	os.Stderr.WriteString("dirs " + dirs + "\n")
	for _, p := range list {
		os.Stderr.WriteString("process " + strings.Join(p.Args, " ") + "\n")
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	self.Kill()
	select {}
}

func TestBedsEndWithATestThatIsKilled(t *testing.T) {
	farm := testbed.SSH(t, 1) // or skip
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestDieWithBedsUp$")
	cmd.Env = append(os.Environ(), deathVariable+"=1", "TMPDIR="+farm.Dir())
	said, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the process was to kill itself:\n%s", said)
	}
	var dirs []string
	sleeps := 0
	for s := bufio.NewScanner(strings.NewReader(string(said))); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "dirs "); ok {
			dirs = strings.Fields(rest)
		}
		if strings.HasPrefix(s.Text(), "process sleep") {
			sleeps++
		}
	}
	if len(dirs) == 0 || sleeps == 0 {
		t.Fatalf("the beds did not come up:\n%s", said)
	}
	eventually(t, "no process speaks of the beds' directories, which are gone", func() bool {
		lines, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range lines {
			env, _ := os.ReadFile(name)
			args, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
			for _, dir := range dirs {
				if strings.Contains(string(env)+string(args), dir) {
					return false
				}
			}
		}
		for _, dir := range dirs {
			if _, err := os.Stat(dir); err == nil {
				return false
			}
		}
		return true
	})
}
