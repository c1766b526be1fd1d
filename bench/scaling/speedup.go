package scaling

import (
	"math"

	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/bench/stats"
)

// A Figure is a value with its 95 % interval. Value is NaN if there is none, and
// Low and High are if there were too few runs for an interval.
type Figure struct{ Value, Low, High float64 }

var none = Figure{math.NaN(), math.NaN(), math.NaN()}

// Known tells whether there is a value.
func (f Figure) Known() bool { return !math.IsNaN(f.Value) }

// HasInterval tells whether there is an interval.
func (f Figure) HasInterval() bool { return !math.IsNaN(f.Low) && !math.IsNaN(f.High) }

// through returns the figure of a decreasing or increasing function of f's.
func (f Figure) through(of func(float64) float64) Figure {
	if !f.Known() {
		return none
	}
	a, b := of(f.Low), of(f.High)
	return Figure{of(f.Value), math.Min(a, b), math.Max(a, b)}
}

// A Row is what the runs with one number of ranks say.
type Row struct {
	Point
	Crowded bool // ranks share cores
	Time    Figure
	// Speedup is against the base: how much more work is done in a time. Of a
	// weak study it is the scaled speed-up.
	Speedup Figure
	// Efficiency is Speedup by how many times the base's ranks there are. Like
	// KarpFlatt it is unknown where ranks share cores.
	Efficiency Figure
	// KarpFlatt is the serial fraction that would explain Speedup if nothing
	// else hindered the ranks (Karp and Flatt 1990): of a program that has one,
	// it is the same for all numbers of ranks; overheads make it grow. It is
	// known where the base has one rank.
	KarpFlatt Figure
}

// An Analysis is a study with what follows from it.
type Analysis struct {
	*Study
	Rows   []Row // one for each point
	Models []Model
}

// Analyse returns what follows from the points as they are now.
func (s *Study) Analyse() *Analysis { return &Analysis{s, s.rows(), s.models()} }

func (s *Study) rows() []Row {
	rows := make([]Row, len(s.Points))
	base, ok := s.point(s.Base)
	ok = ok && !s.Crowded(s.Base)
	for i, p := range s.Points {
		r := Row{Point: p, Crowded: s.Crowded(p.Ranks), Time: none, Speedup: none, Efficiency: none, KarpFlatt: none}
		if p.Failed == "" && len(p.Times) > 0 {
			r.Time = medianOf(p.Times)
			if ok {
				r.compare(base, s.IsWeak())
			}
		}
		rows[i] = r
	}
	return rows
}

func medianOf(times []float64) Figure {
	f := Figure{Value: stats.Median(times)}
	f.Low, f.High, _ = stats.MedianInterval(times, results.Level)
	return f
}

// compare fills in what refers to the base.
func (r *Row) compare(base Point, weak bool) {
	more := float64(r.Ranks) / float64(base.Ranks)
	work := 1.
	if weak {
		work = more
	}
	r.Speedup.Value = work * stats.Median(base.Times) / r.Time.Value
	if r.Ranks == base.Ranks {
		r.Speedup.Low, r.Speedup.High = r.Speedup.Value, r.Speedup.Value
	} else if low, high, ok := stats.RatioInterval(base.Times, r.Times, results.Level); ok {
		r.Speedup.Low, r.Speedup.High = work*low, work*high
	}
	if r.Crowded {
		return
	}
	r.Efficiency = r.Speedup.through(func(s float64) float64 { return s / more })
	if base.Ranks == 1 && r.Ranks > 1 {
		p := float64(r.Ranks)
		r.KarpFlatt = r.Speedup.through(func(s float64) float64 { return (1/s - 1/p) / (1 - 1/p) })
	}
}
