package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/bench/scaling"
	"github.com/muster-mpi/muster/launcher"
)

func TestScalingLine(t *testing.T) {
	l, err := parseScaling(strings.Fields("-n 4,1,2 --repeat=9 --threads 2 --cores 8 --weak -n=100*sqrt(p) -x A=1 --transport tcp --bind-to core -race ./prog -m 3"))
	if err != nil {
		t.Fatal(err)
	}
	p := l.run.programs[0]
	if !slices.Equal(l.ranks, []int{4, 1, 2}) || l.repeat != 9 || l.base != 1 || l.cores != 8 || l.weak[0].Arg(4) != "-n=200" ||
		!slices.Equal(p.env, []string{"A=1", "GOMAXPROCS=2"}) || l.run.job.Transport != "tcp" || l.run.job.BindTo != "core" || !slices.Equal(p.build, []string{"-race"}) || !slices.Equal(p.argv, []string{"./prog", "-m", "3"}) {
		t.Errorf("got %+v", l)
	}
	if l, err = parseScaling(strings.Fields("--cores 8 --threads 2 ./prog")); err != nil || !slices.Equal(l.ranks, []int{1, 2, 4, 8}) {
		t.Errorf("%v: ranks %v on 8 cores, two to a rank", err, l.ranks)
	}
	if l, err = parseScaling(strings.Fields("-n 8,4 -- -prog")); err != nil || l.base != 4 || l.run.programs[0].argv[0] != "-prog" {
		t.Errorf("%v: %+v", err, l)
	}
	for _, test := range []struct{ line, want string }{
		{"", "no program named: expected muster bench scaling [flags] TARGET [ARGS]"},
		{"-n 1,2", "no program named: expected muster bench scaling [flags] TARGET [ARGS]"},
		{"-n , ./a", `-n: "": expected numbers of ranks such as 1,2,4, each, 1 to 65536`},
		{"-n 0 ./a", `-n: "0": expected numbers of ranks such as 1,2,4, each, 1 to 65536`},
		{"-n 2,2 ./a", "-n: 2 is there twice"},
		{"-n", "-n: expected -n LIST"},
		{"--base 3 -n 1,2 ./a", "--base: 3 ranks: expected one of -n, 1,2"},
		{"--repeat 0 ./a", `--repeat: "0": expected a number of runs, 1 to 100`},
		{"--weak n=4 ./a", `--weak: "n=4": expected FLAG=BASE*p, such as -n=1000*p, -n=1000*sqrt(p) or -n=1000*p^2/3`},
		{"--weak -n=4*p ./a --n 5", `--weak: "--n" is among the program's arguments too: say it once`},
		{"--weak -n=4*p --weak --n=5*p ./a", "--weak: --n is there twice"},
		{"--time-from x ./a", `--time-from: "x": expected one group in parentheses, around the time`},
		{"--time-from ( ./a", "--time-from: error parsing regexp: missing closing ): `(`"},
		{"-x GOMAXPROCS=4 ./a", "-x GOMAXPROCS: say --threads N, which is in the report"},
		{"--bind-to socket ./a", `--bind-to: "socket": expected none or core, which have a meaning for any number of ranks`},
		{"--insecure-wire ./a", "--insecure-wire: expected --transport tcp with it; the others leave no host and need no TLS"},
		{"-o= ./a", "-o: expected a directory, not an empty name"},
		{"--repeet 3 ./a", `no flag "--repeet"; did you mean --repeat?`},
		{"--colour ./a", `no flag "--colour"; muster bench scaling -h lists them`},
	} {
		if _, err := parseScaling(strings.Fields(test.line)); err == nil || err.Error() != test.want {
			t.Errorf("muster bench scaling %s\n got: %v\nwant: %s", test.line, err, test.want)
		}
	}
}

