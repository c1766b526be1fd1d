package scaling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/bench/stats"
)

// A Model is a law fitted to the points that are judged. Both laws say how the
// time of all ranks together, for the work of one, grows with their number p:
//
//	time · ranks / work = T1 · (1 + σ·(p-1) + κ·p·(p-1))
//
// which is linear in T1, T1·σ and T1·κ. Amdahl 1967 is κ = 0, his serial fraction
// being σ; Gunther's universal scalability law (1993) has both, contention σ and
// the cost κ of coherence, which makes more ranks slower in the end. In a strong
// study the work is constant; in a weak one it is p times that of one rank, and
// the speed-up is the scaled one.
type Model struct {
	Name string
	// Refused says why there is no fit; empty: there is.
	Refused string
	T1      Figure // s
	Sigma   Figure
	Kappa   Figure  // of Amdahl 0
	Worst   float64 // largest deviation of a median from the law, as a part of it
	Free    int     // points more than parameters; 0: the law passes through all
}

// resamples of a bootstrap.
const resamples = 2000

// enough is how many runs of each number of ranks a bootstrap wants. Fewer have
// so few different samples that its interval says more about chance than about
// them.
const enough = 5

// models fits the laws of Amdahl and Gunther by least squares of the relative
// deviations of the medians, no parameter below zero. The intervals are those
// between the 2.5th and 97.5th percentile of the bootstrap over the runs of each
// number of ranks; it draws the same numbers each time, so the same runs give the
// same intervals.
func (s *Study) models() []Model {
	return []Model{s.fit("Amdahl", 1), s.fit("USL", 2)}
}

// fit fits T1 and so many of σ and κ.
func (s *Study) fit(name string, terms int) Model {
	m := Model{Name: name, T1: none, Sigma: none, Kappa: none}
	points := s.judged()
	if m.Free = len(points) - (terms + 1); m.Free < 0 {
		m.Refused = fmt.Sprintf("it has %d parameters and wants as many numbers of ranks, each on a core of its own, but there %s",
			terms+1, are(len(points)))
		return m
	}
	medians := make([]float64, len(points))
	for i, p := range points {
		medians[i] = stats.Median(p.Times)
	}
	law := s.solve(points, medians, terms)
	for i, p := range points {
		m.Worst = max(m.Worst, math.Abs(medians[i]/s.time(law, float64(p.Ranks))-1))
	}
	spread := s.bootstrap(points, terms)
	for i, f := range []*Figure{&m.T1, &m.Sigma, &m.Kappa} {
		f.Value = law[i]
		if spread != nil {
			f.Low, f.High = stats.Percentile(spread[i], 100*(1-results.Level)/2), stats.Percentile(spread[i], 100*(1+results.Level)/2)
		}
	}
	return m
}

func are(n int) string {
	if n == 1 {
		return "is 1"
	}
	return fmt.Sprintf("are %d", n)
}

// bootstrap returns the parameters of laws fitted to samples of the runs, drawn
// with replacement, or nil if there are too few runs.
func (s *Study) bootstrap(points []Point, terms int) [][]float64 {
	for _, p := range points {
		if len(p.Times) < enough {
			return nil
		}
	}
	r := rand.New(rand.NewPCG(1990, 1993))
	spread := make([][]float64, 3)
	medians := make([]float64, len(points))
	var sample []float64
	for range resamples {
		for i, p := range points {
			sample = sample[:0]
			for range p.Times {
				sample = append(sample, p.Times[r.IntN(len(p.Times))])
			}
			medians[i] = stats.Median(sample)
		}
		for i, v := range s.solve(points, medians, terms) {
			spread[i] = append(spread[i], v)
		}
	}
	return spread
}

// load is by how much the work of one rank is multiplied if there are p.
func (s *Study) load(p float64) float64 {
	if s.IsWeak() {
		return p
	}
	return 1
}

// expected is the time that the law expects of p ranks, in seconds.
func (s *Study) expected(m Model, p float64) float64 {
	return s.time([3]float64{m.T1.Value, m.Sigma.Value, m.Kappa.Value}, p)
}

func (s *Study) time(law [3]float64, p float64) float64 {
	return law[0] * s.load(p) / p * (1 + law[1]*(p-1) + law[2]*p*(p-1))
}

// solve returns T1, σ and κ of the law with so many of the latter two that is
// nearest to the medians.
//
// Of all laws without a parameter below zero, the nearest is the nearest of those
// in which some are zero and the others free, provided that none of the others is
// below zero. With two terms there are four of these, and all are tried.
func (s *Study) solve(points []Point, medians []float64, terms int) [3]float64 {
	var best [3]float64
	least := math.Inf(1)
	for free := range 1 << terms {
		columns := [][]float64{make([]float64, len(points))}
		which := []int{0}
		for t := range terms {
			if free>>t&1 == 1 {
				columns = append(columns, make([]float64, len(points)))
				which = append(which, t+1)
			}
		}
		for i, point := range points {
			p := float64(point.Ranks)
			weight := s.load(p) / p / medians[i]
			basis := [3]float64{weight, weight * (p - 1), weight * p * (p - 1)}
			for c, w := range which {
				columns[c][i] = basis[w]
			}
		}
		x, residual := leastSquares(columns)
		if x == nil || x[0] <= 0 || slices.Min(x) < 0 || residual >= least {
			continue
		}
		least = residual
		best = [3]float64{x[0], 0, 0}
		for c, w := range which[1:] {
			best[w] = x[c+1] / x[0]
		}
	}
	return best
}

// leastSquares returns the x for which the sum of x[c]·columns[c] is nearest to
// ones, and the square of the distance; nil if the columns depend on each other.
// It is the modified Gram-Schmidt method, ones being one column more.
func leastSquares(columns [][]float64) (x []float64, residual float64) {
	n := len(columns)
	q := make([][]float64, n+1)
	for c := range columns {
		q[c] = slices.Clone(columns[c])
	}
	q[n] = slices.Repeat([]float64{1}, len(columns[0]))
	r := make([][]float64, n) // upper triangle, the last column belonging to ones
	for c := range n {
		r[c] = make([]float64, n+1)
		length := math.Sqrt(dot(q[c], q[c]))
		if before := math.Sqrt(dot(columns[c], columns[c])); length <= 1e-12*before {
			return nil, 0
		}
		r[c][c] = length
		for i := range q[c] {
			q[c][i] /= length
		}
		for d := c + 1; d <= n; d++ {
			r[c][d] = dot(q[c], q[d])
			for i := range q[d] {
				q[d][i] -= r[c][d] * q[c][i]
			}
		}
	}
	x = make([]float64, n)
	for c := n - 1; c >= 0; c-- {
		x[c] = r[c][n]
		for d := c + 1; d < n; d++ {
			x[c] -= r[c][d] * x[d]
		}
		x[c] /= r[c][c]
	}
	return x, dot(q[n], q[n])
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
