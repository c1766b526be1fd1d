package main

import (
	"fmt"
	"math"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// A spectrum is a matrix to decompose, with what is known of it.
type spectrum struct {
	name string
	a    *sparse
	k    int
	rank int // of the matrix, if it is below k
}

const spectrumWords = 60

func spectra() []spectrum {
	many := randomSparse(400, spectrumWords, 0.1, 1)
	decay(many)
	single := randomSparse(5, spectrumWords, 0.3, 2)
	twins := single.part(0, 5)
	twins.append(single.part(1, 5))
	bare := randomSparse(30, spectrumWords, 0.2, 3)
	bare.value[0] = 0
	empty := randomSparse(10, spectrumWords, 0.3, 4)
	empty.append(&sparse{start: []int{0, 0, 0}}) // two documents without words
	return []spectrum{
		{"more documents than the iteration needs", many, 5, 0},
		{"fewer documents than a block has columns", randomSparse(6, spectrumWords, 0.3, 5), 4, 0},
		{"all dimensions there are", bare, 30, 0},
		{"equal documents", twins, 9, 5},
		{"documents without words", empty, 12, 10},
		{"one document", randomSparse(1, spectrumWords, 0.3, 6), 1, 0},
		{"more documents than words", randomSparse(90, spectrumWords, 0.2, 7), 60, 0},
	}
}

// append adds the rows of b below those of a.
func (a *sparse) append(b *sparse) {
	for i := range b.rows() {
		words, values := b.row(i)
		a.word = append(a.word, words...)
		a.value = append(a.value, values...)
		a.start = append(a.start, len(a.word))
	}
}

// decay scales the columns of a such that its singular values fall off.
func decay(a *sparse) {
	for j, w := range a.word {
		a.value[j] *= math.Pow(0.8, float64(w))
	}
}

// TestDecompositionIsTheDenseOne compares with LAPACK's algorithm in gonum, on 1
// to 4 ranks with uneven shares: values, spaces, and that both factors are
// orthonormal.
func TestDecompositionIsTheDenseOne(t *testing.T) {
	for _, s := range spectra() {
		t.Run(s.name, func(t *testing.T) {
			full := s.a.dense(spectrumWords)
			var svd mat.SVD
			if !svd.Factorize(mat.NewDense(full.Rows, full.Cols, full.Data).T(), mat.SVDThin) {
				t.Fatal("gonum's decomposition fails")
			}
			want := svd.Values(nil)
			var u mat.Dense
			svd.UTo(&u)
			onRanks(t, func(t *testing.T, c *rank.Comm) {
				n := s.a.rows()
				cuts := randomCuts(n, c.Size(), uint64(c.Size()))
				first := cuts[c.Rank()]
				d, err := decompose(t.Context(), c, s.a.part(first, cuts[c.Rank()+1]), spectrumWords, first, n, s.k, 1)
				if err != nil {
					t.Fatal(err)
				}
				k := s.k
				if s.rank > 0 {
					k = s.rank
				}
				if len(d.sigma) != k || d.residual > enough {
					t.Fatalf("rank %d: %d singular values with residual %g, want %d: %v of %v", c.Rank(), len(d.sigma), d.residual, k, d.sigma, want)
				}
				for i, sigma := range d.sigma {
					if math.Abs(sigma-want[i]) > 1e-12*want[0] {
						t.Errorf("rank %d: singular value %d is %v, want %v", c.Rank(), i, sigma, want[i])
					}
				}
				allowed := 1e-13
				if k < len(want) {
					allowed /= (want[k-1]*want[k-1] - want[k]*want[k]) / (want[0] * want[0])
				} else {
					allowed /= want[k-1] * want[k-1] / (want[0] * want[0])
				}
				if got := sine(columnsOf(u.RawMatrix(), 0, k), d.terms); got > allowed {
					t.Errorf("rank %d: the spaces of terms differ by %g, allowed %g", c.Rank(), got, allowed)
				}
				gram, err := inner(t.Context(), c, d.docs, d.docs)
				if err != nil {
					t.Fatal(err)
				}
				if e := furthest(t, gram, identity(k)); e > 1e-12 {
					t.Errorf("rank %d: VᵀV is off from 1 by %g", c.Rank(), e)
				}
				product := newMatrix(k, k)
				blas64.Gemm(blas.Trans, blas.NoTrans, 1, d.terms, d.terms, 0, product)
				if e := furthest(t, product, identity(k)); e > 1e-14*want[0]*want[0]/(want[k-1]*want[k-1])+1e-12 {
					t.Errorf("rank %d: UᵀU is off from 1 by %g", c.Rank(), e)
				}
			})
		})
	}
}

func TestIterationStopsBeforeItHasAllDocuments(t *testing.T) {
	s := spectra()[0]
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		n := s.a.rows()
		first, end := n*c.Rank()/c.Size(), n*(c.Rank()+1)/c.Size()
		d, err := decompose(t.Context(), c, s.a.part(first, end), spectrumWords, first, n, s.k, 1)
		if err != nil {
			t.Fatal(err)
		}
		if d.steps*(s.k+oversampling) > spectrumWords+s.k+oversampling {
			t.Errorf("rank %d: %d steps, as if every direction were needed", c.Rank(), d.steps)
		}
	})
}