func TestScalingHelpNamesEveryFlag(t *testing.T) {
	for _, f := range scalingFlags {
		if !strings.Contains(scalingHelp(), "\n  "+f.dashed()) {
			t.Errorf("the help does not name %s", f.dashed())
		}
	}
	for line := range strings.Lines(scalingHelp()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestTimesAreFoundInTheOutput(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
		err  string
	}{
		{"muster-time: 1.5s\n", 1500 * time.Millisecond, ""},
		{"before\nmuster-time: 0.25\nafter", 250 * time.Millisecond, ""},
		{"muster-time:3ms \r\n", 3 * time.Millisecond, ""},
		{"muster-time: 7s", 7 * time.Second, ""},
		{"the muster-time: 1s\nmuster-time: 1s really\n", 0, ""},
		{strings.Repeat("x", 3*longestLine) + "\nmuster-time: 2s\n", 2 * time.Second, ""},
		{"", 0, ""},
		{"muster-time: soon\n", 0, `the program says its time is "soon": expected a time above zero, such as 30s, 5m or 1h30m; a bare number is seconds`},
		{"muster-time: 0s\n", 0, `the program says its time is "0s": expected a time above zero, such as 30s, 5m or 1h30m; a bare number is seconds`},
		{"muster-time: 1s\nmuster-time: 2s\n", 0, `the program says its time 2 times, first "1s" and then "2s": expected one line, of one rank`},
	} {
		for _, piece := range []int{1, 3, 1 << 20} { // the output comes in pieces of any size
			r := &timeReader{form: timeLine}
			for part := range slices.Chunk([]byte(test.text), piece) {
				if n, err := r.Write(part); n != len(part) || err != nil {
					t.Fatalf("%d of %d bytes, %v", n, len(part), err)
				}
			}
			got, ok, err := r.time()
			if message := fmt.Sprint(err); got != test.want || ok != (test.want > 0) || (err != nil) != (test.err != "") || err != nil && message != test.err {
				t.Errorf("%.60q in pieces of %d: got %v, %v, %v; want %v, %s", test.text, piece, got, ok, err, test.want, test.err)
			}
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var w tail
	for i := range 5000 {
		fmt.Fprintf(&w, "line %d\n", i)
	}
	if s := w.String(); len(s) != tailBytes || !strings.HasSuffix(s, "line 4998\nline 4999\n") {
		t.Errorf("%d bytes, the end is %q", len(s), s[len(s)-20:])
	}
}

// studied runs muster bench scaling with a launcher that pretends: job returns the
// exit code of a run.
func studied(t *testing.T, job func(ctx context.Context, job launcher.Job) int, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	workplace(t)
	saved := launch
	defer func() { launch = saved }()
	launch = func(ctx context.Context, j launcher.Job, _ launcher.Signals) (int, error) { return job(ctx, j), nil }
	var out, errs strings.Builder
	code = bench(append([]string{"scaling"}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

func TestScalingRunsWhatTheLineSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "study")
	var seen []string
	stdout, stderr, code := studied(t, func(_ context.Context, job launcher.Job) int {
		a := job.Apps[0]
		seen = append(seen, fmt.Sprintf("%d %s %v %v", a.Ranks, filepath.Base(a.Argv[0]), a.Argv[1:], a.Env))
		fmt.Fprintf(job.Stdout, "hello\nmuster-time: %dms\n", 1000/a.Ranks+100)
		return 0
	}, "-n", "1,2,4", "--cores", "8", "--repeat", "6", "--weak", "-n=10*p", "-o", dir, "./a", "-quiet")
	if code != 0 || stderr != "" || len(seen) != 1+3*6 || seen[0] != "4 a [-n=40 -quiet] [GOMAXPROCS=1]" || seen[1] != "1 a [-n=10 -quiet] [GOMAXPROCS=1]" {
		t.Fatalf("exit code %d, runs %q\n%s", code, seen, stderr)
	}
	for _, want := range []string{"# Weak scaling of ./a -quiet: the work grows with the p ranks, -n=10*p\n", "# time is that of what the program reports; medians of 6 runs", "# Ranks  ", "0.350"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "scaling.json"))
	var got struct {
		Scaling struct{ Points []struct{ Times_s []float64 } }
	}
	if err := errors.Join(err, json.Unmarshal(text, &got)); err != nil || len(got.Scaling.Points) != 3 || got.Scaling.Points[2].Times_s[5] != 0.35 {
		t.Errorf("%v: %s", err, text)
	}
	for _, name := range []string{"index.html", "scaling.csv", "time.svg", "speedup.svg", "efficiency.svg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFailureAtOneSizeLeavesTheOthers(t *testing.T) {
	stdout, stderr, code := studied(t, func(_ context.Context, job launcher.Job) int {
		if job.Apps[0].Ranks == 2 {
			fmt.Fprintln(job.Stderr, "muster: job 1 FAILED: rank 1 \x1b[31mburst")
			return 9
		}
		return 0
	}, "-n", "1,2,4", "--cores", "8", "--repeat", "2", "./a")
	if code != launcher.ExitInternal || strings.Count(stderr, "the job ended with code 9") != 1 ||
		!strings.Contains(stderr, "muster: 2 ranks: the job ended with code 9\nmuster: job 1 FAILED: rank 1 \\x1b[31mburst\nmuster: no further run with 2 ranks\n") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if !strings.Contains(stdout, "\n2           ") || !strings.Contains(stdout, "failed\n") || !strings.Contains(stdout, "2 ranks: left out, since a run failed after 0 good ones: the job ended with code 9\n") {
		t.Errorf("the table:\n%s", stdout)
	}
	dir := filepath.Join(t.TempDir(), "study")
	stdout, stderr, code = studied(t, func(_ context.Context, job launcher.Job) int { return 3 }, "-o", dir, "-n", "1,2", "./a")
	if code != launcher.ExitInternal || stdout != "" || !strings.Contains(stderr, "muster: nothing was measured") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("an empty directory is left")
	}
}

func TestProgramsSayTheirTimeInAllRunsOrInNone(t *testing.T) {
	runs := 0
	_, stderr, code := studied(t, func(_ context.Context, job launcher.Job) int {
		if runs++; runs != 3 {
			fmt.Fprintln(job.Stdout, "muster-time: 1s")
		}
		return 0
	}, "-n", "1,2", "./a")
	if code != launcher.ExitInternal || !strings.HasPrefix(stderr, "muster: 2 ranks: the program does not say its time, and in an earlier run it did") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	_, stderr, code = studied(t, func(context.Context, launcher.Job) int { return 0 }, "-n", "1", "--time-from", "took (.*)", "./a")
	if code != launcher.ExitInternal || !strings.HasPrefix(stderr, `muster: 1 rank: no line of the program's output is matched by --time-from "took (.*)"`) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestAnInterruptedStudyShowsWhatItHas(t *testing.T) {
	workplace(t)
	l, err := parseScaling([]string{"-n", "1,2", "--cores", "2", "./a"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	saved := launch
	defer func() { launch = saved }()
	runs := 0
	launch = func(context.Context, launcher.Job, launcher.Signals) (int, error) {
		if runs++; runs == 6 {
			cancel(interrupted{syscall.SIGINT})
			return 137, nil
		}
		return 0, nil
	}
	var stdout, said strings.Builder
	r := &scalingRun{line: l, path: "a", stderr: &said, study: &scaling.Study{Clock: "the whole job", Program: "./a", Threads: 1, Cores: 2, Base: 1}}
	code := r.outcome(r.measure(ctx), studyFiles{}, &stdout, func(code int, err error) int { fmt.Fprintln(&said, err); return code })
	if code != 130 || said.String() != "interrupt: 4 runs of 14 made\n" || !strings.Contains(stdout.String(), "# Ranks  ") {
		t.Errorf("exit code %d, said %q\n%s", code, said.String(), stdout.String())
	}
}

func TestScalingFailsBeforeItMeasures(t *testing.T) {
	workplace(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"-n", "0", "./a"}, launcher.ExitUsage, `muster: -n: "0": expected`},
		{[]string{"./none"}, launcher.ExitSpawn, "muster: ./none: no such file or directory"},
		{[]string{"-race", "./a"}, launcher.ExitUsage, "muster: -race is for building Go source, and ./a is an executable"},
		{[]string{"-o", filepath.Join(file, "x"), "./a"}, launcher.ExitResource, "muster: mkdir " + file},
	} {
		stdout, stderr, code := muster(t, append([]string{"bench", "scaling"}, test.args...)...)
		if code != test.code || stdout != "" || !strings.HasPrefix(stderr, test.said) {
			t.Errorf("%v: exit code %d, want %d\n%s%s", test.args, code, test.code, stdout, stderr)
		}
	}
	if stdout, _, code := muster(t, "bench", "scaling", "-h"); code != 0 || stdout != scalingHelp() {
		t.Errorf("exit code %d, %.100q", code, stdout)
	}
}
