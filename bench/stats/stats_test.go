package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPercentilesOfKnownLists(t *testing.T) {
	for _, test := range []struct {
		v       []float64
		p, want float64
	}{
		{[]float64{3}, 0, 3},
		{[]float64{3}, 99, 3},
		{[]float64{4, 1, 3, 2}, 50, 2.5},
		{[]float64{5, 1, 3}, 50, 3},
		{[]float64{1, 2, 3, 4, 5}, 90, 4.6},
		{[]float64{2, 1}, 100, 2},
	} {
		before := slices.Clone(test.v)
		if got := Percentile(test.v, test.p); math.Abs(got-test.want) > 1e-12 || !slices.Equal(test.v, before) {
			t.Errorf("percentile %v of %v: got %v, want %v; left %v", test.p, before, got, test.want, test.v)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("nothing has a median")
	}
}

// The dumb twin of Median: as many values above as below.
func TestMedianHasAsManyValuesOnEachSide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		v := make([]float64, 1+r.IntN(30))
		for i := range v {
			v[i] = float64(r.IntN(10))
		}
		below, above := 0, 0
		for _, x := range v {
			if x < Median(v) {
				below++
			}
			if x > Median(v) {
				above++
			}
		}
		if below > len(v)/2 || above > len(v)/2 {
			t.Fatalf("%v: %d below and %d above %v", v, below, above, Median(v))
		}
	}
}

// The dumb twin of rankSum: every order is written down and its inversions
// counted.
func TestRankSumCountsOrders(t *testing.T) {
	for n := range 6 {
		for m := range 6 {
			want := make([]float64, n*m+1)
			for set := range 1 << (n + m) {
				ones, inversions := 0, 0
				for i := range n + m {
					if set>>i&1 == 1 {
						ones++
						inversions += i + 1 - ones // zeros before it
					}
				}
				if ones == n {
					want[inversions]++
				}
			}
			if got := rankSum(n, m); !slices.Equal(got, want) {
				t.Errorf("%d and %d: got %v, want %v", n, m, got, want)
			}
		}
	}
}

// Tables of the rank-sum test: 95 % of 4 and 4 leaves out none of 16 quotients
// at each end (U = 0), of 5 and 5 two (U = 2), of 8 and 8 thirteen (U = 13).
func TestCutsAreThoseOfTheTables(t *testing.T) {
	for _, test := range []struct{ n, m, want int }{{3, 3, 0}, {3, 5, 1}, {4, 4, 1}, {5, 5, 3}, {8, 8, 14}, {10, 10, 24}} {
		if got := cut(rankSum(test.n, test.m), 0.95); got != test.want {
			t.Errorf("%d and %d: got %d, want %d", test.n, test.m, got, test.want)
		}
	}
	for _, test := range []struct{ n, want int }{{0, 0}, {5, 0}, {6, 1}, {8, 1}, {9, 2}, {20, 6}} {
		if got := cut(binomial(test.n), 0.95); got != test.want {
			t.Errorf("median of %d: got %d, want %d", test.n, got, test.want)
		}
	}
}

// The dumb twin of RatioInterval: a factor is outside if, with b multiplied by
// it, the rank-sum test tells a and b apart.
func TestRatioIntervalHoldsWhatTheTestDoesNotReject(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		a, b := skewed(r, 4+r.IntN(5), 1), skewed(r, 4+r.IntN(5), 2)
		low, high, ok := RatioInterval(a, b, 0.95)
		if !ok {
			t.Fatalf("no interval of %d and %d values", len(a), len(b))
		}
		if q := Median(a) / Median(b); len(a)%2 == 1 && len(b)%2 == 1 && (q < low || q > high) {
			t.Fatalf("the quotient of medians %v is outside [%v, %v]", q, low, high)
		}
		weights := rankSum(len(a), len(b))
		for factor := range factors(low, high) {
			inversions := 0
			for _, x := range a {
				for _, y := range b {
					if x > factor*y {
						inversions++
					}
				}
			}
			inversions = min(inversions, len(a)*len(b)-inversions)
			var tail, all float64
			for u, w := range weights {
				all += w
				if u <= inversions {
					tail += w
				}
			}
			rejected := 2*tail <= 0.05*all
			if inside := factor > low && factor < high; inside == rejected {
				t.Fatalf("%v, %v: factor %v, rejected %v, interval [%v, %v]", a, b, factor, rejected, low, high)
			}
		}
	}
}

// factors are some in and around an interval, none at its ends.
func factors(low, high float64) func(func(float64) bool) {
	return func(yield func(float64) bool) {
		for _, f := range []float64{low * 0.5, low * 0.999999, low * 1.000001, (low + high) / 2, high * 0.999999, high * 1.000001, high * 2} {
			if !yield(f) {
				return
			}
		}
	}
}

// skewed returns times such as a noisy machine has: a mode and a long tail.
func skewed(r *rand.Rand, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = scale * (1 + 0.05*r.ExpFloat64())
		if r.IntN(10) == 0 {
			v[i] *= 1.8
		}
	}
	return v
}

func TestIntervalsCoverTheTruthInNineteenOfTwentyCases(t *testing.T) {
	const trials, ratio = 4000, 0.8
	r := rand.New(rand.NewPCG(5, 6))
	truth := Median(skewed(r, 200001, 1))
	for _, n := range []int{4, 5, 7, 12} {
		ratios, medians := 0, 0
		for range trials {
			a, b := skewed(r, n, ratio*3), skewed(r, n, 3)
			if low, high, ok := RatioInterval(a, b, 0.95); ok && low <= ratio && ratio <= high {
				ratios++
			}
			if low, high, ok := MedianInterval(b, 0.95); !ok || low <= 3*truth && 3*truth <= high {
				medians++
			}
		}
		// Three standard errors of 4000 trials are 1 %.
		if got := float64(ratios) / trials; got < 0.94 {
			t.Errorf("%d runs: the ratio is covered in %.3f of the cases, want 0.95", n, got)
		}
		if got := float64(medians) / trials; got < 0.94 {
			t.Errorf("%d runs: the median is covered in %.3f of the cases, want 0.95", n, got)
		}
	}
}
