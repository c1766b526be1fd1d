// Package compare sets two files of results against each other, cell by cell, and
// says which cells are slower by more than a bound, with a test that takes into
// account that there are many cells. bench/README.md explains it.
package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/bench/stats"
)

// Alpha is the probability with which a comparison of files that do not differ
// calls any cell slower at all.
const Alpha = 0.05

// ErrNothing says that there is nothing to compare: no cell is in both files, or no
// cell has enough rounds in both.
var ErrNothing = errors.New("the files cannot be compared")

// A Verdict says how a cell has changed.
type Verdict string

const (
	Slower Verdict = "SLOWER" // by more than the bound, with significance
	Faster Verdict = "faster" // by more than the bound, with significance
	Same   Verdict = "same"   // the interval lies within the bound
	Open   Verdict = "open"   // the rounds do not tell
	Few    Verdict = "few"    // there are too few rounds to tell anything of so many cells
)

// A Cell is what became of a cell.
type Cell struct {
	results.Key
	Unit     string
	Old, New float64 // medians
	// Change is the factor by which the cell is slower: the time grew by it, or
	// the rate fell by it. 1: no change.
	Change, Low, High float64
	Known             bool    // there is an interval, Low to High
	P                 float64 // that it is not slower than Change says by chance, for all cells
	Verdict           Verdict
}

// A Result is two files set against each other.
type Result struct {
	Bound    float64 // that a change has to exceed, 0.05 being 5 %
	Cells    []Cell  // those in both files, in the order of the new one
	Warnings []string
}

// Slower is the number of cells that are slower.
func (r *Result) Slower() int {
	n := 0
	for _, c := range r.Cells {
		if c.Verdict == Slower {
			n++
		}
	}
	return n
}

// Files compares the cells of ours that are in both files. The error is ErrNothing,
// with the reason, if that has no sense.
func Files(before, after *results.Report, bound float64) (*Result, error) {
	r := &Result{Bound: bound}
	r.machines(before.Environment, after.Environment)
	pairs, err := r.pairs(before, after)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		r.Cells = append(r.Cells, cell(p.before, p.after))
	}
	if err := r.judge(pairs); err != nil {
		return nil, err
	}
	r.peers(before, after)
	return r, nil
}

// machines warns of what else than the code has changed.
func (r *Result) machines(before, after results.Environment) {
	for _, d := range []struct{ what, before, after string }{
		{"processor", before.Machine, after.Machine},
		{"number of cores", fmt.Sprint(before.Cores), fmt.Sprint(after.Cores)},
		{"architecture", before.OS + "/" + before.Arch, after.OS + "/" + after.Arch},
		{"kernel", before.Kernel, after.Kernel},
		{"Go version", before.Go, after.Go},
	} {
		if d.before != d.after {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the %s differs, %q and %q: a change may come from that", d.what, d.before, d.after))
		}
	}
}

// A pair is a cell in both files.
type pair struct{ before, after *results.Series }

// pairs finds the cells of ours that are in both files, and warns of others.
func (r *Result) pairs(before, after *results.Report) ([]pair, error) {
	old, gone := make(map[results.Key]*results.Series), 0
	for _, s := range before.Series {
		if s.Kind == results.Ours && len(s.Rounds) > 0 {
			old[s.Key] = s
			gone++
		}
	}
	var pairs []pair
	fresh := 0
	for _, s := range after.Series {
		if s.Kind != results.Ours || len(s.Rounds) == 0 {
			continue
		}
		was := old[s.Key]
		if was == nil {
			fresh++
			continue
		}
		if was.Unit != s.Unit {
			return nil, fmt.Errorf("%w: %s is in %s in the old file and in %s in the new one", ErrNothing, Name(s.Key), was.Unit, s.Unit)
		}
		if !measured(was) || !measured(s) {
			return nil, fmt.Errorf("%w: %s has a round without a value above zero", ErrNothing, Name(s.Key))
		}
		gone--
		pairs = append(pairs, pair{was, s})
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%w: no cell is in both; the old one has %s, the new one %s", ErrNothing, holds(before), holds(after))
	}
	if gone > 0 || fresh > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("not compared, as they are in one file only: %d cells of the old, %d of the new", gone, fresh))
	}
	return pairs, nil
}

// measured tells whether every round of a series has a value that can be compared.
func measured(s *results.Series) bool {
	return !slices.ContainsFunc(s.Medians(), func(v float64) bool { return !(v > 0 && v < math.Inf(1)) })
}