// TestBasisIsOrthonormalWhateverTheColumns gives orthonormal columns that differ
// from the first by lengths down to 1e-10, equal ones, one of zeros, and one that
// differs from the others by what is in the old basis.
func TestBasisIsOrthonormalWhateverTheColumns(t *testing.T) {
	const n, cols = 40, 6
	for _, kind := range []string{"graded", "equal", "zero", "old"} {
		t.Run(kind, func(t *testing.T) {
			onRanks(t, func(t *testing.T, c *rank.Comm) {
				cuts := randomCuts(n, c.Size(), 3)
				first, end := cuts[c.Rank()], cuts[c.Rank()+1]
				basis, _, err := orthonormal(t.Context(), c, randomRows(end-first, 5, first, 1), nil)
				if err != nil {
					t.Fatal(err)
				}
				x := randomRows(end-first, cols, first, 2)
				for i := range x.Rows {
					row := rowOf(x, i)
					for j := range row {
						switch {
						case kind == "graded" && j > 0:
							row[j] = row[0] + math.Pow(1e-2, float64(j))*row[j]
						case kind == "equal" || kind == "old":
							row[j] = row[0]
						case kind == "zero" && j == 0:
							row[j] = 0
						}
					}
				}
				both := []blas64.General{basis}
				for range 2 {
					if _, err := project(t.Context(), c, x, both); err != nil {
						t.Fatal(err)
					}
				}
				before := newMatrix(x.Rows, cols)
				copy(before.Data, x.Data)
				allowed := 1e-13
				if kind == "old" { // what tells a column from the others is of the basis
					allowed = 1e-8
					for i := range x.Rows {
						rowOf(x, i)[1] += 1e-9 * rowOf(basis, i)[0]
					}
				}
				q, r, err := orthonormal(t.Context(), c, x, both)
				if err != nil {
					t.Fatal(err)
				}
				gram, err := inner(t.Context(), c, q, q)
				if err != nil {
					t.Fatal(err)
				}
				outside, err := inner(t.Context(), c, basis, q)
				if err != nil {
					t.Fatal(err)
				}
				if e := furthest(t, gram, identity(q.Cols)); e > 1e-13 {
					t.Errorf("rank %d: qᵀq is off from 1 by %g", c.Rank(), e)
				}
				if e := furthest(t, outside, newMatrix(5, q.Cols)); e > 1e-13 {
					t.Errorf("rank %d: the basis has %g in common with the old", c.Rank(), e)
				}
				if e := furthest(t, times(q, r), before); e > allowed {
					t.Errorf("rank %d: q·r is off by %g", c.Rank(), e)
				}
			})
		})
	}
}

func TestAnglesAreExactHoweverSmall(t *testing.T) {
	u := newMatrix(5, 2)
	u.Data[0], u.Data[3] = 1, 1
	for _, angle := range []float64{0, 1e-12, 1e-6, 0.5, math.Pi / 2} {
		t.Run(fmt.Sprint(angle), func(t *testing.T) {
			w := newMatrix(5, 2) // the second vector turned by angle, then both mixed
			c, s := math.Cos(angle), math.Sin(angle)
			w.Data[0], w.Data[1] = math.Sqrt2/2, math.Sqrt2/2
			w.Data[2], w.Data[3] = c*math.Sqrt2/2, -c*math.Sqrt2/2
			w.Data[4], w.Data[5] = s*math.Sqrt2/2, -s*math.Sqrt2/2
			if got := sine(u, w); math.Abs(got-s) > 1e-15+1e-3*s*1e-9 {
				t.Errorf("got %g, want %g", got, s)
			}
		})
	}
}

func TestRandomRowsAreThoseOfTheDocumentsWhoeverHasThem(t *testing.T) {
	all := randomRows(9, 4, 0, 3)
	for first := range 9 {
		if d := furthest(t, randomRows(9-first, 4, first, 3), rowsOf(all, first, 9)); d != 0 {
			t.Errorf("rows from %d on differ by %v from those of the whole", first, d)
		}
	}
}
