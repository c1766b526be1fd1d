package scaling

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/bench/results"
)

// law is a study of a program that follows the law exactly but for a factor of
// every run, which noise returns.
func law(t1, sigma, kappa float64, ranks []int, runs int, weak bool, noise func() float64) *Study {
	s := &Study{Program: "./program -steps 3", Threads: 1, Cores: 64, Base: 1, Clock: "the whole job"}
	if weak {
		s.Weak = []Growth{{Flag: "-n", Base: 1000, Power: 1, whole: true, text: "p"}}
	}
	s.Environment = results.Environment{Machine: "Processor", Cores: 64, OS: "linux", Kernel: "6", Go: "go1.26", Commit: "0123456789ab",
		Command: "muster bench scaling ./program", Start: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Load: "0.02", Rounds: runs, Repeat: 1}
	for _, n := range ranks {
		p := Point{Ranks: n}
		for range runs {
			p.Times = append(p.Times, noise()*s.time([3]float64{t1, sigma, kappa}, float64(n)))
		}
		s.Points = append(s.Points, p)
	}
	return s
}

func exact() float64 { return 1 }

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*(1+math.Abs(want))
}

func TestRowsFollowFromTheLaw(t *testing.T) {
	const sigma = 0.1
	for _, weak := range []bool{false, true} {
		for _, r := range law(4, sigma, 0, []int{1, 2, 5, 16}, 7, weak, exact).rows() {
			p := float64(r.Ranks)
			want := p / (1 + sigma*(p-1))
			if !near(r.Speedup.Value, want, 1e-12) || !near(r.Efficiency.Value, want/p, 1e-12) {
				t.Errorf("weak %v, %d ranks: speed-up %+v, efficiency %+v; want %v", weak, r.Ranks, r.Speedup, r.Efficiency, want)
			}
			if r.Ranks == 1 {
				if r.KarpFlatt.Known() {
					t.Errorf("one rank has the Karp-Flatt fraction %v", r.KarpFlatt)
				}
			} else if !near(r.KarpFlatt.Value, sigma, 1e-12) || !near(r.KarpFlatt.Low, sigma, 1e-12) {
				t.Errorf("weak %v, %d ranks: Karp-Flatt %+v, want %v", weak, r.Ranks, r.KarpFlatt, sigma)
			}
		}
	}
}

func TestIntervalsHaveTheirFigureWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, weak := range []bool{false, true} {
		s := law(1, 0.05, 0.001, []int{1, 2, 4, 8}, 7, weak, func() float64 { return math.Exp(0.1 * r.NormFloat64()) })
		for _, row := range s.rows() {
			for name, f := range map[string]Figure{"time": row.Time, "speed-up": row.Speedup, "efficiency": row.Efficiency, "Karp-Flatt": row.KarpFlatt} {
				if f.Known() && !(f.Low <= f.Value && f.Value <= f.High) {
					t.Errorf("weak %v, %d ranks: %s %+v", weak, row.Ranks, name, f)
				}
			}
		}
	}
}

// Whatever the runs that share cores took, the laws and the other rows are the
// same, and theirs have no efficiency.
func TestRanksThatShareCoresJudgeNothing(t *testing.T) {
	plain := law(2, 0.05, 0.003, []int{1, 2, 4}, 6, false, exact)
	plain.Cores = 4
	crowded := law(2, 0.05, 0.003, []int{1, 2, 4}, 6, false, exact)
	crowded.Cores = 4
	crowded.Points = append(crowded.Points, Point{Ranks: 8, Times: []float64{9, 9, 9, 9, 9, 9}}, Point{Ranks: 16, Times: []float64{1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3}})
	if a, b := plain.models(), crowded.models(); !reflect.DeepEqual(a, b) {
		t.Errorf("the laws differ:\n%+v\n%+v", a, b)
	}
	rows := crowded.rows()
	for _, r := range rows[3:] {
		if !r.Crowded || r.Efficiency.Known() || r.KarpFlatt.Known() || !r.Time.Known() || !r.Speedup.Known() {
			t.Errorf("%d ranks on 4 cores: %+v", r.Ranks, r)
		}
	}
	if text := strings.Join(crowded.Analyse().Cautions(), "\n"); !strings.Contains(text, "* 8, 16 ranks share 4 cores") {
		t.Errorf("nothing said of shared cores:\n%s", text)
	}
	if text := crowded.Analyse().Summary(); !strings.HasPrefix(text, "4 ranks: ") {
		t.Errorf("the summary is %q", text)
	}
	// Two threads a rank: 4 ranks share 4 cores too.
	crowded.Threads = 2
	if m := crowded.models(); m[0].Refused != "" || m[0].Free != 0 || m[1].Refused == "" {
		t.Errorf("with two points: %+v", m)
	}
}

func TestWhatCannotBeSaidIsRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		study func() *Study
		want  string
	}{
		{"one point", func() *Study { return law(1, 0, 0, []int{1}, 7, false, exact) }, "Amdahl is not fitted: it has 2 parameters and wants as many numbers of ranks, each on a core of its own, but there is 1."},
		{"two points", func() *Study { return law(1, 0, 0, []int{1, 2}, 7, false, exact) }, "Amdahl passes through all 2 points"},
		{"few runs", func() *Study { return law(1, 0, 0, []int{1, 2, 3}, 3, false, exact) }, "3 runs of some number of ranks"},
		{"no base", func() *Study {
			s := law(1, 0, 0, []int{1, 2, 4}, 7, false, exact)
			s.Points[0].Failed = "exit code 3"
			return s
		}, "No speed-up: there is no usable run with 1 rank, the base."},
		{"failure", func() *Study {
			s := law(1, 0, 0, []int{1, 2, 4}, 7, false, exact)
			s.Points[2].Failed = "exit code 3\nmore"
			return s
		}, "4 ranks: left out, since a run failed after 7 good ones: exit code 3"},
		{"base shares", func() *Study { s := law(1, 0, 0, []int{4, 8}, 7, false, exact); s.Base, s.Cores = 4, 2; return s }, "No speed-up: the base, 4 ranks, shares 2 cores."},
		{"base of two", func() *Study { s := law(1, 0, 0, []int{2, 4, 8}, 7, false, exact); s.Base = 2; return s }, "No Karp-Flatt fraction"},
		{"load", func() *Study { s := law(1, 0, 0, []int{1, 2}, 7, false, exact); s.Environment.Load = "7.5"; return s }, "The load was 7.5"},
	} {
		s := test.study().Analyse()
		if text := strings.Join(s.Cautions(), "\n"); !strings.Contains(text, test.want) {
			t.Errorf("%s: want %q, got:\n%s", test.name, test.want, text)
		}
		var b strings.Builder
		if err := s.WriteTable(&b); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("%s: %v\n%s", test.name, err, b.String())
		}
	}
	if m := law(1, 0, 0, []int{1, 2, 3}, enough-1, false, exact).models()[0]; m.Sigma.HasInterval() || !m.Sigma.Known() {
		t.Errorf("%d runs have the interval %+v", enough-1, m.Sigma)
	}
}

