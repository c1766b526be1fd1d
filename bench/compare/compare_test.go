package compare

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/bench/results"
)

// report has cells of a test, with rounds whose medians are median times what noise
// returns.
func report(kind results.Kind, test string, cells, rounds int, median func(cell int) float64, noise func() float64) *results.Report {
	r := &results.Report{Environment: results.Environment{Machine: "Processor", Cores: 2}}
	for c := range cells {
		s := &results.Series{Key: results.Key{Kind: kind, Name: "muster", Transport: "shm", Test: test, Ranks: 2, Size: c}, Unit: results.Unit(test)}
		for range rounds {
			v := median(c) * noise()
			s.Rounds = append(s.Rounds, []float64{v * 0.999, v, v * 1.5})
		}
		r.Series = append(r.Series, s)
	}
	return r
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

func noisy(seed uint64) func() float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() float64 { return math.Exp(0.02 * r.NormFloat64()) }
}

// A time that grows and a bandwidth that falls are both slower.
func TestChangesAreFoundWhicheverWayIsBetter(t *testing.T) {
	for _, test := range []string{"latency", "bw", "strong", "weak"} {
		// Cell 0 is slower by 30 %, cell 1 faster by 30 %, the others as before.
		after := func(c int) float64 {
			factor := []float64{1.3, 1 / 1.3, 1, 1}[c]
			if !results.LowerIsBetter(test) {
				factor = 1 / factor
			}
			return 7 * factor
		}
		noise := noisy(2)
		r, err := Files(report(results.Ours, test, 4, 9, constant(7), noise), report(results.Ours, test, 4, 9, after, noise), 0.05)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []Verdict{Slower, Faster, Same, Same} {
			if c := r.Cells[i]; c.Verdict != want || !c.Known || !(c.Low <= c.Change && c.Change <= c.High) {
				t.Errorf("%s, cell %d: got %+v, want %s", test, i, c, want)
			}
		}
		if math.Abs(r.Cells[0].Change-1.3) > 0.05 || r.Slower() != 1 {
			t.Errorf("%s: slower by %v in %d cells", test, r.Cells[0].Change, r.Slower())
		}
	}
}

// Slower by exactly the bound, and noise: of 400 comparisons of 20 cells, each
// should be called slower in one of twenty at most, although that is the worst case
// there is.
func TestFalseAlarmsAreRare(t *testing.T) {
	const trials = 400
	alarms := 0
	for seed := range uint64(trials) {
		noise := noisy(seed)
		r, err := Files(report(results.Ours, "latency", 20, 7, constant(1), noise), report(results.Ours, "latency", 20, 7, constant(1.05), noise), 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if r.Slower() > 0 {
			alarms++
		}
	}
	// Three standard errors above 5 %.
	if alarms > trials*83/1000 {
		t.Errorf("%d false alarms in %d comparisons", alarms, trials)
	}
	t.Logf("%d false alarms in %d comparisons", alarms, trials)
}

// Fewer rounds than can tell anything are refused, and not passed.
func TestTooFewRoundsAreRefused(t *testing.T) {
	slow := func(rounds int) *results.Report {
		return report(results.Ours, "latency", 20, rounds, constant(9), noisy(3))
	}
	fast := func(rounds int) *results.Report {
		return report(results.Ours, "latency", 20, rounds, constant(1), noisy(4))
	}
	for rounds := range 10 {
		r, err := Files(fast(rounds), slow(rounds), 0.05)
		// 1 of 462 orders of 5 and 6 is too much for 20 cells, 1 of 924 is not.
		switch {
		case rounds < 6:
			if !errors.Is(err, ErrNothing) || rounds > 0 && !strings.Contains(err.Error(), "measure both with --rounds 6 or more") {
				t.Errorf("%d rounds: got %v", rounds, err)
			}
		case err != nil || r.Slower() != 20:
			t.Errorf("%d rounds: %v, %+v", rounds, err, r)
		}
	}
	mixed := fast(8)
	mixed.Series[3].Rounds = mixed.Series[3].Rounds[:2]
	r, err := Files(mixed, slow(8), 0.05)
	if err != nil || r.Cells[3].Verdict != Few || r.Slower() != 19 || !strings.Contains(strings.Join(r.Warnings, "\n"), "1 of 20 cells have too few rounds") {
		t.Errorf("%v: %+v", err, r)
	}
	var b strings.Builder
	if err := r.WriteTable(&b, true); err != nil || strings.Count(b.String(), "SLOWER") != 19 || !strings.Contains(b.String(), "20 cells: 19 slower by more than 5.0 %, 0 faster, 0 the same within it, 0 open, 1 with too few rounds\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestFilesThatCannotBeCompared(t *testing.T) {
	one := func() *results.Report { return report(results.Ours, "latency", 1, 6, constant(1), noisy(5)) }
	other, units, empty, zero, peer := report(results.Ours, "bw", 2, 6, constant(1), noisy(6)), one(), &results.Report{}, one(), report(results.Peer, "latency", 1, 6, constant(1), noisy(7))
	units.Series[0].Unit = "s"
	zero.Series[0].Rounds[2] = nil
	for _, test := range []struct {
		after *results.Report
		want  string
	}{
		{other, "no cell is in both; the old one has 1 of [latency], the new one 2 of [bw]"},
		{units, "latency shm, 2 ranks, size 0 is in us in the old file and in s in the new one"},
		{empty, "the new one none of ours"},
		{peer, "the new one none of ours"},
		{zero, "latency shm, 2 ranks, size 0 has a round without a value above zero"},
	} {
		if _, err := Files(one(), test.after, 0.05); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestWhatElseChangedIsSaid(t *testing.T) {
	before, after := report(results.Ours, "latency", 2, 6, constant(1), noisy(8)), report(results.Ours, "latency", 3, 6, constant(1), noisy(9))
	after.Environment.Machine = "Another"
	before.Series = append(before.Series, report(results.Peer, "latency", 3, 6, constant(1), noisy(10)).Series...)
	after.Series = append(after.Series, report(results.Peer, "latency", 3, 6, constant(1.5), noisy(11)).Series...)
	r, err := Files(before, after, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(r.Warnings, "\n")
	for _, want := range []string{
		`the processor differs, "Processor" and "Another"`,
		"0 cells of the old, 1 of the new",
		"peers and limits, which have not changed, take 1.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
	if r, err := Files(before, before, 0.05); err != nil || len(r.Warnings) != 0 || r.Slower() != 0 {
		t.Errorf("a file against itself: %v, %+v", err, r)
	}
}
