package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"gonum.org/v1/gonum/blas/blas64"
)

// naive is the product by its definition.
func naive(a, b blas64.General) blas64.General {
	c := newMatrix(a.Rows, b.Cols)
	for i := range a.Rows {
		for j := range b.Cols {
			for l := range a.Cols {
				c.Data[i*c.Stride+j] += a.Data[i*a.Stride+l] * b.Data[l*b.Stride+j]
			}
		}
	}
	return c
}

// integers returns a matrix whose products are exact in float64, in whatever order
// they are summed.
func integers(r *rand.Rand, rows, cols int) blas64.General {
	a := newMatrix(rows, cols)
	for i := range a.Data {
		a.Data[i] = float64(r.IntN(2001) - 1000)
	}
	return a
}

var shapes = []shape{
	{1, 1, 1}, {1, 1, 9}, {9, 1, 1}, {1, 9, 1}, {2, 2, 2}, {2, 3, 1}, {3, 2, 5}, {4, 4, 4},
	{5, 7, 3}, {7, 5, 2}, {8, 8, 8}, {10, 13, 17}, {31, 2, 40}, {3, 50, 11}, {70, 66, 130},
}

// TestDistributedProductsOfIntegersAreExact runs all algorithms, from the
// distribution to the gathering, for many shapes on 1 to 9 ranks, including more
// ranks than rows, against three loops.
func TestDistributedProductsOfIntegersAreExact(t *testing.T) {
	for p := 1; p <= 9; p++ {
		t.Run(fmt.Sprintf("ranks=%d", p), func(t *testing.T) {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				for i, s := range shapes {
					r := rand.New(rand.NewPCG(1, uint64(i)))
					a, b := integers(r, s.m, s.k), integers(r, s.k, s.n)
					want := naive(a, b)
					for rows := 1; rows <= p; rows++ {
						if p%rows != 0 {
							continue
						}
						for _, width := range []int{1, 3, 128} {
							if width == 1 && s.k > 40 {
								continue
							}
							productIs(t, c, s, rows, summaOf(width), a, b, want)
						}
						if rows*rows == p {
							productIs(t, c, s, rows, algorithm{"cannon", cannon}, a, b, want)
						}
						if rows == 1 || rows == p {
							productIs(t, c, s, rows, algorithm{"ring", ring}, a, b, want)
						}
					}
				}
			})
		})
	}
}

// An algorithm multiplies distributed matrices.
type algorithm struct {
	name     string
	multiply func(ctx context.Context, g *grid, s shape, c, a, b blas64.General, t *times) error
}

// summaOf is SUMMA with panels of the given width.
func summaOf(width int) algorithm {
	return algorithm{fmt.Sprintf("summa, panel width %d", width), func(ctx context.Context, g *grid, s shape, c, a, b blas64.General, t *times) error {
		return summa(ctx, g, s, width, c, a, b, t)
	}}
}

// productIs checks one product on a grid with so many rows, computed twice: the
// second time, buffers hold what the first has left in them.
func productIs(t *testing.T, c *rank.Comm, s shape, rows int, by algorithm, a, b, want blas64.General) {
	ctx := t.Context()
	fail := func(format string, args ...any) {
		t.Errorf("rank %d of %d, shape %+v, %d grid rows, %s: %s", c.Rank(), c.Size(), s, rows, by.name, fmt.Sprintf(format, args...))
	}
	g, err := newGrid(ctx, c, rows, c.Size()/rows)
	if err != nil {
		fail("grid: %v", err)
		return
	}
	defer func() {
		if err := g.free(); err != nil {
			fail("free: %v", err)
		}
	}()
	var wholeA, wholeB blas64.General
	if c.Rank() == 0 {
		wholeA, wholeB = a, b
	}
	myA, errA := scatter(ctx, g, wholeA, s.m, s.k, tagA)
	myB, errB := scatter(ctx, g, wholeB, s.k, s.n, tagB)
	if errA != nil || errB != nil {
		fail("scatter: %v, %v", errA, errB)
		return
	}
	myC := newMatrix(part(s.m, g.rows, g.row).len(), part(s.n, g.cols, g.col).len())
	for range 2 {
		clearMatrix(myC)
		var spent times
		if err := by.multiply(ctx, g, s, myC, myA, myB, &spent); err != nil {
			fail("product: %v", err)
			return
		}
	}
	rowsOfA, colsOfA := g.held(c.Rank(), s.m, s.k)
	rowsOfB, colsOfB := g.held(c.Rank(), s.k, s.n)
	if !same(myA, block(a, rowsOfA, colsOfA)) || !same(myB, block(b, rowsOfB, colsOfB)) {
		fail("the operands changed")
	}
	got, err := gather(ctx, g, myC, s.m, s.n, tagC)
	if err != nil {
		fail("gather: %v", err)
		return
	}
	if c.Rank() == 0 && !same(got, want) {
		fail("got %v, want %v", got.Data, want.Data)
	}
}

