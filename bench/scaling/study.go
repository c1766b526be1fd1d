// Package scaling says how a program's time depends on its number of ranks: from
// the times of its runs to speed-up, efficiency, serial fraction and the laws of
// Amdahl and Gunther, with an interval for each, as table, pictures, page, CSV
// and JSON. bench/README.md explains the columns.
package scaling

import (
	"fmt"
	"slices"

	"github.com/muster-mpi/muster/bench/results"
)

// A Study is the runs of one program with several numbers of ranks, and what has
// to be said about them. Points are in the order of Ranks, each number once.
type Study struct {
	Program string // as one would type it, with its arguments
	Weak    []Growth
	Threads int    // that each rank may use for Go code
	Cores   int    // that the ranks may use
	Base    int    // number of ranks that speed-ups refer to
	Clock   string // what the times are of: "the whole job"
	Points  []Point
	Notes   []string // what else a reader has to know

	Environment results.Environment
}

// A Point is the runs with one number of ranks.
type Point struct {
	Ranks int
	Times []float64 // s, of each run
	// Failed says in which way a run failed; empty: none did. The times of a
	// point that failed are kept and judge nothing.
	Failed string
}

// IsWeak tells whether the work grows with the ranks.
func (s *Study) IsWeak() bool { return len(s.Weak) > 0 }

// Crowded tells whether n ranks have to share cores.
func (s *Study) Crowded(n int) bool { return n*max(s.Threads, 1) > s.Cores }

// judged are the points that say something about the program: runs on cores of
// their own, none of which failed.
func (s *Study) judged() []Point {
	return slices.DeleteFunc(slices.Clone(s.Points), func(p Point) bool {
		return p.Failed != "" || len(p.Times) == 0 || s.Crowded(p.Ranks)
	})
}

// point returns the point of n ranks if its times can be used.
func (s *Study) point(n int) (Point, bool) {
	for _, p := range s.Points {
		if p.Ranks == n {
			return p, p.Failed == "" && len(p.Times) > 0
		}
	}
	return Point{}, false
}

// name is what the series are called, so that only what is alike is compared.
func (s *Study) name() string {
	name := s.Program
	for _, g := range s.Weak {
		name += " " + g.String()
	}
	if s.Threads > 1 {
		name += fmt.Sprintf(" (%d threads a rank)", s.Threads)
	}
	return name + " (" + s.Clock + ")"
}

// Report is the study as `muster bench compare` reads it: a series of each
// number of ranks, a round a run.
func (s *Study) Report() *results.Report {
	r := &results.Report{Environment: s.Environment}
	test := "strong"
	if s.IsWeak() {
		test = "weak"
	}
	for _, p := range s.Points {
		if p.Failed != "" || len(p.Times) == 0 {
			continue
		}
		series := &results.Series{
			Key:  results.Key{Kind: results.Ours, Name: s.name(), Test: test, Ranks: p.Ranks},
			Unit: results.Unit(test),
		}
		for _, t := range p.Times {
			series.Rounds = append(series.Rounds, []float64{t})
		}
		r.Series = append(r.Series, series)
	}
	return r
}

// DefaultRanks are the powers of two up to cores, cores itself, and the next
// power of two beyond, which shows what sharing cores costs.
func DefaultRanks(cores int) []int {
	var list []int
	n := 1
	for ; n <= cores; n *= 2 {
		list = append(list, n)
	}
	if list[len(list)-1] != cores {
		list = append(list, cores)
	}
	return append(list, n)
}

// plural is n with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
