package scaling

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestExactTimesGiveTheExactLaw(t *testing.T) {
	for _, weak := range []bool{false, true} {
		for _, want := range []struct{ t1, sigma, kappa float64 }{
			{3, 0.07, 0}, {0.02, 0, 0}, {120, 1, 0}, {7, 0.03, 0.0004}, {1, 0, 0.002}, {5, 0.4, 1e-7},
		} {
			s := law(want.t1, want.sigma, want.kappa, []int{1, 2, 3, 4, 8, 12, 64}, 5, weak, exact)
			for _, m := range s.models() {
				if m.Name == "Amdahl" && want.kappa != 0 {
					if m.Worst < 1e-6 {
						t.Errorf("weak %v, %+v: Amdahl's law fits times with coherence: %+v", weak, want, m)
					}
					continue
				}
				if m.Refused != "" || !near(m.T1.Value, want.t1, 1e-9) || !near(m.Sigma.Value, want.sigma, 1e-9) || !near(m.Kappa.Value, want.kappa, 1e-9) || m.Worst > 1e-9 {
					t.Errorf("weak %v, %+v: got %+v", weak, want, m)
				}
				if !near(m.Sigma.Low, want.sigma, 1e-9) || !near(m.Sigma.High, want.sigma, 1e-9) {
					t.Errorf("weak %v, %+v: runs without noise have the interval [%v, %v]", weak, want, m.Sigma.Low, m.Sigma.High)
				}
			}
		}
	}
}

// The dumb twin of solve: no law nearby, with no parameter below zero, is nearer
// to the medians.
func TestNoOtherLawIsNearer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	distance := func(s *Study, medians []float64, l [3]float64) float64 {
		var sum float64
		for i, p := range s.Points {
			d := s.time(l, float64(p.Ranks))/medians[i] - 1
			sum += d * d
		}
		return sum
	}
	for trial := range 300 {
		ranks := []int{1, 2, 3, 5, 8, 13}[:3+r.IntN(4)]
		// Among the times are some that no law of the kind has: faster than ideal.
		s := law(1, 0.05*r.Float64(), 0.002*r.Float64(), ranks, 1, trial%2 == 0, func() float64 { return 0.7 + 0.6*r.Float64() })
		var medians []float64
		for _, p := range s.Points {
			medians = append(medians, p.Times[0])
		}
		for terms := range 3 {
			best := s.solve(s.Points, medians, terms)
			least := distance(s, medians, best)
			for range 400 {
				other := best
				for i := range terms + 1 {
					other[i] = max(0, other[i]*(1+0.1*r.NormFloat64())+0.01*r.NormFloat64())
				}
				if d := distance(s, medians, other); d < least*(1-1e-9) {
					t.Fatalf("trial %d, %d terms, ranks %v: %v is at %v, and %v at %v", trial, terms, ranks, best, least, other, d)
				}
			}
			if slices.Min(best[:]) < 0 || best[0] <= 0 {
				t.Fatalf("trial %d: the law %v", trial, best)
			}
		}
	}
}

// A bootstrap of seven medians is a rough tool: its intervals hold the truth in
// somewhat fewer than 95 of 100 cases, and must not in many fewer.
func TestIntervalsHoldTheSerialFraction(t *testing.T) {
	const trials, sigma = 120, 0.08
	r := rand.New(rand.NewPCG(3, 4))
	held, width := 0, 0.
	for range trials {
		s := law(2, sigma, 0, []int{1, 2, 4, 8, 16}, 7, false, func() float64 { return math.Exp(0.03 * r.NormFloat64()) })
		m := s.fit("Amdahl", 1)
		if m.Sigma.Low <= sigma && sigma <= m.Sigma.High {
			held++
		}
		width += (m.Sigma.High - m.Sigma.Low) / trials
	}
	if held < trials*85/100 {
		t.Errorf("%d of %d intervals hold the serial fraction", held, trials)
	}
	if width > sigma/2 {
		t.Errorf("intervals of the serial fraction %v are %v wide: they say nothing", sigma, width)
	}
	t.Logf("%d of %d intervals hold the truth, mean width %.4f", held, trials, width)
}
