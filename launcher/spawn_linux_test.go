package launcher

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestF22SpawnFailureIsOneSentence(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing"), "no such file or directory"},
		{"no-such-program", "no such program in PATH"},
		{dir, "is a directory"},
		{write("plain", 0o600, "x"), "is not executable: permission denied"},
		{write("foreign", 0o700, "\x7fELF\x02\x01\x01\x00garbage"), "is no program for this machine (exec format error)"},
		{write("script", 0o700, "#!/no/such/interpreter\n"), "its interpreter or loader is missing"},
	} {
		tr := newTrial(t, 2, "@hang") // two good ranks first
		tr.job.Apps = append(tr.job.Apps, App{Ranks: 2, Argv: []string{c.path}, Env: []string{tr.mark}})
		begin := time.Now()
		tr.run().within(begin, time.Second)
		if tr.result.Code != ExitSpawn || tr.err == nil || !strings.HasPrefix(tr.err.Error(), "cannot start rank 2 on ") ||
			!strings.Contains(tr.err.Error(), c.want) {
			t.Errorf("%s: got code %d, error %v, want %d and %q", c.path, tr.result.Code, tr.err, ExitSpawn, c.want)
		}
		if tr.stderr.String() != "" {
			t.Errorf("%s: shown besides the error: %s", c.path, tr.stderr)
		}
	}
	tr := newTrial(t, 1, "@leave")
	tr.job.Apps[0].Dir = filepath.Join(dir, "nowhere")
	if tr.run(); tr.result.Code != ExitSpawn || tr.err == nil || !strings.Contains(tr.err.Error(), "working directory") {
		t.Errorf("missing directory: got code %d, error %v", tr.result.Code, tr.err)
	}
}

func TestJobThatMakesNoSenseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Job){
		"no programs":    func(j *Job) { j.Apps = nil },
		"no ranks":       func(j *Job) { j.Apps[0].Ranks = 0 },
		"too many ranks": func(j *Job) { j.Apps[0].Ranks = 1 << 30 },
		"no name":        func(j *Job) { j.Apps[0].Argv = nil },
		"zero byte":      func(j *Job) { j.Apps[0].Argv = []string{"a\x00b"} },
		"transport":      func(j *Job) { j.Transport = "carrier pigeon" },
		"binding":        func(j *Job) { j.BindTo = "socket" },
		"stdin":          func(j *Job) { j.Stdin, j.StdinTo = strings.NewReader(""), "2" },
	} {
		tr := newTrial(t, 2, "@leave")
		change(&tr.job)
		if tr.run(); tr.result.Code != ExitUsage || tr.err == nil {
			t.Errorf("%s: got code %d, error %v, want %d", name, tr.result.Code, tr.err, ExitUsage)
		}
	}
}

// limited runs a job in a launcher process under shell settings.
func limited(t *testing.T, settings string, args ...string) (string, int) {
	t.Helper()
	mark := fmt.Sprintf("TEST_TRIAL=%s-%d", t.Name(), time.Now().UnixNano())
	cmd := exec.Command("sh", append([]string{"-c", settings + `; exec "$0" launch "$@"`, os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), mark)
	cmd.WaitDelay = 10 * time.Second
	out, _ := cmd.CombinedOutput()
	assertClean(t, mark)
	return string(out), cmd.ProcessState.ExitCode()
}

func TestF54DescriptorLimitIsSaidAtStart(t *testing.T) {
	out, code := limited(t, "ulimit -n 64", "16", "@leave")
	if code != ExitResource || !strings.Contains(out, "muster: 16 ranks need 168 descriptors in their agent, the limit is 64 (ulimit -n)\n") {
		t.Errorf("got code %d, %q", code, out)
	}
	// A soft limit is no obstacle.
	if out, code := limited(t, "ulimit -S -n 40", "16", "@leave"); code != 0 {
		t.Errorf("soft limit: got code %d, %q", code, out)
	}
}

func TestF55ProcessLimitIsSaid(t *testing.T) {
	dir := filepath.Join("/sys/fs/cgroup/pids", fmt.Sprintf("muster-test-%d", os.Getpid()))
	if os.Mkdir(dir, 0o755) != nil {
		t.Skip("no pids cgroup can be made here")
	}
	defer os.Remove(dir)
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte("70"), 0); err != nil {
		t.Skip(err)
	}
	// The ranks have one thread each; the launcher and the agent some more.
	out, code := limited(t, "echo $$ > "+dir+"/cgroup.procs; export TEST_PROGRAM=sleep", "90", "60")
	if code != ExitSpawn || !strings.Contains(out, "the limit of processes is reached (resource temporarily unavailable") {
		t.Errorf("got code %d, %q", code, out)
	}
}

