package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher"
)

// pod makes the test binary a program of ranks; nil where no test wants that.
var pod func()

// TestMain makes the test binary the muster command, or a program of ranks, when it is
// asked to.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("TEST_AS_COMMAND") != "":
		main()
	case os.Getenv("TEST_AS_POD") != "":
		pod()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// muster runs the command as a process of its own.
func muster(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "TEST_AS_COMMAND=1")
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestCommandsAnswer(t *testing.T) {
	workplace(t)
	for _, test := range []struct {
		line           string
		code           int
		stdout, stderr string // how they begin
	}{
		{"", 64, "", "Muster starts, watches"},
		{"help", 0, "Muster starts, watches", ""},
		{"--help", 0, "Muster starts, watches", ""},
		{"help -h", 0, "Muster starts, watches", ""},
		{"help help", 0, "Muster starts, watches", ""},
		{"help run", 0, "muster run [flags] TARGET", ""},
		{"run -h", 0, "muster run [flags] TARGET", ""},
		{"run --help -n", 0, "muster run [flags] TARGET", ""},
		{"help exit-codes", 0, "Exit codes of muster run", ""},
		{"help env", 0, "Environment", ""},
		{"help manifest", 0, "muster manifest kubernetes -n N", ""},
		{"manifest kubernetes -n 2 --image i", 0, "apiVersion: v1\nkind: Secret", ""},
		{"manifests", 64, "", `muster: "manifests" is no command; did you mean muster manifest?`},
		{"help me", 64, "", `muster: no help on "me": expected run, ps, kill, stacks, bench, explain, tune, doctor, manifest, exit-codes or env`},
		{"version", 0, "muster ", ""},
		{"rum ./a", 64, "", `muster: "rum" is no command; did you mean muster run?`},
		{"./a", 64, "", `muster: "./a" is no command; to run a program, say muster run -n N "./a"`},
		{"-n 4 ./a", 64, "", `muster: "-n": expected a command before the flags; say muster run "-n" …`},
		{"run", 64, "", "muster: no program named"},
		{"run -n x ./a", 64, "", `muster: -n: "x": expected a number of ranks`},
		{"run ./none", 66, "", "muster: ./none: no such file or directory"},
		{"run ./m.txt", 66, "", "muster: ./m.txt is not executable (chmod +x, or name a Go package or file): permission denied"},
		{"run --dry-run -n 3 ./a", 0, "3 ranks on this host", ""},
	} {
		if err := os.WriteFile("m.txt", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := muster(t, strings.Fields(test.line)...)
		if code != test.code || !strings.HasPrefix(stdout, test.stdout) || !strings.HasPrefix(stderr, test.stderr) ||
			(stdout == "") != (test.stdout == "") || (stderr == "") != (test.stderr == "") {
			t.Errorf("muster %s: exit code %d, want %d\nstdout: %.300s\nstderr: %.300s", test.line, code, test.code, stdout, stderr)
		}
	}
}

func TestMessagesCannotDriveATerminal(t *testing.T) {
	_, stderr, _ := muster(t, "run", "./\x1b]0;title\a")
	if want := "muster: ./" + `\x1b]0;title\x07` + ": no such file or directory\n"; stderr != want {
		t.Errorf("got %q, want %q", stderr, want)
	}
}

// ownCache gives the test a cache of programs of its own. The go command keeps
// the one it has: an empty one would cost half a minute.
func ownCache(t *testing.T, dir string) {
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
	t.Setenv("XDG_CACHE_HOME", dir)
}

func TestCompilerMessagesAreShownAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	os.WriteFile("go.mod", []byte("module example.com/m\n\ngo 1.26\n"), 0o644)
	os.WriteFile("main.go", []byte("package main\n\nfunc main() { missing() }\n"), 0o644)
	ownCache(t, filepath.Join(dir, "cache"))
	stdout, stderr, code := muster(t, "run", "-n", "2", ".")
	want := "# example.com/m\n./main.go:3:15: undefined: missing\nmuster: building . failed\n"
	if code != launcher.ExitSpawn || stdout != "" || stderr != want {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s\nwant: %s", code, launcher.ExitSpawn, stdout, stderr, want)
	}
}

// launched replaces the launcher by one that keeps the job.
func launched(t *testing.T, args ...string) (launcher.Job, int, string) {
	t.Helper()
	saved := launch
	defer func() { launch = saved }()
	var job launcher.Job
	launch = func(_ context.Context, j launcher.Job, _ launcher.Signals) (int, error) {
		job = j
		return 42, nil
	}
	var stdout, stderr strings.Builder
	code := run(args, &stdout, &stderr)
	return job, code, stderr.String()
}

func TestJobIsWhatTheCommandLineSays(t *testing.T) {
	dir := workplace(t)
	job, code, said := launched(t, strings.Fields(
		"-n 2 -x A=1 -wd /d -l --output-policy drop --timeout 5 --eager 4K --color always ./a -n 3 : -n 500 ./a")...)
	if code != 42 {
		t.Fatalf("exit code %d, want the launcher's\n%s", code, said)
	}
	want := launcher.Job{
		Apps: []launcher.App{
			{Ranks: 2, Argv: []string{dir + "/a", "-n", "3"}, Env: []string{"A=1"}, Dir: "/d", Files: []string{"MUSTER_TUNE"}},
			{Ranks: 500, Argv: []string{dir + "/a"}, Files: []string{"MUSTER_TUNE"}},
		},
		Stdin:      os.Stdin,
		Stdout:     job.Stdout,
		Stderr:     job.Stderr,
		Output:     launcher.Output{Tag: true, Color: true, DropOnSlow: true},
		Timeout:    5 * time.Second,
		EagerBytes: 4096,
	}
	if !reflect.DeepEqual(job, want) {
		t.Errorf("got %+v\nwant %+v", job, want)
	}
	if note := "muster: note: 502 ranks share "; !strings.HasPrefix(said, note) || strings.Count(said, "\n") != 1 {
		t.Errorf("said %q, want one line that begins %q", said, note)
	}
	job, _, said = launched(t, "-n", "500", "--oversubscribe", "--stdin", "none", "./a")
	if said != "" || job.Stdin != nil || job.StdinTo != "none" {
		t.Errorf("said %q, stdin %v to %q", said, job.Stdin, job.StdinTo)
	}
}

func TestSourceIsBuiltBeforeTheJob(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	os.WriteFile("go.mod", []byte("module example.com/m\n\ngo 1.26\n"), 0o644)
	os.WriteFile("main.go", []byte("package main\n\nfunc main() { println(1) }\n"), 0o644)
	ownCache(t, filepath.Join(dir, "cache"))
	job, code, said := launched(t, ".", "argument")
	if code != 42 || len(job.Apps) != 1 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	argv := job.Apps[0].Argv
	if name := strings.TrimSuffix(filepath.Base(argv[0]), ".exe"); name != "m" || len(argv) != 2 || argv[1] != "argument" {
		t.Errorf("the program is %q", argv)
	}
	if cached, _ := filepath.Glob(filepath.Join(dir, "cache", "muster", "build", "*", "run.*", "m")); len(cached) != 1 && runtime.GOOS == "linux" {
		t.Errorf("the cache holds %q", cached)
	}
}
