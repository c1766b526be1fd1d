package main

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// A decomposition is the truncated singular value decomposition A ≈ U·Σ·Vᵀ of the
// terms × documents matrix A.
type decomposition struct {
	sigma    []float64      // descending
	terms    blas64.General // U: a row for each word, the same on every rank
	docs     blas64.General // V: a row for each of this rank's documents
	steps    int            // of the iteration
	residual float64        // the largest ‖AᵀA·v − σ²·v‖ of all, in units of the largest σ²
}

const (
	// oversampling is how many columns a block of the iteration has beyond those
	// that are looked for, so that values near the last one are told apart.
	oversampling = 8
	// enough is the residual to stop at. It is known from coefficients, and so may
	// fall below the rounding of the vectors themselves. By then one step more would
	// change them by no more than rounding, so it does not matter if ranks of another
	// number make it.
	enough = 1e-15
	// maxSteps bounds memory and time where values lie so close that the iteration
	// is slow; the residual then says how far it came.
	maxSteps = 60
	// negligible is the σ, in units of the largest, below which the square of σ
	// drowns in the rounding of the largest square; it is taken as zero.
	negligible = 1e-6
)

// decompose returns the k largest singular values of the matrix whose transpose
// has the rows of all ranks' a, with their vectors; fewer if it has a lower rank.
// documents is the number of all, and first the place of this rank's first. Every
// rank calls it with the same words, documents, k and seed.
//
// It is a block Lanczos iteration with full reorthogonalisation on AᵀA (Golub and
// Underwood 1977), begun with random columns: the Krylov space of which a
// randomised power iteration keeps the last block alone (Musco and Musco 2015). A
// step takes one product with A, summed over the ranks, and one with Aᵀ, which is
// local, so each rank holds its documents' rows of the vectors. Nothing is formed
// whose size is the square of the number of words or of documents.
// Step j takes O(nonzeros·b + rows·j·b²) operations with b = k+8, and sends as
// much as an allreduce of words·b elements.
func decompose(ctx context.Context, c *rank.Comm, a *sparse, words, first, documents, k int, seed uint64) (*decomposition, error) {
	k = min(k, words, documents)
	x := randomRows(a.rows(), min(k+oversampling, documents), first, seed)
	x, _, err := orthonormal(ctx, c, x, nil)
	if err != nil {
		return nil, err
	}
	d := new(decomposition)
	var basis []blas64.General
	t := newMatrix(0, 0) // basisᵀ·AᵀA·basis
	for {
		d.steps++
		basis = append(basis, x)
		y, err := d.product(ctx, c, a, words, x)
		if err != nil {
			return nil, err
		}
		next := newMatrix(x.Rows, x.Cols)
		a.mulTo(next, y)
		h, err := project(ctx, c, next, basis)
		if err != nil {
			return nil, err
		}
		t = border(t, h)
		var r blas64.General
		if x, r, err = orthonormal(ctx, c, next, basis); err != nil {
			return nil, err
		}
		values, vectors := eigen(t)
		d.residual = residual(r, values, vectors, k)
		if d.residual <= enough || x.Cols == 0 || d.steps == maxSteps {
			return d, d.finish(ctx, c, a, words, basis, values, vectors, k)
		}
	}
}

// product returns A·x on every rank.
func (d *decomposition) product(ctx context.Context, c *rank.Comm, a *sparse, words int, x blas64.General) (blas64.General, error) {
	y := newMatrix(words, x.Cols)
	a.mulTransTo(y, x)
	return y, collectives.AllReduce(ctx, c, y.Data, collectives.Sum)
}

// border returns the symmetric matrix t with the columns h added, and the rows that
// make it symmetric.
func border(t, h blas64.General) blas64.General {
	n := h.Rows
	s := newMatrix(n, n)
	for i := range t.Rows {
		copy(rowOf(s, i), rowOf(t, i))
	}
	for i := range n {
		for j := range h.Cols {
			at := t.Rows + j
			v := h.Data[i*h.Stride+j]
			if i >= t.Rows { // within the last block: the mean of both triangles
				v = (v + h.Data[at*h.Stride+i-t.Rows]) / 2
			}
			s.Data[i*n+at], s.Data[at*n+i] = v, v
		}
	}
	return s
}

// residual returns the largest ‖AᵀA·v − θ·v‖ of the first k eigenpairs of the
// projected matrix, in units of the largest eigenvalue; r couples its last block
// to what is outside.
func residual(r blas64.General, values []float64, vectors blas64.General, k int) float64 {
	if r.Rows == 0 || values[0] <= 0 {
		return 0
	}
	k = min(k, len(values))
	out := times(r, columnsOf(rowsOf(vectors, vectors.Rows-r.Cols, vectors.Rows), 0, k))
	worst := 0.0
	for j := range k {
		sum := 0.0
		for i := range out.Rows {
			v := out.Data[i*out.Stride+j]
			sum += v * v
		}
		worst = max(worst, sum)
	}
	return math.Sqrt(worst) / values[0]
}

// finish computes values and vectors of A from those of the projected matrix.
func (d *decomposition) finish(ctx context.Context, c *rank.Comm, a *sparse, words int, basis []blas64.General, values []float64, vectors blas64.General, k int) error {
	for _, theta := range values[:min(k, len(values))] {
		if theta <= 0 || theta < negligible*negligible*values[0] {
			break
		}
		d.sigma = append(d.sigma, math.Sqrt(theta))
	}
	if k = len(d.sigma); k == 0 {
		return nil
	}
	d.docs = newMatrix(a.rows(), k)
	at := 0
	for _, b := range basis {
		part := times(b, columnsOf(rowsOf(vectors, at, at+b.Cols), 0, k))
		floats.Add(d.docs.Data, part.Data)
		at += b.Cols
	}
	var err error
	if d.terms, err = d.product(ctx, c, a, words, d.docs); err != nil {
		return err
	}
	d.orient()
	return nil
}

// orient scales the columns of U, which come as A·v, to length one, and gives both
// vectors of a pair the sign that makes the largest component of the one in U
// positive: they are determined up to it alone.
func (d *decomposition) orient() {
	for j, sigma := range d.sigma {
		largest := 0.0
		for i := range d.terms.Rows {
			if v := d.terms.Data[i*d.terms.Stride+j]; math.Abs(v) > math.Abs(largest) {
				largest = v
			}
		}
		sign := math.Copysign(1, largest)
		for i := range d.terms.Rows {
			d.terms.Data[i*d.terms.Stride+j] *= sign / sigma
		}
		for i := range d.docs.Rows {
			d.docs.Data[i*d.docs.Stride+j] *= sign
		}
	}
}

// places returns where this rank's documents are in the space of the k dimensions:
// the rows of V·Σ, which are Uᵀ times their columns of A.
func (d *decomposition) places() blas64.General {
	m := newMatrix(d.docs.Rows, d.docs.Cols)
	for i := range m.Rows {
		floats.MulTo(rowOf(m, i), rowOf(d.docs, i), d.sigma)
	}
	return m
}

// randomRows returns rows [first, first+n) of a matrix of normally distributed
// numbers that depends on the seed alone.
func randomRows(n, cols, first int, seed uint64) blas64.General {
	m := newMatrix(n, cols)
	for i := range n {
		numbers := rand.New(rand.NewPCG(seed, uint64(first+i)))
		for j := range cols {
			m.Data[i*cols+j] = numbers.NormFloat64()
		}
	}
	return m
}
