package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// printed runs f and returns what it printed.
func printed(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	saved := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = saved; file.Close() }()
	f()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// few are options for a short measurement with every check.
func few(test string, sizes ...int) options {
	return options{Effort: plan.Effort{Iters: 3, Warmup: 1, Repeat: 2, Target: time.Millisecond}, test: test, sizes: sizes, validate: true}
}

func TestEveryCollectiveLeavesBehindWhatItsCheckExpects(t *testing.T) {
	for name, c := range all {
		for _, p := range []int{1, 2, 5, 8} {
			sizes := []int{0, 8, 4104, 70000} // of 8 bytes 8 ranks get one element together
			if !c.sums {
				sizes = append(sizes, 1, 13)
			}
			out := printed(t, func() {
				ranktest.Run(t, p, func(t *testing.T, w *rank.Comm) {
					if err := measure(t.Context(), w, few(name, sizes...)); err != nil {
						t.Errorf("%s on %d ranks: %v", name, p, err)
					}
				})
			})
			if got := strings.Count(out, "sample test="+name+" "); got != 2*len(sizes) {
				t.Errorf("%s on %d ranks printed %d samples, want %d", name, p, got, 2*len(sizes))
			}
		}
	}
}

// A check that finds nothing wrong would find nothing wrong either if the last
// byte of what the last rank has got were another.
func TestWrongDataIsFound(t *testing.T) {
	const p, size = 4, 64
	for name, c := range all {
		if name == "barrier" {
			continue
		}
		real := c.call
		c.call = func(ctx context.Context, g *group, root int) error {
			err := real(ctx, g, root)
			if g.rank == p-1 {
				got := g.dst
				switch name {
				case "bcast":
					got = g.src
				case "reducescatter":
					got = got[:8*g.counts[g.rank]]
				}
				got[len(got)-1] ^= 1
			}
			return err
		}
		err := rank.Local(p, func(ctx context.Context, w *rank.Comm) error {
			return newGroup(w, c, few(name, size)).measure(ctx, size)
		})
		if err == nil || !strings.Contains(err.Error(), "rank 3 of 4, run 0: ") || !strings.Contains(err.Error(), ", want ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestBarrierThatLetsARankGoTooSoonIsFound(t *testing.T) {
	for _, test := range []struct {
		reports []report
		ok      bool
	}{
		{[]report{{5, 10, 20, 0}, {5, 12, 19, 0}, {5, 19, 21, 0}}, true},
		{[]report{{5, 10, 20, 0}, {5, 12, 19, 0}, {5, 20, 21, 0}}, false},
		{[]report{{5, 10, 20, 0}, {5, 21, 23, 0}}, false},
	} {
		var s spread
		for _, r := range test.reports {
			s.add(r)
		}
		if err := s.meets(); (err == nil) != test.ok {
			t.Errorf("%v: got %v", test.reports, err)
		}
	}
}

func TestSpreadIsOfAllRanks(t *testing.T) {
	var s spread
	for _, r := range []report{{30, 1, 40, 2}, {10, 5, 50, 0}, {20, 3, 45, 1}} {
		s.add(r)
	}
	if want := (spread{slowest: 30, fastest: 10, sum: 60, lastIn: 5, firstOut: 40, allocs: 3}); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

// The bytes of a block are those of its words, whatever its length, and a byte
// that is wrong is found wherever it is.
func TestBlocksAreFilledAndCheckedByteByByte(t *testing.T) {
	for n := range 40 {
		g := &group{bytes: n, size: 3}
		s := g.seed(2, 1)
		b := make([]byte, n)
		fill(b, s)
		for i := range b {
			if want := byte(word(s, i/8) >> (8 * (i % 8))); b[i] != want {
				t.Fatalf("byte %d of %d is %#x, want %#x", i, n, b[i], want)
			}
		}
		if err := g.expectBlock(b, 2, 1); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		for i := range b {
			b[i]++
			if err := g.expectBlock(b, 2, 1); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("byte %d of block 1 of rank 2", i)) {
				t.Fatalf("%d bytes, of which byte %d is wrong: %v", n, i, err)
			}
			b[i]--
		}
	}
}

func TestNoBlockIsTakenForAnother(t *testing.T) {
	seen := make(map[uint64]string)
	for from := range 20 {
		for block := range 20 {
			for _, size := range []int{8, 4096, 16 << 20} {
				for runs := range 3 {
					g := &group{bytes: size}
					g.runs = runs
					here := fmt.Sprintf("block %d of rank %d, %d bytes, run %d", block, from, size, runs)
					w := word(g.seed(from, block), 0)
					if other, ok := seen[w]; ok {
						t.Fatalf("%s begins like %s", here, other)
					}
					seen[w] = here
				}
			}
		}
	}
}

// A size whose first call takes longer than the budget has that call's time for
// its value, and one whose budget is used up after some repetitions has fewer.
func TestBudgetEndsASize(t *testing.T) {
	out := printed(t, func() {
		ranktest.Run(t, 2, func(t *testing.T, w *rank.Comm) {
			for _, budget := range []time.Duration{1, time.Hour} {
				o := few("allreduce", 8)
				o.budget = budget
				if err := measure(t.Context(), w, o); err != nil {
					t.Error(err)
				}
			}
		})
	})
	want := regexp.MustCompile(`^sample test=allreduce size=8 rep=0 calls=1 ns=\d+ min=\d+ avg=\d+ allocs=\d+
sample test=allreduce size=8 rep=0 calls=3 .*
sample test=allreduce size=8 rep=1 calls=3 .*
$`)
	if !want.MatchString(out) {
		t.Errorf("printed\n%s", out)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	for _, test := range []struct {
		o    options
		want string
	}{
		{few("broadcast", 8), `collective "broadcast": expected one of allgather, allreduce, alltoall, barrier,`},
		{few("scan", 8, 12), "scan of [8 12] bytes: expected multiples of 8, since float64 are summed"},
		{few("scan"), "no sizes"},
		{options{test: "bcast", using: []string{"teleport"}, sizes: []int{8}}, `teleport`},
	} {
		err := rank.Local(2, func(ctx context.Context, w *rank.Comm) error { return measure(ctx, w, test.o) })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	for _, text := range []string{"", "8,", "-1", "8;9", "1e3"} {
		if list, err := sizes(text); err == nil {
			t.Errorf("%q is taken for %v", text, list)
		}
	}
}

// The twin has the same collectives with buffers of the same shapes, and so has
// the table of results.
func TestTwinHasTheSameCollectives(t *testing.T) {
	text, err := os.ReadFile("../peer/c/coll.c")
	if err != nil {
		t.Fatal(err)
	}
	digit := map[bool]string{false: "0", true: "1"}
	var theirs []string
	for _, row := range regexp.MustCompile(`\{"(\w+)", (\w+), \w+, (\d), (\d), (\d)\},`).FindAllStringSubmatch(string(text), -1) {
		name := row[1]
		c := all[name]
		if row[2] != name || row[3] != digit[c.outAll] || row[4] != digit[c.inAll] || row[5] != digit[c.sums] || c.sums != results.Sums(name) {
			t.Errorf("%s is %v in C, and out %v, in %v, sums %v here", name, row[3:], c.outAll, c.inAll, c.sums)
		}
		theirs = append(theirs, name)
	}
	slices.Sort(theirs)
	if !slices.Equal(theirs, names()) || !slices.Equal(slices.Sorted(slices.Values(results.Collectives)), names()) {
		t.Errorf("in C %v\nhere %v\nin results %v", theirs, names(), results.Collectives)
	}
}