func same(a, b blas64.General) bool {
	if a.Rows != b.Rows || a.Cols != b.Cols {
		return false
	}
	if empty(a) {
		return true
	}
	for i := range a.Rows {
		if !slices.Equal(a.Data[i*a.Stride:][:a.Cols], b.Data[i*b.Stride:][:b.Cols]) {
			return false
		}
	}
	return true
}

func TestCannonRefusesAGridThatIsNotSquare(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		g, err := newGrid(t.Context(), c, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer g.free()
		one := newMatrix(1, 1)
		if err := cannon(t.Context(), g, shape{1, 1, 1}, one, one, one, new(times)); err == nil {
			t.Error("cannon on a 1×2 grid: no error")
		}
		if _, err := newGrid(t.Context(), c, 2, 2); err == nil {
			t.Error("a 2×2 grid of 2 ranks: no error")
		}
	})
}

func TestRingRefusesAGridOfSeveralRowsAndColumns(t *testing.T) {
	ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
		g, err := newGrid(t.Context(), c, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer g.free()
		one := newMatrix(1, 1)
		if err := ring(t.Context(), g, shape{2, 2, 2}, one, one, one, new(times)); err == nil {
			t.Error("ring on a 2×2 grid: no error")
		}
	})
}

func TestGeneratedBlocksArePartsOfOneMatrix(t *testing.T) {
	whole := generate(7, 'A', span{0, 23}, span{0, 31})
	for _, rows := range []span{{0, 23}, {4, 9}, {22, 23}, {5, 5}} {
		for _, cols := range []span{{0, 31}, {1, 2}, {30, 31}, {4, 4}} {
			if got := generate(7, 'A', rows, cols); !same(got, block(whole, rows, cols)) {
				t.Errorf("rows %v, columns %v: %v is not the same part of the whole", rows, cols, got.Data)
			}
		}
	}
	for _, v := range whole.Data {
		if v < 0.5 || v >= 1.5 {
			t.Errorf("element %v, want it in [1/2, 3/2)", v)
		}
	}
	all := slices.Clone(whole.Data)
	for _, other := range []blas64.General{
		generate(7, 'B', span{0, 23}, span{0, 31}),
		generate(8, 'A', span{0, 23}, span{0, 31}),
	} {
		all = append(all, other.Data...)
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 3*23*31 {
		t.Errorf("%d different elements among %d of three matrices", n, 3*23*31)
	}
}

// TestGeneratedMatricesDoNotChange holds a few elements fast: results are compared
// between versions by seed.
func TestGeneratedMatricesDoNotChange(t *testing.T) {
	a := generate(1, 'A', span{0, 1}, span{0, 3})
	want := []float64{0.8409185321645996, 1.2304086287529503, 0.9069894710245394}
	if !slices.Equal(a.Data, want) {
		t.Errorf("seed 1: %v, want %v", a.Data, want)
	}
	// The first number of SplitMix64 from seed 0, as its authors publish it.
	if got := mix(0); got != 0xe220a8397b1dcdaf {
		t.Errorf("mix(0) = %#x, want 0xe220a8397b1dcdaf", got)
	}
}
