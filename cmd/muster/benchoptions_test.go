package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/internal/gobuild"
	"github.com/muster-mpi/muster/launcher"
)

func TestBenchLineIsWhatItSays(t *testing.T) {
	b, err := parseBench(strings.Fields("p2p rate -n 8 latency --transport unix,tcp-tls --against mpich -m 1K:4096 -i 50 -W 8 " +
		"--rounds 7 --repeat=3 --time 20ms --compute 1 -c -f --limits=false --json a --csv b rate"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.tests, []string{"rate", "latency"}) || b.ranks[0] != 8 || len(b.transports) != 2 || b.transports[1].name != "tcp-tls" ||
		!slices.Equal(b.against, []string{"mpich"}) || b.rounds != 7 || !b.validate || !b.full || *b.limits || b.json != "a" || b.csv != "b" || b.compute != time.Second {
		t.Errorf("got %+v", b)
	}
	want := "-t rate -l 1024 -h 4096 -r 3 -i 50 -x 5 -W 8 -T 20000000ns -C 1000000000ns -c"
	if got := strings.Join(b.programArgs("rate"), " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestBenchDefaults(t *testing.T) {
	for _, test := range []struct {
		line           string
		rounds, repeat int
		limits         bool
		ranks          string
	}{
		{"p2p", 1, 10, false, "2"},
		{"p2p --limits", 1, 10, true, "2"},
		{"p2p --against openmpi", 6, 10, true, "2"},
		{"coll", 1, 10, false, "2,4,8"},
		{"coll -n 3 --against openmpi", 6, 10, false, "3"},
		{"startup", 1, 1, false, "8,128"},
		{"startup -n 4 --against mpich,openmpi,mpich", 6, 1, true, "4"},
	} {
		b, err := parseBench(strings.Fields(test.line))
		if err != nil || b.rounds != test.rounds || b.repeat != test.repeat || *b.limits != test.limits || joinNumbers(b.ranks) != test.ranks {
			t.Errorf("%s: got %+v, %v", test.line, b, err)
		}
	}
	b, _ := parseBench([]string{"p2p"})
	for name, want := range map[string]string{
		"latency": "-l 0 -h 67108864", "bw": "-l 1 -h 67108864", "rate": "-l 64 -h 64", "overlap": "-l 4194304 -h 4194304",
	} {
		if args := strings.Join(b.programArgs(name), " "); !strings.HasPrefix(args, "-t "+name+" "+want+" -r 10 -i 0 -x 0 -W 0 -T 5000000ns") {
			t.Errorf("%s: %s", name, args)
		}
	}
	if len(b.transports) < 3 || !slices.Equal(b.transports, benchTransports()) || len(b.tests) != len(p2pTests) {
		t.Errorf("got %+v", b)
	}
}

func TestBenchCollLineIsWhatItSays(t *testing.T) {
	b, err := parseBench(strings.Fields("coll reduce -n 3,8 barrier bcast -m 64KiB:128KiB,8,12 --repeat 4 --budget 3s --using binomial --local --transport unix"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.tests, []string{"reduce", "barrier", "bcast"}) || !slices.Equal(b.sizes, []int{8, 12, 65536, 131072}) || b.using != "binomial" ||
		len(b.transports) != 2 || b.transports[0].name != "unix" || b.transports[1] != goroutines {
		t.Errorf("got %+v", b)
	}
	for test, want := range map[string]string{"reduce": "8,65536,131072", "barrier": "0", "bcast": "8,12,65536,131072"} {
		sizes, note := b.sizesOf(test, 8, 1<<30)
		if got := joinNumbers(sizes); got != want || note != "" {
			t.Errorf("%s: sizes %s, want %s; note %q", test, got, want, note)
		}
	}
	want := "-t reduce -s 8,64 -r 4 -i 0 -x 0 -T 5000000ns -b 3000000000ns"
	if got := strings.Join(b.collectiveArgs("reduce", []int{8, 64}), " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if b, err = parseBench(strings.Fields("coll bcast -m 5")); err != nil || joinNumbers(b.sizes) != "1,2,4" {
		t.Errorf("a size alone: got %+v, %v", b, err)
	}
	if b, err = parseBench([]string{"coll"}); err != nil || len(b.transports) != 1 || b.transports[0] != benchTransports()[0] || len(b.tests) != 12 || joinNumbers(b.sizes) != "8,4096,65536,1048576,16777216" {
		t.Errorf("got %+v, %v", b, err)
	}
}

// Buffers that would not fit are not made, and it is said.
func TestBenchLeavesOutWhatDoesNotFit(t *testing.T) {
	b, err := parseBench(strings.Fields("coll -m 8,1MiB,16MiB"))
	if err != nil {
		t.Fatal(err)
	}
	const memory = 1 << 30
	for _, test := range []struct {
		name  string
		ranks int
		want  string
		note  string
	}{
		{"allreduce", 16, "8,1048576,16777216", ""}, // 16·2·16 MiB are just half
		{"alltoall", 4, "8,1048576,16777216", ""},
		{"alltoall", 8, "8,1048576", "alltoall on 8 ranks is not measured from 16777216 bytes on: the buffers would take 2048 MiB, more than half of the memory"},
		{"gather", 8, "8,1048576", "gather on 8 ranks is not measured from 16777216 bytes on: the buffers would take 1152 MiB, more than half of the memory"},
	} {
		sizes, note := b.sizesOf(test.name, test.ranks, memory)
		if got := joinNumbers(sizes); got != test.want || note != test.note {
			t.Errorf("%s on %d ranks: got %s, %q", test.name, test.ranks, got, note)
		}
	}
	r := &benchRun{line: b}
	r.line.tests, r.line.ranks, r.line.sizes = []string{"alltoall"}, []int{1 << 15}, []int{1 << 20}
	r.report.Environment.MemoryMB = 1024
	if _, _, err := r.collectives(); err == nil || !strings.Contains(err.Error(), "nothing is left to measure: alltoall on 32768 ranks") {
		t.Errorf("got %v", err)
	}
}

// Whatever muster run has as a transport, muster bench measures, and nothing else.
func TestBenchHasTheTransportsOfRun(t *testing.T) {
	for _, tr := range benchTransports() {
		line := []string{"--transport", tr.job, "./a"}
		if tr.insecure {
			line = append([]string{"--insecure-wire"}, line...)
		}
		if _, err := parse(line, lookup); err != nil {
			t.Errorf("%s: %v", tr.name, err)
		}
	}
}

func TestBenchMistakesAreExplained(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"", "no benchmark named: expected muster bench p2p, coll, startup, scaling or compare"},
		{"collectives", `"collectives" is no benchmark: expected p2p, coll, startup, scaling or compare`},
		{"p2p latncy", `"latncy" is no test: expected latency, bw, bibw, rate, overlap`},
		{"startup latency", `"latency": muster bench startup has no tests to choose from`},
		{"p2p -n 1", "-n: 1 ranks: expected one even number, 2 at least, since the ranks talk in pairs"},
		{"p2p -n 3", "-n: 3 ranks: expected one even number, 2 at least, since the ranks talk in pairs"},
		{"p2p -n 2,4", "-n: 2,4 ranks: expected one even number, 2 at least, since the ranks talk in pairs"},
		{"startup -n 8,x", `-n: "x": expected a number of ranks, 1 to 65536`},
		{"p2p -n", "-n: expected -n N"},
		{"p2p -m 8:4", `-m: "8:4": expected the smaller size first`},
		{"p2p -m 1:2:3", `-m: "1:2:3": expected MIN:MAX or MAX in bytes up to 1GiB, such as 0:4096 or 1KiB:64MiB`},
		{"p2p -m 2GiB", `-m: "2GiB": expected MIN:MAX or MAX in bytes up to 1GiB, such as 0:4096 or 1KiB:64MiB`},
		{"p2p -i 0", `-i: "0": expected a number of iterations, 1 to 16777216`},
		{"p2p --against intel", `--against: "intel": expected a peer, of openmpi, mpich`},
		{"p2p --transport pigeon", `--transport: "pigeon": expected a transport, of ` + strings.Join(transportNames(), ", ")},
		{"p2p --time 0", `--time: "0": expected a time above zero, such as 30s, 5m or 1h30m; a bare number is seconds`},
		{"p2p --json=", "--json: expected a file, not an empty name"},
		{"p2p --limits=some", `--limits: "some": expected true or false`},
		{"startup -m 8", "-m is a flag of muster bench p2p and coll"},
		{"coll -W 8", "-W is a flag of muster bench p2p"},
		{"p2p --local", "--local is a flag of muster bench coll"},
		{"coll broadcast", `"broadcast" is no test: expected barrier, bcast, gather, scatter, allgather, alltoall, reduce, allreduce, reducescatter, reducescatterblock, scan, exscan`},
		{"coll -m 8,x", `-m: "8,x": expected sizes in bytes up to 1GiB, or MIN:MAX, with commas between, such as 8,4KiB,64KiB:1MiB`},
		{"coll bcast allreduce -m 4", "-m: allreduce adds float64, and none of the sizes is a multiple of 8"},
		{"coll --using=", "--using: expected an algorithm, not an empty name"},
		{"p2p --memory 8", "--memory is a flag of muster bench startup"},
		{"p2p --agianst mpich", `no flag "--agianst"; did you mean --against?`},
		{"p2p --colour", `no flag "--colour"; muster help bench lists them`},
	} {
		if _, err := parseBench(strings.Fields(test.line)); err == nil || err.Error() != test.want {
			t.Errorf("muster bench %s\n got: %v\nwant: %s", test.line, err, test.want)
		}
	}
}

func transportNames() []string {
	var names []string
	for _, tr := range benchTransports() {
		names = append(names, tr.name)
	}
	return names
}

func TestEveryBenchFlagIsKnownOnceAndExplained(t *testing.T) {
	seen := make(map[string]bool)
	for _, o := range benchOptions {
		for _, n := range o.names {
			if seen[n] {
				t.Errorf("two flags are called %s", n)
			}
			seen[n] = true
			if !strings.Contains(benchHelp(), dashed(n, n != o.names[0])) {
				t.Errorf("the help does not name %s", n)
			}
		}
	}
	for line := range strings.Lines(benchHelp()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// Mistakes show before anything is measured, or built.
func TestBenchFailsBeforeItMeasures(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "such")
	for _, test := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"bench"}, launcher.ExitUsage, "muster: no benchmark named"},
		{[]string{"bench", "p2p", "-n", "5"}, launcher.ExitUsage, "muster: -n: 5 ranks"},
		{[]string{"bench", "p2p", "--json", missing}, launcher.ExitResource, "muster: open " + missing + ": "},
		{[]string{"bench", "startup", "--csv", missing}, launcher.ExitResource, "muster: open " + missing + ": "},
	} {
		stdout, stderr, code := muster(t, test.args...)
		if code != test.code || stdout != "" || !strings.HasPrefix(stderr, test.said) {
			t.Errorf("muster %v: exit code %d, want %d\n%s", test.args, code, test.code, stderr)
		}
	}
	for _, args := range [][]string{{"help", "bench"}, {"bench", "-h"}, {"bench", "p2p", "--help"}} {
		if stdout, _, code := muster(t, args...); code != 0 || stdout != benchHelp() {
			t.Errorf("muster %v: exit code %d, %.100q", args, code, stdout)
		}
	}
}

