package main

import (
	"context"
	"math"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// A tall matrix has its rows, one for each document, distributed over the ranks of
// c: each has those of its own documents, maybe none. What is computed of it that
// is small, with no side as long as the documents are many, every rank has.

// inner returns xᵀ·y of two tall matrices, on every rank. Every rank calls it.
func inner(ctx context.Context, c *rank.Comm, x, y blas64.General) (blas64.General, error) {
	h := newMatrix(x.Cols, y.Cols)
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, x, y, 0, h)
	return h, collectives.AllReduce(ctx, c, h.Data, collectives.Sum)
}

// times returns x·y, tall if x is.
func times(x, y blas64.General) blas64.General {
	z := newMatrix(x.Rows, y.Cols)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, x, y, 0, z)
	return z
}

// subtract sets x −= y·h.
func subtract(x, y, h blas64.General) {
	blas64.Gemm(blas.NoTrans, blas.NoTrans, -1, y, h, 1, x)
}

// columnsOf returns columns [first, end) of m, in place.
func columnsOf(m blas64.General, first, end int) blas64.General {
	if m.Rows == 0 || first == end {
		return newMatrix(m.Rows, end-first)
	}
	return blas64.General{Rows: m.Rows, Cols: end - first, Stride: m.Stride, Data: m.Data[first : (m.Rows-1)*m.Stride+end]}
}

// eigen returns the eigenvalues of a symmetric matrix, descending, and its
// eigenvectors in columns; of m only the lower triangle counts. It panics if the
// iteration fails, which it does for infinities and NaN alone.
func eigen(m blas64.General) ([]float64, blas64.General) {
	n := m.Rows
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			s.SetSym(i, j, m.Data[i*m.Stride+j])
		}
	}
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		panic("topics: the eigenvalues of a symmetric matrix do not converge")
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	ascending := e.Values(nil)
	values, v := make([]float64, n), newMatrix(n, n)
	for j := range n {
		values[j] = ascending[n-1-j]
		for i := range n {
			v.Data[i*n+j] = vectors.At(i, n-1-j)
		}
	}
	return values, v
}

// orthonormal returns an orthonormal basis q of the span of the tall matrix x, in
// the complement of the tall matrices basis, and r with x = q·r within rounding of
// the largest. x is orthogonal to basis but for rounding, which may be much in its
// shortest directions. Every rank calls it.
//
// It is SVQB (Stathopoulos and Wu, A block orthogonalization procedure with
// constant synchronization requirements, 2002): x·E·Λ^−½ of the eigenvalues of
// xᵀ·x, repeated. The first pass cannot tell directions below √ε of the longest
// from rounding, and lengthens them as if they were that long; what is below √ε
// again in the second is below ε and dropped. A third pass makes good what
// rounding has done to those just above. By then the shortest are lengthened so
// much that what rounding had left in them of the old basis counts: the last pass
// begins by taking that away, and drops what was little else. So q has no more
// columns than the complement has dimensions.
func orthonormal(ctx context.Context, c *rank.Comm, x blas64.General, basis []blas64.General) (q, r blas64.General, err error) {
	r = identity(x.Cols)
	for pass := range 4 {
		if pass == 3 {
			if _, err := project(ctx, c, x, basis); err != nil {
				return q, r, err
			}
		}
		gram, err := inner(ctx, c, x, x)
		if err != nil {
			return q, r, err
		}
		values, e := eigen(gram)
		floor := values[0] * roundoff * float64(x.Cols)
		least := [...]float64{math.Inf(-1), floor, math.Inf(-1), 0.25}[pass]
		keep := 0
		for keep < len(values) && values[0] > 0 && values[keep] > least {
			keep++
		}
		if keep == 0 {
			return newMatrix(x.Rows, 0), newMatrix(0, r.Cols), nil
		}
		down, up := newMatrix(e.Rows, keep), newMatrix(keep, e.Rows)
		for i := range e.Rows {
			for j := range keep {
				length := math.Sqrt(max(values[j], floor))
				down.Data[i*down.Stride+j] = e.Data[i*e.Stride+j] / length
				up.Data[j*up.Stride+i] = e.Data[i*e.Stride+j] * length
			}
		}
		x, r = times(x, down), times(up, r)
	}
	return x, r, nil
}

// identity returns the n×n matrix with ones in its diagonal.
func identity(n int) blas64.General {
	m := newMatrix(n, n)
	for i := range n {
		m.Data[i*n+i] = 1
	}
	return m
}

// roundoff is the distance from 1 to the next float64.
const roundoff = 0x1p-52

// project takes from x its parts along the orthonormal columns of basis, and
// returns basisᵀ·x. All are tall; every rank calls it.
func project(ctx context.Context, c *rank.Comm, x blas64.General, basis []blas64.General) (blas64.General, error) {
	rows := 0
	for _, b := range basis {
		rows += b.Cols
	}
	h := newMatrix(rows, x.Cols)
	at := 0
	for _, b := range basis {
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, b, x, 0, rowsOf(h, at, at+b.Cols))
		at += b.Cols
	}
	if err := collectives.AllReduce(ctx, c, h.Data, collectives.Sum); err != nil {
		return h, err
	}
	at = 0
	for _, b := range basis {
		subtract(x, b, rowsOf(h, at, at+b.Cols))
		at += b.Cols
	}
	return h, nil
}

// rowsOf returns rows [first, end) of m, in place.
func rowsOf(m blas64.General, first, end int) blas64.General {
	if first == end || m.Cols == 0 {
		return newMatrix(end-first, m.Cols)
	}
	return blas64.General{Rows: end - first, Cols: m.Cols, Stride: m.Stride, Data: m.Data[first*m.Stride : (end-1)*m.Stride+m.Cols]}
}

// newMatrix returns a dense matrix of zeros. Unlike gonum's mat.Dense it may have
// no rows, as the share of a rank without documents.
func newMatrix(rows, cols int) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: max(1, cols), Data: make([]float64, rows*cols)}
}

// rowOf returns row i of m, in place.
func rowOf(m blas64.General, i int) []float64 {
	return m.Data[i*m.Stride : i*m.Stride+m.Cols]
}
