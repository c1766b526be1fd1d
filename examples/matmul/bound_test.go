package main

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
)

// exact returns the products of a and b and of their absolute values without
// rounding.
func exact(a, b blas64.General) (product, magnitude []*big.Rat) {
	for i := range a.Rows {
		for j := range b.Cols {
			sum, abs := new(big.Rat), new(big.Rat)
			for l := range a.Cols {
				x, y := new(big.Rat).SetFloat64(a.Data[i*a.Stride+l]), new(big.Rat).SetFloat64(b.Data[l*b.Stride+j])
				x.Mul(x, y)
				sum.Add(sum, x)
				abs.Add(abs, new(big.Rat).Abs(x))
			}
			product, magnitude = append(product, sum), append(magnitude, abs)
		}
	}
	return product, magnitude
}

func normal(r *rand.Rand, rows, cols int) blas64.General {
	a := newMatrix(rows, cols)
	for i := range a.Data {
		a.Data[i] = r.NormFloat64() * math.Pow(2, float64(r.IntN(40)-20))
	}
	return a
}

// TestComputedProductsKeepHighamsBound compares with exact rational arithmetic:
// |C−AB| ≤ γ_k|A||B|.
func TestComputedProductsKeepHighamsBound(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		k := 1 + r.IntN(60)
		a, b := normal(r, 4, k), normal(r, k, 5)
		c := newMatrix(4, 5)
		multiplyAdd(c, a, b)
		product, magnitude := exact(a, b)
		bound := new(big.Rat).SetFloat64(gamma(k))
		for i, v := range c.Data {
			diff := new(big.Rat).SetFloat64(v)
			diff.Sub(diff, product[i])
			if diff.Abs(diff).Cmp(new(big.Rat).Mul(bound, magnitude[i])) > 0 {
				t.Errorf("seed %d, k=%d, element %d: |C−AB| = %v exceeds γ_k|A||B|", seed, k, i, diff.FloatString(30))
			}
		}
	}
}

func TestVerifyAcceptsTheProductAndNothingFartherThanTheBound(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		k := 1 + r.IntN(80)
		a, b := normal(r, 300, k), normal(r, k, 3)
		c1 := newMatrix(300, 3)
		multiplyAdd(c1, a, b)
		if v := verify(naive(a, b), c1, a, b); !v.ok() {
			t.Errorf("seed %d: the product by three loops: %v", seed, v)
		}
		i, j := r.IntN(300), r.IntN(3)
		magnitude := 0.0
		for l := range k {
			magnitude += math.Abs(a.Data[i*a.Stride+l] * b.Data[l*b.Stride+j])
		}
		c := newMatrix(300, 3)
		copyMatrix(c, c1)
		c.Data[i*c.Stride+j] += 4 * gamma(k) * magnitude
		v := verify(c, c1, a, b)
		if v.ok() || v.row != i || v.col != j || !strings.Contains(v.String(), "failed: element") {
			t.Errorf("seed %d: element (%d, %d) is off by twice its bound, verify says %v", seed, i, j, v)
		}
	}
}

func TestVerifyRefusesWhatIsNotFinite(t *testing.T) {
	one := blas64.General{Rows: 1, Cols: 1, Stride: 1, Data: []float64{1}}
	huge := blas64.General{Rows: 1, Cols: 1, Stride: 1, Data: []float64{1e200}}
	inf := blas64.General{Rows: 1, Cols: 1, Stride: 1, Data: []float64{math.Inf(1)}}
	nan := blas64.General{Rows: 1, Cols: 1, Stride: 1, Data: []float64{math.NaN()}}
	if v := verify(nan, one, one, one); v.ok() {
		t.Errorf("NaN for 1: %v", v)
	}
	if v := verify(inf, inf, huge, huge); v.ok() {
		t.Errorf("a product that overflows: %v", v)
	}
}

func TestVerifyAllowsForUnderflow(t *testing.T) {
	tiny := math.SmallestNonzeroFloat64
	a := blas64.General{Rows: 1, Cols: 2, Stride: 2, Data: []float64{tiny, tiny}}
	b := blas64.General{Rows: 2, Cols: 1, Stride: 1, Data: []float64{0.5, 0.5}}
	// Each product rounds to 0; fused with an addition, the exact sum is tiny.
	c := blas64.General{Rows: 1, Cols: 1, Stride: 1, Data: []float64{tiny}}
	if v := verify(c, newMatrix(1, 1), a, b); !v.ok() {
		t.Errorf("%v", v)
	}
}
