package launcher

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// dumpable reports whether others may look at the memory of this process.
func dumpable(t *testing.T) bool {
	t.Helper()
	n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

// S24: nobody may look at the launcher while it has keys, and it has them no longer than
// it takes to hand them out.
func TestS24KeysAreHiddenAndForgotten(t *testing.T) {
	if !dumpable(t) {
		t.Skip("this process cannot be looked at in the first place")
	}
	var p *jobPlan
	hiddenThen := false
	planned = func(its *jobPlan) { p, hiddenThen = its, !dumpable(t) }
	defer func() { planned = func(*jobPlan) {} }()
	for _, c := range []struct {
		name string
		job  func() *trial
	}{
		{"several hosts", func() *trial { tr, _ := onHosts(t, 2, 2, "@report-signals"); return tr }},
		{"tcp", func() *trial {
			tr := newTrial(t, 2, "@report-signals")
			tr.job.Transport = "tcp"
			return tr
		}},
		{"no keys", func() *trial { return newTrial(t, 2, "@report-signals") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := c.job()
			tr.start().stdout.await(t, "ready", 2)
			if !hiddenThen {
				t.Error("the launcher can be looked at while it makes keys")
			}
			if !dumpable(t) {
				t.Error("the launcher cannot be looked at while the job runs")
			}
			tr.signals <- unix.SIGUSR1
			tr.wait().expect(0)
			if p.hasKeys() { // at the end they are not given up any more
				t.Error("the launcher had keys while the job ran")
			}
		})
	}
	// A job that comes to nothing.
	tr := newTrial(t, 2)
	tr.job.Transport, tr.job.Apps[0].Argv = "tcp", []string{"no-such-program"}
	if tr.run(); tr.result.Code != ExitSpawn || !dumpable(t) {
		t.Errorf("after a job that could not be started (%v) the launcher can be looked at: %v", tr.err, dumpable(t))
	}
}

// S26: a program that runs what its user names must not have other rights than him.
func TestS26SetUserIDIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this test makes a file of another user's: run it as root")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "TestS26")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Flags&unix.ST_NOSUID != 0 {
		t.Skipf("%s is mounted nosuid: set TMPDIR to a directory that is not", dir)
	}
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "muster")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		uid, gid int
		mode     os.FileMode
		args     []string
		code     int
		want     string
	}{
		{"launcher, user", nobody, 0, os.ModeSetuid, []string{"launch", "1", "@leave"}, ExitUsage, "muster was started by user 0 and has the rights of user 65534"},
		{"launcher, group", 0, nobody, os.ModeSetgid, []string{"launch", "1", "@leave"}, ExitUsage, "muster was started by group 0 and has the rights of group 65534"},
		{"agent", nobody, 0, os.ModeSetuid, []string{"agent"}, 64, "muster was started by user 0 and has the rights of user 65534"},
		{"as it should be", 0, 0, 0, []string{"launch", "1", "@leave"}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.Chown(path, c.uid, c.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o755|c.mode); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, c.args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
				t.Errorf("exit code %d, %q; want %d and %q", cmd.ProcessState.ExitCode(), out, c.code, c.want)
			}
		})
	}
}

// S26: on several hosts root is warned, once; on one, where containers are, it is not.
func TestS26RootIsWarnedOnSeveralHosts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root is warned: run this test as root")
	}
	defer func(before func() bool) { inContainer = before }(inContainer)
	const warning = "muster: warning: this runs as root"
	for container, want := range map[bool]int{false: 1, true: 0} {
		inContainer = func() bool { return container }
		tr, _ := onHosts(t, 2, 2, "@leave")
		tr.run().expect(0)
		if n := strings.Count(tr.stderr.String(), warning); n != want {
			t.Errorf("in a container %v: %d warnings on two hosts, want %d: %s", container, n, want, tr.stderr)
		}
		newTrial(t, 2, "@leave").run().expect(0, "!"+warning)
	}
}

// S20: what makes loaders, shells and runtimes run code is not carried to other hosts.
func TestS20EnvironmentCarriesNoCodeToOtherHosts(t *testing.T) {
	forbidden := []string{
		"LD_AUDIT", "LD_PRELOAD", "GLIBC_TUNABLES", "BASH_ENV", "ENV", "BASH_FUNC_ls%%", "GODEBUG", "GOTRACEBACK", "SSLKEYLOGFILE",
		"MUSTER_AGENT", "PATH", "SSH_AUTH_SOCK",
	}
	tr, _ := onHosts(t, 1, 1, "@environment")
	for _, name := range forbidden {
		if name != "PATH" {
			t.Setenv(name, "canary=0")
		}
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/canary=0")
	t.Setenv("OMP_NUM_THREADS", "3")
	tr.job.Apps[0].Env = append(tr.job.Apps[0].Env, "GODEBUG=execerrdot=0")
	tr.run().expect(0)
	out := tr.stdout.String()
	if strings.Contains(out, "canary") {
		t.Errorf("the other host's rank has\n%s", out)
	}
	for _, want := range []string{"has OMP_NUM_THREADS=3\n", "has GODEBUG=execerrdot=0\n", "has TESTBED_HOST=node1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the other host's rank lacks %q:\n%s", want, out)
		}
	}
}

// S6: a report is put in the place of a regular file, or of none.
func TestS6ReportGoesToRegularFilesOnly(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(elsewhere, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(elsewhere, path) },
		"link away": func(path string) error { return os.Symlink(filepath.Join(dir, "new"), path) },
		"pipe":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, name)
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		tr := newTrial(t, 1, "@leave")
		tr.job.Report = path
		if tr.run(); tr.result.Code != ExitUsage || tr.err == nil || !strings.Contains(tr.err.Error(), path+" is no regular file") ||
			!strings.Contains(tr.err.Error(), "of user ") {
			t.Errorf("%s: code %d, %v, want %d and who owns what", name, tr.result.Code, tr.err, ExitUsage)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().IsRegular() {
			t.Errorf("%s: %v is there now, %v", name, info, err)
		}
	}
	if got, _ := os.ReadFile(elsewhere); string(got) != "precious" || len(names(t, dir)) != 4 {
		t.Errorf("elsewhere it says %q, and %v are there", got, names(t, dir))
	}
	// Planted while the job runs.
	tr := newTrial(t, 1, "@report-signals")
	tr.job.Report = filepath.Join(dir, "late")
	tr.start().stdout.await(t, "ready", 1)
	if err := os.Symlink(elsewhere, tr.job.Report); err != nil {
		t.Fatal(err)
	}
	tr.signals <- unix.SIGUSR1
	// Without a report to read there is nothing for expect.
	if tr.wait(); tr.result.Code != 0 || tr.err != nil || !strings.Contains(tr.stderr.String(), "late is no regular file") {
		t.Errorf("got code %d, %v, want 0 and a line on the report\n%s", tr.result.Code, tr.err, tr.stderr)
	}
	if got, _ := os.ReadFile(elsewhere); string(got) != "precious" {
		t.Errorf("elsewhere it says %q", got)
	}
}
