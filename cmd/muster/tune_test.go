package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

func TestTuneLineIsWhatItSays(t *testing.T) {
	l, err := parseTune(strings.Fields("bcast -n 2,5 reduce bcast -m 8:32,1KiB --local --rounds 3 --repeat=4 --time 1ms --budget 2 -o f --check"))
	if err != nil || !slices.Equal(l.ops, []schedule.Operation{schedule.Bcast, schedule.Reduce}) || !slices.Equal(l.ranks, []int{2, 5}) ||
		!slices.Equal(l.sizes, []int{8, 16, 32, 1024}) || l.transport != "local" || l.rounds != 3 || l.output != "f" || !l.check {
		t.Errorf("got %+v, %v", l, err)
	}
	want := "-t bcast -s 8,16 -a -u shared-memory,binomial,scatter-ring,scatter-doubling,chain,binary-tree,linear -r 4 -T 1000000ns -b 2000000000ns"
	if got := strings.Join(l.programArgs(schedule.Bcast, 5, []int{8, 16}), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if l.transport = "tcp"; slices.Contains(l.ways(schedule.Bcast, 5), tune.SharedForm) {
		t.Error("ranks over tcp share memory")
	}
	if got := l.sizesOf(schedule.AllToAll, 1000, 1<<30); !slices.Equal(got, []int{8, 16, 32}) {
		t.Errorf("sizes %v, want those whose buffers are a quarter of the memory at most", got)
	}
	for line, want := range map[string]string{
		"bcats":               `"bcats" is no operation; did you mean bcast?`,
		"-n 1":                `-n: "1": expected a number of ranks, 2 to 65536`,
		"--transport udp":     `--transport: "udp": expected shm, unix, tcp or local`,
		"--rondus 3":          `no flag "--rondus"; did you mean --rounds?`,
		"bcast -m 8,x":        `-m: "8,x": expected sizes in bytes`,
		"bcast --budget soon": `--budget: "soon": expected a time`,
	} {
		if _, err := parseTune(strings.Fields(line)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("muster tune %s: %v, want %s", line, err, want)
		}
	}
}

// made returns a run in which each way took the time that the map says.
func made(op schedule.Operation, times map[int]map[string]float64) *tuneRun {
	r := &tuneRun{line: &tuneLine{ops: []schedule.Operation{op}, ranks: []int{4}, transport: "local"}, taken: make(map[cell]map[string][]float64)}
	for bytes, ways := range times {
		c := cell{op, 4, bytes}
		r.cells = append(r.cells, c)
		r.taken[c] = make(map[string][]float64)
		for name, ns := range ways {
			r.taken[c][name] = []float64{ns, ns / 2, ns * 9}
		}
	}
	return r
}

func TestTheTableHasTheFastest(t *testing.T) {
	r := made(schedule.AllReduce, map[int]map[string]float64{
		8:       {"shared-memory": 1, "recursive-doubling": 5, "ring": 3, "rabenseifner": 9},
		4096:    {"shared-memory": 9, "recursive-doubling": 10.3, "ring": 20, "rabenseifner": 10},
		65536:   {"shared-memory": 40, "recursive-doubling": 50, "ring": 20, "rabenseifner": 30},
		1 << 20: {"shared-memory": 41, "recursive-doubling": 50, "ring": 20, "rabenseifner": 40.5},
	})
	got := r.table("a command", "1234")
	text := got.String()
	want := `
allreduce ranks=4 hosts=one order=canonical
    below 16KiB   shared-memory or recursive-doubling
    else          rabenseifner

allreduce ranks=4 hosts=one order=ordered
    below 16KiB   shared-memory or recursive-doubling
    else          rabenseifner

allreduce ranks=4 hosts=one order=any
    below 256     shared-memory or ring
    below 16KiB   shared-memory or rabenseifner
    else          ring
`
	if !strings.HasSuffix(text, want) || got.Command != "a command" || got.Commit != "1234" || !strings.Contains(got.Machine, "local") {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if again, err := tune.Parse(text); err != nil || again.Hash() != got.Hash() {
		t.Errorf("read again: %v", err)
	}
}

func TestBoundsLieBetween(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		a := r.IntN(1 << r.IntN(30))
		b := a + 1 + r.IntN(1<<r.IntN(30))
		n := between(a, b)
		if n <= a || n > b || n != b && n&(n-1) != 0 {
			t.Fatalf("%d between %d and %d", n, a, b)
		}
	}
}

func TestCliffsAreTold(t *testing.T) {
	ways := make(map[string]float64)
	for _, a := range algo.Of(schedule.Bcast) {
		ways[a.Name] = 100
	}
	ways[tune.SharedForm] = 124
	var b strings.Builder
	if r := made(schedule.Bcast, map[int]map[string]float64{8: ways}); !r.compare(&b) || !strings.Contains(b.String(), " in 1 of 1 cases.") {
		t.Errorf("said %s", b.String())
	}
	ways[tune.SharedForm] = 126
	b.Reset()
	r := made(schedule.Bcast, map[int]map[string]float64{8: ways})
	if r.compare(&b) || !strings.Contains(b.String(), " in 0 of 1 cases.") || !strings.Contains(b.String(), "  1.26\n") {
		t.Errorf("said %s", b.String())
	}
}

func TestSamplesWithoutAnAlgorithmAreRefused(t *testing.T) {
	for _, out := range []string{"", "hello\n", "sample size=8 calls=3 ns=0 using=a\n", "sample size=8 calls=3 ns=4\n", "sample size=x calls=3 ns=4 using=a\n"} {
		r := &tuneRun{taken: make(map[cell]map[string][]float64)}
		if err := r.add(schedule.Bcast, 2, out); err == nil {
			t.Errorf("%q is taken: %v", out, r.taken)
		}
	}
}

// The whole way: measure, write, explain by the table, and choose by it in a job.
func TestTuneWritesWhatRunReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "here.tune")
	if _, stderr, code := muster(t, strings.Fields("tune bcast barrier -n 2,3 -m 8,4KiB --local --rounds 1 --repeat 1 --time 100us -o "+file)...); code != 0 ||
		!strings.Contains(stderr, " of 6 cases.") {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	table, err := readTable(file)
	if err != nil || len(table.Entries) != 4 {
		t.Fatalf("%v; %+v", err, table)
	}
	stdout, stderr, code := muster(t, "explain", "bcast", "-n", "3", "--transport", "local", "--table", file)
	if code != 0 || !strings.Contains(stdout, "table: bcast ranks=3 hosts=one") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestRunHandsOutTheTable(t *testing.T) {
	dir := workplace(t)
	if err := os.WriteFile("t", []byte(tableText), 0o644); err != nil {
		t.Fatal(err)
	}
	job, code, said := launched(t, strings.Fields("--tune t ./a : -n 2 -wd / ./a")...)
	want := []string{"MUSTER_TUNE=" + dir + "/t"}
	if code != 42 || len(job.Apps) != 2 || !slices.Equal(job.Apps[0].Env, want) || !slices.Equal(job.Apps[1].Env, want) {
		t.Errorf("exit code %d, %+v\n%s", code, job.Apps, said)
	}
	if err := os.WriteFile("t", []byte(tableText+"    below x linear\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	job, code, said = launched(t, strings.Fields("--tune t ./a")...)
	if want := "muster: --tune: t:9:5: a bound after else\n"; code != 66 || len(job.Apps) != 0 || said != want && !strings.HasPrefix(said, "muster: --tune: t:9:") {
		t.Errorf("exit code %d, said %q, want %q", code, said, want)
	}
}