// holds says what a report is of.
func holds(r *results.Report) string {
	var tests []string
	cells := 0
	for _, s := range r.Series {
		if s.Kind == results.Ours {
			cells++
			if !slices.Contains(tests, s.Test) {
				tests = append(tests, s.Test)
			}
		}
	}
	if cells == 0 {
		return "none of ours"
	}
	return fmt.Sprintf("%d of %v", cells, tests)
}

// Name is a cell in a line.
func Name(k results.Key) string {
	name := k.Test
	if k.Name != "" && k.Name != "muster" {
		name = k.Name + " " + name
	}
	if k.Transport != "" {
		name += " " + k.Transport
	}
	ranks := "ranks"
	if k.Ranks == 1 {
		ranks = "rank"
	}
	name += fmt.Sprintf(", %d %s", k.Ranks, ranks)
	if !slices.Contains([]string{"startup", "memory", "strong", "weak"}, k.Test) {
		name += fmt.Sprintf(", size %d", k.Size)
	}
	return name
}

// costs are values of which more is slower: times as they are, and the inverse of
// rates.
func costs(s *results.Series) []float64 {
	list := s.Medians()
	if !results.LowerIsBetter(s.Test) {
		for i, v := range list {
			list[i] = 1 / v
		}
	}
	return list
}

func cell(before, after *results.Series) Cell {
	c := Cell{Key: after.Key, Unit: after.Unit, Old: before.Median(), New: after.Median()}
	c.Change = stats.Median(costs(after)) / stats.Median(costs(before))
	c.Low, c.High, c.Known = stats.RatioInterval(costs(after), costs(before), results.Level)
	return c
}

// judge fills in P and Verdict. A cell is slower if the rank-sum test rejects, at
// Alpha for all cells together, that its new rounds are like the old ones times
// 1 + Bound; faster is the same the other way round. A cell with so few rounds that
// the test can never reject for so many cells says nothing.
func (r *Result) judge(pairs []pair) error {
	slower, faster := make([]float64, len(pairs)), make([]float64, len(pairs))
	few, want := 0, 0
	for i, p := range pairs {
		before, after := costs(p.before), costs(p.after)
		slower[i] = stats.RankSum(after, times(before, 1+r.Bound))
		faster[i] = stats.RankSum(before, times(after, 1+r.Bound))
		if stats.LeastRankSum(len(before), len(after))*float64(len(pairs)) > Alpha {
			r.Cells[i].Verdict = Few
			few++
		}
	}
	for want = 2; stats.LeastRankSum(want, want)*float64(len(pairs)) > Alpha; want++ {
	}
	if few == len(pairs) {
		return fmt.Errorf("%w: too few rounds; to tell anything of %d cells, measure both with --rounds %d or more (of a scaling study --repeat), or fewer cells", ErrNothing, len(pairs), want)
	}
	if few > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d cells have too few rounds for any verdict: measure both files with %d or more", few, len(pairs), want))
	}
	slower, faster = stats.Holm(slower), stats.Holm(faster)
	for i := range r.Cells {
		c := &r.Cells[i]
		c.P = slower[i]
		switch {
		case c.Verdict == Few:
		case slower[i] <= Alpha:
			c.Verdict = Slower
		case faster[i] <= Alpha:
			c.Verdict, c.P = Faster, faster[i]
		case c.Known && c.High <= 1+r.Bound && c.Low >= 1/(1+r.Bound):
			c.Verdict = Same
		default:
			c.Verdict = Open
		}
	}
	return nil
}

func times(values []float64, factor float64) []float64 {
	list := slices.Clone(values)
	for i := range list {
		list[i] *= factor
	}
	return list
}

// peers warns if other programs, which are the same in both files, have changed:
// then the machine has.
func (r *Result) peers(before, after *results.Report) {
	old := make(map[results.Key]*results.Series)
	for _, s := range before.Series {
		old[s.Key] = s
	}
	var changes []float64
	for _, s := range after.Series {
		if was := old[s.Key]; s.Kind != results.Ours && was != nil && len(was.Rounds) > 0 && len(s.Rounds) > 0 {
			changes = append(changes, stats.Median(costs(s))/stats.Median(costs(was)))
		}
	}
	if m := stats.Median(changes); math.Abs(math.Log(m)) > math.Log(1+max(r.Bound, 0.05)) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("peers and limits, which have not changed, take %.3g times as long as before (median of %d cells): the machine is not what it was", m, len(changes)))
	}
}
