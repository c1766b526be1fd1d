package main

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// newMatrix returns a zero matrix whose rows lie end to end.
func newMatrix(rows, cols int) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: max(1, cols), Data: make([]float64, rows*cols)}
}

// block returns the part of a in the given rows and columns. It shares a's
// memory, so writing to one writes to the other.
func block(a blas64.General, rows, cols span) blas64.General {
	b := blas64.General{Rows: rows.len(), Cols: cols.len(), Stride: a.Stride}
	if !empty(b) {
		b.Data = a.Data[rows.lo*a.Stride+cols.lo : (rows.hi-1)*a.Stride+cols.hi]
	}
	return b
}

// empty reports whether a has no element. Empty blocks occur when a dimension
// is shorter than the grid is wide; they are neither sent nor multiplied.
func empty(a blas64.General) bool { return a.Rows == 0 || a.Cols == 0 }

// multiplyAdd adds a·b to c. GOMAXPROCS bounds the threads gonum uses for it.
func multiplyAdd(c, a, b blas64.General) {
	if empty(a) || empty(b) {
		return
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, a, b, 1, c)
}

// clearMatrix sets every element of a to zero.
func clearMatrix(a blas64.General) {
	if empty(a) {
		return
	}
	for i := range a.Rows {
		clear(a.Data[i*a.Stride : i*a.Stride+a.Cols])
	}
}

// copyMatrix copies src to dst, which has the same shape.
func copyMatrix(dst, src blas64.General) {
	if empty(src) {
		return
	}
	for i := range src.Rows {
		copy(dst.Data[i*dst.Stride:i*dst.Stride+dst.Cols], src.Data[i*src.Stride:])
	}
}
