package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The dumb twin of RankSum: all ways to say which of the values are a's.
func TestRankSumIsTheShareOfOrders(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for trial := range 200 {
		n, m := r.IntN(6), r.IntN(6)
		values := r.Perm(n + m) // no two are equal
		float := make([]float64, n+m)
		for i, v := range values {
			float[i] = float64(v)
		}
		wrong := func(set int) (u int) {
			for i := range n + m {
				for j := range n + m {
					if set>>i&1 == 1 && set>>j&1 == 0 && values[i] < values[j] {
						u++
					}
				}
			}
			return u
		}
		here, all, few := wrong(1<<n-1), 0., 0.
		for set := range 1 << (n + m) {
			ones := 0
			for i := range n + m {
				ones += set >> i & 1
			}
			if ones == n {
				all++
				if wrong(set) <= here {
					few++
				}
			}
		}
		if got := RankSum(float[:n], float[n:]); math.Abs(got-few/all) > 1e-12 {
			t.Fatalf("trial %d: %v above %v: got %v, want %v of %v", trial, float[:n], float[n:], got, few, all)
		}
	}
}

func TestLeastRankSumIsThatOfSamplesApart(t *testing.T) {
	for n := range 9 {
		for m := range 9 {
			a, b := make([]float64, n), make([]float64, m)
			for i := range a {
				a[i] = 2
			}
			if got, want := LeastRankSum(n, m), RankSum(a, b); math.Abs(got-want) > 1e-12 {
				t.Errorf("%d and %d: got %v, want %v", n, m, got, want)
			}
		}
	}
}

// Equal values are no evidence.
func TestRankSumOfEqualsIsOne(t *testing.T) {
	if got := RankSum([]float64{1, 1, 1}, []float64{1, 1, 1, 1}); got != 1 {
		t.Errorf("got %v", got)
	}
}

func TestHolm(t *testing.T) {
	for _, test := range []struct{ p, want []float64 }{
		{nil, []float64{}},
		{[]float64{0.03}, []float64{0.03}},
		{[]float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}}, // R: p.adjust(p, "holm")
		{[]float64{0.9, 0.6}, []float64{1, 1}},
	} {
		got := Holm(test.p)
		if !slices.EqualFunc(got, test.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("%v: got %v, want %v", test.p, got, test.want)
		}
	}
}

// Beyond the exact numbers the normal distribution goes on where they end.
func TestManyValuesGoOnWhereFewEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const n = 100 // the most that is exact
	if !exactly(n, n) || exactly(n, n+1) {
		t.Fatal("100 and 100 values are not the most that are exact")
	}
	for trial := range 20 {
		a, b := skewed(r, n, 1.01), skewed(r, n, 1)
		exact := RankSum(a, b)
		mean, deviation := rankSumNormal(n, n)
		u := 0
		for _, x := range a {
			for _, y := range b {
				if x <= y {
					u++
				}
			}
		}
		if near := math.Erfc((mean-float64(u)-0.5)/deviation/math.Sqrt2) / 2; math.Abs(near-exact) > 5e-4 {
			t.Errorf("trial %d: p is %v, and %v by the normal distribution", trial, exact, near)
		}
		low, high, _ := RatioInterval(a, b, 0.95)
		c := append(a[:n:n], Median(a))
		if l, h, ok := RatioInterval(c, b, 0.95); !ok || math.Abs(l/low-1) > 2e-3 || math.Abs(h/high-1) > 2e-3 {
			t.Errorf("trial %d: [%v, %v] with one value more than [%v, %v]", trial, l, h, low, high)
		}
	}
	a, b := skewed(r, 1000, 1.2), skewed(r, 1000, 1)
	if p := RankSum(a, b); !(p < 1e-10) {
		t.Errorf("1000 values larger by a fifth: p is %v", p)
	}
}
