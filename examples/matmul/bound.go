package main

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
)

// A verification is the comparison of a product with that of a single rank.
type verification struct {
	worst    float64 // the largest |C−C₁| as a part of its bound
	gamma    float64 // γ_k
	row, col int     // where worst is
	got      float64
	want     float64
}

// ok reports whether every element keeps its bound.
func (v verification) ok() bool { return v.worst <= 1 }

func (v verification) String() string {
	if v.ok() {
		return fmt.Sprintf("passed: |C−C₁| ≤ 2γ|A||B| everywhere with γ = %.2g, the largest difference is %.2g of its bound", v.gamma, v.worst)
	}
	return fmt.Sprintf("failed: element (%d, %d) is %v, a single rank computes %v, a difference of %.2g times the bound 2γ|A||B|",
		v.row+1, v.col+1, v.got, v.want, v.worst)
}

// gamma returns γ_k = k·u/(1−k·u) for float64's unit roundoff u = 2⁻⁵³.
func gamma(k int) float64 {
	ku := float64(k) * 0x1p-53
	return ku / (1 - ku)
}

// verify compares c with the product c1 of a and b as one rank computes it.
//
// A product computed in float64, its sums taken in any order and with or without
// fused multiply-add, satisfies |C−AB| ≤ γ_k|A||B| element by element (Higham
// 2002, §3.5). Both C and C₁ do, so |C−C₁| ≤ 2γ_k|A||B|. The product |A||B| is
// itself computed here, up to a factor 1−γ_k too small, by which the bound is
// divided. Higham's analysis leaves underflow out; each of the k products of an
// element may lose half the smallest subnormal number 2⁻¹⁰⁷⁴ to it, which adds
// k·2⁻¹⁰⁷⁴ for two computations and is doubled for what |A||B| loses.
//
// An element whose bound is not finite fails: nothing can be said about it.
//
// Cost: 2mnk floating-point operations and, at a time, as much memory as b plus a
// few rows of a and c.
func verify(c, c1, a, b blas64.General) verification {
	k := a.Cols
	v := verification{gamma: gamma(k), worst: -1}
	factor := 2 * v.gamma / (1 - v.gamma)
	floor := 2 * float64(k) * math.SmallestNonzeroFloat64
	absB := absolute(b)
	const strip = 256
	for lo := 0; lo < a.Rows; lo += strip {
		rows := span{lo, min(lo+strip, a.Rows)}
		bound := newMatrix(rows.len(), b.Cols)
		multiplyAdd(bound, absolute(block(a, rows, span{0, k})), absB)
		for i := range bound.Rows {
			for j := range bound.Cols {
				got, want := c.Data[(lo+i)*c.Stride+j], c1.Data[(lo+i)*c1.Stride+j]
				part := math.Abs(got-want) / (factor*bound.Data[i*bound.Stride+j] + floor)
				if math.IsNaN(part) || math.IsInf(bound.Data[i*bound.Stride+j], 1) {
					part = math.Inf(1)
				}
				if part > v.worst {
					v.worst, v.row, v.col, v.got, v.want = part, lo+i, j, got, want
				}
			}
		}
	}
	return v
}

// absolute returns a copy of a with every element's absolute value.
func absolute(a blas64.General) blas64.General {
	b := newMatrix(a.Rows, a.Cols)
	copyMatrix(b, a)
	for i, v := range b.Data {
		b.Data[i] = math.Abs(v)
	}
	return b
}