func TestF67WeirdInheritedState(t *testing.T) {
	for _, settings := range []string{
		"exec 0<&-",
		"exec 0<&- 1>&-",
		"trap '' PIPE CHLD HUP INT TERM",
		"umask 0777",
		"d=$(mktemp -d); cd $d; rmdir $d",
		"export TMPDIR=/no/such/directory",
		"unset HOME PATH",
		"export MUSTER_CONTROL=7 MUSTER_RANK=5 MUSTER_SIZE=9 MUSTER_JOB=x MUSTER_AGENT=9",
	} {
		if out, code := limited(t, settings, "2", "@leave"); code != 0 {
			t.Errorf("%s: got code %d, %q", settings, code, out)
		}
	}
	// No descriptor at all: nothing can be shown, the code is right all the same.
	if _, code := limited(t, "exec 0<&- 1>&- 2>&-", "2", "@exit", "1", "3"); code != 3 {
		t.Errorf("no descriptors: got code %d, want 3", code)
	}
}

func TestStdinReachesTheRanksThatReadIt(t *testing.T) {
	const size = 3 << 20
	for to, want := range map[string]map[int]int{
		"":     {0: size, 1: 0, 2: 0},
		"1":    {0: 0, 1: size, 2: 0},
		"all":  {0: size, 1: size, 2: size},
		"none": {0: 0, 1: 0, 2: 0},
	} {
		tr := newTrial(t, 3, "cat")
		tr.job.Stdin, tr.job.StdinTo = io.LimitReader(zeros{}, size), to
		tr.run().expect(0)
		for rank, n := range want {
			if line := fmt.Sprintf("rank %d read %d bytes, <nil>\n", rank, n); !strings.Contains(tr.stdout.String(), line) {
				t.Errorf("to %q: output %q lacks %q", to, tr.stdout, line)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestCoresAreShared(t *testing.T) {
	tr := newTrial(t, 2, "@env", "all")
	tr.job.BindTo, tr.job.ReportBind = "core", true
	tr.run().expect(0, "rank 0 (host", "bound to CPU ")
	if !strings.Contains(tr.stdout.String(), "job "+tr.result.Job) || strings.Count(tr.stdout.String(), "GOMAXPROCS 1 ") != 2 && len(tr.result.Ranks[0].CPUs) == 1 {
		t.Errorf("job %s, output %q", tr.result.Job, tr.stdout)
	}
	tr = newTrial(t, 2, "@env", "all")
	tr.job.Apps[0].Env = append(tr.job.Apps[0].Env, "GOMAXPROCS=7")
	if tr.run().expect(0); strings.Count(tr.stdout.String(), "GOMAXPROCS 7 ") != 2 {
		t.Errorf("the user's GOMAXPROCS is not kept: %q", tr.stdout)
	}
}

func TestLeftoversAreListedAndStrictFails(t *testing.T) {
	for strict, code := range map[bool]int{false: 0, true: ExitLeftover} {
		tr := newTrial(t, 2, "@leftovers")
		tr.job.Strict = strict
		tr.run().expect(code, "2 messages from rank 0 to rank 1 never received: tag 5, 24 bytes on world")
		if len(tr.result.Leftovers) != 2 {
			t.Errorf("got %d leftovers, want 2", len(tr.result.Leftovers))
		}
	}
}

func TestReportHoldsWhatTheBannerSays(t *testing.T) {
	tr := afterStartUp(func() *trial {
		return newTrial(t, 3, "@signal", "1", "9").run()
	})
	tr.expect(137)
	data, err := os.ReadFile(tr.job.Report)
	if err != nil {
		t.Fatal(err)
	}
	var r Result
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if r.Code != 137 || r.Failure == nil || r.Failure.Rank != 1 || r.Failure.PID == 0 || r.Ranks[1].Signal != 9 ||
		!r.Ranks[0].ByMuster || len(r.Failure.Others) != 2 || r.Failure.Others[0].Blocked == "" || r.Failure.Time.IsZero() {
		t.Errorf("got %s", data)
	}
}
