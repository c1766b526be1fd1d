package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

const tableText = `machine  m
date     d
commit   c
command  muster tune

bcast ranks=8 hosts=one
    below 4KiB    shared-memory or chain
    else          linear
`

// explained runs muster explain in this process.
func explained(t *testing.T, line string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	code = explain(strings.Fields(line), &out, &errs)
	return out.String(), errs.String(), code
}

func TestExplainSaysWhichAndWhy(t *testing.T) {
	if testing.Short() {
		t.Skip("computes for half a minute under the race detector, and nothing runs at once")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("t", []byte(tableText), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line string
		want []string
	}{
		{"allreduce --size 1MiB -n 12 --hosts 3", []string{
			"allreduce of 1MiB (131072 elements of float64), 12 ranks on 3 hosts, shm and tcp, order canonical\n",
			"all calls       ", "(cost walk: ", "shared memory   not for this call (ranks of several hosts share no memory)",
			"  ring: combines in any order, and canonical is asked for\n", "Rabenseifner: Optimization"}},
		{"allreduce --size 1MiB -n 12 --any-order", []string{"order unordered\n", "blocking calls  shared-memory (built in: calls of all sizes)\n"}},
		{"allreduce --type int32 --op ordered", []string{"order ordered\n", "8B (2 elements of int32)"}},
		{"bcast --table t", []string{"blocking calls  shared-memory (table: bcast ranks=8 hosts=one: calls below 4KiB)\nother calls     chain (table: bcast ranks=8 hosts=one, below 4KiB)\n"}},
		{"bcast --table t --size 4KiB", []string{"all calls       linear (table: bcast ranks=8 hosts=one, else)\nshared memory   not for this call (table: "}},
		{"bcast --transport tcp", []string{"shared memory   not for this call (with --transport tcp ranks share no memory)\n"}},
		{"scatter --transport local --size 1MiB", []string{"8 ranks of one process", "not for this call (built in: calls below 128KiB)"}},
		{"bcast --using linear", []string{"all calls       linear (asked for)\n", "*  linear "}},
		{"bcast --using shared-memory", []string{"blocking calls  shared-memory (asked for)\n"}},
		{"barrier -n 1", []string{"barrier, 1 rank of one host, shm\n", "(there is one rank)"}},
		{"gather --size 24 --root 3", []string{"gather of 24B (3 elements", "that for the power of two below the count"}},
		{"allreduce -n 65536 --size 1KiB", []string{"recursive-doubling ", "   pairwise            too long to walk "}},
	} {
		stdout, stderr, code := explained(t, test.line)
		if code != 0 || stderr != "" {
			t.Errorf("muster explain %s: exit code %d\n%s", test.line, code, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("muster explain %s\ndoes not say %q:\n%s", test.line, want, stdout)
			}
		}
	}
}

func TestExplainErrorsSayWhatWasExpected(t *testing.T) {
	if testing.Short() {
		t.Skip("computes long under the race detector, and nothing runs at once")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("t", []byte(tableText+"gather ranks=8 hosts=one\n    else ring\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line string
		code int
		want string
	}{
		{"", 64, "no operation named: expected muster explain barrier, bcast, gather, "},
		{"alreduce", 64, `"alreduce" is no operation; did you mean allreduce?`},
		{"broadcast", 64, `"broadcast" is no operation: expected one of barrier, bcast, `},
		{"bcast gather", 64, `"gather": expected one operation, and bcast is named already`},
		{"bcast --size 12", 64, "--size: 12 bytes are no whole number of float64, which has 8"},
		{"bcast --type float63", 64, `--type: "float63": expected one of float64, `},
		{"bcast --hosts 9", 64, "--hosts: 9 hosts for 8 ranks: expected a rank at least on each"},
		{"bcast --hosts 2 --transport local", 64, "--transport local: expected one host"},
		{"bcast --root 8", 64, `--root: "8": expected a rank, 0 to 7`},
		{"bcast --steps 8", 64, `--steps: "8": expected a rank, 0 to 7`},
		{"bcast --using ring", 64, `--using: tune: that algorithm cannot be used: no algorithm of bcast is called "ring"; there are `},
		{"bcast --using shared-memory --hosts 2", 64, `--using: "shared-memory" cannot be used: ranks of several hosts share no memory`},
		{"bcast --using shared-memory --steps 0", 64, `--steps: "shared-memory" has no schedule`},
		{"bcast -n 65 --draw x.svg", 64, "--draw: a picture has 64 ranks at most, and these are 65"},
		{"alltoall -n 64 --type byte --size 1MiB --using bruck --draw x.svg", 0, ""},
		{"bcast --size 1GiB -n 64 --using chain --draw x.svg", 64, "--draw: a picture has 4096 messages at most, and chain of this size has more"},
		{"bcast --draw none/x.svg", 72, "--draw: open none/x.svg"},
		{"bcast --table none", 66, "--table: open none: "},
		{"bcast --table t", 66, `--table: t:10:10: no algorithm of gather is called "ring"`},
		{"bcast --siez 8", 64, `no flag "--siez"; did you mean --size?`},
		{"bcast --speed 8", 64, `no flag "--speed"; muster explain -h lists them`},
		{"bcast --size", 64, "--size: expected --size SIZE"},
	} {
		stdout, stderr, code := explained(t, test.line)
		if code != test.code || !strings.HasPrefix(stderr, "muster: "+test.want) && test.code != 0 || test.code == 64 && stdout != "" {
			t.Errorf("muster explain %s: exit code %d, want %d\n got: %s\nwant: muster: %s", test.line, code, test.code, stderr, test.want)
		}
	}
}

// Each algorithm of each operation is explained, drawn and printed.
func TestExplainDrawsAndPrintsWhatItNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, a := range algo.All {
		line := a.Op.String() + " --any-order -n 8 --hosts 2 --using " + a.Name
		if c := (schedule.Call{Op: a.Op, Size: 8}); a.Refuses == nil || a.Refuses(&c) == "" {
			line = strings.Replace(line, "--hosts 2", "--hosts 1", 1)
		}
		stdout, stderr, code := explained(t, line+" --steps all --draw x.svg")
		if code != 0 || strings.Count(stdout, a.Op.String()+" rank ") != 8 {
			t.Errorf("muster explain %s: exit code %d\n%s%s", line, code, stdout, stderr)
			continue
		}
		f, err := os.Open("x.svg")
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(f); ; {
			if _, err := d.Token(); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: the picture is not XML: %v", line, err)
				}
				break
			}
		}
		f.Close()
	}
}