func TestDefaultRanks(t *testing.T) {
	for cores, want := range map[int][]int{1: {1, 2}, 2: {1, 2, 4}, 6: {1, 2, 4, 6, 8}, 8: {1, 2, 4, 8, 16}} {
		if got := DefaultRanks(cores); !slices.Equal(got, want) {
			t.Errorf("%d cores: got %v, want %v", cores, got, want)
		}
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	s := law(2, 0.1, 0, []int{1, 2, 4}, 6, true, exact)
	s.Points[1].Failed = "exit code 3"
	var js, csv strings.Builder
	if err := errors.Join(s.Analyse().WriteJSON(&js), s.Analyse().WriteCSV(&csv)); err != nil {
		t.Fatal(err)
	}
	r, err := results.ReadJSON(strings.NewReader(js.String()))
	if err != nil || !reflect.DeepEqual(r, s.Report()) || len(r.Series) != 2 || r.Series[0].Test != "weak" || r.Series[0].Unit != "s" {
		t.Errorf("%v: got %+v, want %+v", err, r, s.Report())
	}
	lines, err := results.ReadCSV(strings.NewReader(csv.String()))
	if err != nil || len(lines) != 3 {
		t.Fatalf("%v: %d lines", err, len(lines))
	}
	for column, want := range map[string]string{"ranks": "4", "size": "-n=4000", "median_s": "2.6", "base": "1", "commit": "0123456789ab", "machine": "Processor", "start": "2026-03-04T05:06:07Z", "failed": ""} {
		if got := lines[2][column]; got != want {
			t.Errorf("column %s is %q, want %q", column, got, want)
		}
	}
	if lines[1]["failed"] != "exit code 3" || lines[1]["speedup"] != "" {
		t.Errorf("the line of the failure is %v", lines[1])
	}
}

func TestSummaryNamesTheFastest(t *testing.T) {
	for _, test := range []struct {
		sigma, kappa float64
		ranks        []int
		want         string
	}{
		{0, 0, []int{1, 2, 4}, "4 ranks: 4.00 times as fast as 1 rank [4.00, 4.00], an efficiency of 100 % [100 %, 100 %]."},
		{0, 0.2, []int{1, 2, 8}, "2 ranks: 1.43 times as fast as 1 rank [1.43, 1.43], an efficiency of 71.4 % [71.4 %, 71.4 %]."},
		{2, 0, []int{1, 2, 4}, "No number of ranks is faster than 1 rank."},
		{0, 0, []int{1}, ""},
	} {
		if got := law(1, test.sigma, test.kappa, test.ranks, 7, false, exact).Analyse().Summary(); got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}

// What a law says about more ranks than there were is said only if there were more
// points than it has parameters.
func TestFindingsGoNoFurtherThanThePoints(t *testing.T) {
	for _, test := range []struct {
		sigma, kappa float64
		ranks        []int
		want         []string // how the findings go, in order
	}{
		{0.1, 0, []int{1, 2}, []string{"Amdahl: a serial fraction of 10.0 % [10.0 %, 10.0 %], if the program follows"}},
		{0.1, 0, []int{1, 2, 4, 8}, []string{"Amdahl: a serial fraction of 10.0 % [10.0 %, 10.0 %]. If it stays that, no number of ranks makes it more than 10.0 times as fast as one", "USL: no cost that grows"}},
		{0.02, 0.005, []int{1, 2, 4}, []string{"Amdahl: a serial fraction", "USL: a cost κ of 0.00500 [0.00500, 0.00500], if the program follows"}},
		{0.02, 0.005, []int{1, 2, 4, 8}, []string{"Amdahl: a serial fraction of 6.07 % [6.07 %, 6.07 %]. But that alone does not explain", "USL: beyond about 14 ranks, more of them make it slower. That is further than the 8 measured, so a guess."}},
		{0.02, 0.005, []int{1, 2, 4, 8, 32}, []string{"Amdahl misses a median by", "USL: beyond about 14 ranks, more of them make it slower."}},
		{1.5, 0, []int{1, 2, 4, 8}, []string{"Amdahl: a serial fraction of 150 % [150 %, 150 %]: more ranks may well make it no faster", "USL: no cost"}},
		{0, 0, []int{1, 2, 4, 8}, []string{"Amdahl: no serial fraction", "USL: no cost"}},
	} {
		got := law(1, test.sigma, test.kappa, test.ranks, 7, false, exact).Analyse().Findings()
		for i, want := range test.want {
			if len(got) != len(test.want) || !strings.HasPrefix(got[i], want) {
				t.Errorf("σ %v, κ %v, ranks %v: got %q, want %q", test.sigma, test.kappa, test.ranks, got, want)
			}
		}
	}
	s := law(1, 0, 0, []int{1, 2, 4}, 7, false, exact)
	for i := range s.Points[2].Times {
		s.Points[2].Times[i] /= 2
	}
	if got := strings.Join(s.Analyse().Findings(), "\n"); !strings.HasPrefix(got, "4 ranks: faster than 4.00 times the cores allow") {
		t.Errorf("faster than ideal: got %s", got)
	}
}