// A file that was there keeps what it holds when a benchmark fails, and none is
// left that was not there.
func TestFailedBenchLeavesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "new")
	if err := os.WriteFile(old, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	stdout, stderr, code := muster(t, "bench", "p2p", "--json", old, "--csv", fresh, "--against", "openmpi")
	if code != launcher.ExitSpawn || stdout != "" || !strings.Contains(stderr, "apt-get install openmpi-bin libopenmpi-dev\n") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if text, _ := os.ReadFile(old); string(text) != "before" {
		t.Errorf("the old file holds %q", text)
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("a new file is left")
	}
}

// The error of a job that fails is what its ranks and the launcher said.
func TestBenchShowsWhatAFailedJobSaid(t *testing.T) {
	saved := launch
	defer func() { launch = saved }()
	launch = func(_ context.Context, job launcher.Job, _ launcher.Signals) (int, error) {
		if job.Transport != "tcp" || !job.Insecure || job.Apps[0].Ranks != 4 || job.BindTo != "" || job.Stdin != nil {
			t.Errorf("the job is %+v", job)
		}
		fmt.Fprintln(job.Stderr, "rank 1: byte 5 is wrong")
		return 3, nil
	}
	r := &benchRun{program: map[string]*gobuild.Program{"p2p": {Path: "p2p"}}}
	_, err := r.launched("p2p", "tcp", true)(t.Context(), contest.Test{Name: "bw", Ranks: 4})
	if err == nil || err.Error() != "the job ended with code 3\nrank 1: byte 5 is wrong" {
		t.Errorf("got %v", err)
	}
}

// A line is a benchmark or an error, and what becomes arguments of programs is
// within its bounds.
func FuzzBenchLine(f *testing.F) {
	for _, line := range []string{"p2p", "p2p latency -m 0:64MiB -n 4", "startup -n 8,128", "coll allreduce -m 8,64:4096 -n 3", "coll --local", "p2p --against openmpi,mpich --json a", "p2p -h", "p2p --time 1s -W 4"} {
		f.Add(strings.Join(strings.Fields(line), "\x00"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		b, err := parseBench(strings.Split(line, "\x00"))
		if err != nil || b.help {
			return
		}
		for _, n := range b.ranks {
			if n < 1 || n > maxRanks {
				t.Fatalf("%d ranks", n)
			}
		}
		if b.low < 0 || b.high > maxMessage || b.low > b.high || b.rounds < 1 || b.repeat < 1 || len(b.transports) == 0 {
			t.Fatalf("%+v", b)
		}
	})
}