func TestExplainAsJSON(t *testing.T) {
	stdout, stderr, code := explained(t, "reduce -n 5 --json --size 64KiB")
	var x explanation
	if err := json.Unmarshal([]byte(stdout), &x); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	c := schedule.Call{Op: schedule.Reduce, Size: 5, Count: 8192, Segment: tune.Segment(8)}
	want, err := tune.New(nil, tune.Params(tune.SharedMemory, tune.TCP)).Choose(tune.Query{Call: &c, Width: 8, Order: algo.Canonical})
	if err != nil || x.Algorithm != want.Name || x.Why != want.Why || !x.Shared || len(x.Predictions) != len(algo.Of(schedule.Reduce)) {
		t.Errorf("%v; got %+v, want %s (%s)", err, x, want.Name, want.Why)
	}
	if !slices.IsSortedFunc(x.Predictions, func(a, b prediction) int {
		if (a.Refused == "") != (b.Refused == "") {
			return len(a.Refused) - len(b.Refused)
		}
		return int(a.Nanoseconds - b.Nanoseconds)
	}) && x.Predictions[0].Nanoseconds == 0 {
		t.Errorf("not sorted: %+v", x.Predictions)
	}
}

func TestHelpOnCollectivesNamesEveryFlag(t *testing.T) {
	checkFlags(t, explainHelp(), explainFlags)
	checkFlags(t, tuneHelp(), tuneFlags)
}

func checkFlags[L any](t *testing.T, text string, flags []flagOf[L]) {
	seen := make(map[string]bool)
	for _, f := range flags {
		for i, n := range f.names {
			if seen[n] || !strings.Contains(text, dashed(n, i > 0)) {
				t.Errorf("flag %s: twice (%v), or the help does not name it", n, seen[n])
			}
			seen[n] = true
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
