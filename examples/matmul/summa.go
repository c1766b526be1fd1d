package main

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas/blas64"
)

// panelWidth is how many columns of A and rows of B one step of SUMMA multiplies:
// wide enough that the local product runs at its full rate and outweighs a step's
// two messages, narrow enough that the first panel, for which all wait, is soon
// there.
const panelWidth = 256

// A panel is a range of the inner dimension that lies in one grid column of A and
// in one grid row of B.
type panel struct {
	inner span
	col   int // the grid column which holds A's columns inner
	row   int // the grid row which holds B's rows inner
}

// panels cuts 0 … k−1 at the borders of A's column blocks and of B's row blocks,
// and further into pieces of at most width.
func panels(k, rows, cols, width int) []panel {
	var list []panel
	for lo, col, row := 0, 0, 0; lo < k; {
		for part(k, cols, col).hi <= lo {
			col++
		}
		for part(k, rows, row).hi <= lo {
			row++
		}
		hi := min(lo+width, part(k, cols, col).hi, part(k, rows, row).hi)
		list = append(list, panel{span{lo, hi}, col, row})
		lo = hi
	}
	return list
}

// summa adds the product of two distributed matrices to c on any grid (van de
// Geijn and Watts 1997). a, b and c are the caller's blocks of A, B and C; a and b
// are left as they were. All ranks of the grid call it together.
//
// Panel by panel of the inner dimension, the grid column that holds A's panel
// broadcasts it along the rows, the grid row that holds B's along the columns, and
// every rank multiplies the two. While a rank multiplies one panel it passes it on
// and receives the next.
//
// Cost: at most 2 messages sent per panel and rank, together at most
// mk/rows + kn/cols elements; memory 2·width·(m/rows + n/cols) elements on top of
// the blocks.
func summa(ctx context.Context, g *grid, s shape, width int, c, a, b blas64.General, t *times) error {
	list := panels(s.k, g.rows, g.cols, width)
	heldA, heldB := part(s.k, g.cols, g.col), part(s.k, g.rows, g.row)
	alongRow := relay{g.inRow, tagA, &g.bufA}
	alongCol := relay{g.inCol, tagB, &g.bufB}

	expect := func(x *exchange, step int) (pa, pb blas64.General) {
		p := list[step]
		if p.col == g.col {
			pa = block(a, span{0, a.Rows}, span{p.inner.lo - heldA.lo, p.inner.hi - heldA.lo})
		}
		if p.row == g.row {
			pb = block(b, span{p.inner.lo - heldB.lo, p.inner.hi - heldB.lo}, span{0, b.Cols})
		}
		pa = alongRow.expect(x, p.col, pa, c.Rows, p.inner.len())
		pb = alongCol.expect(x, p.row, pb, p.inner.len(), c.Cols)
		return pa, pb
	}

	var x exchange
	pa, pb := expect(&x, 0)
	if err := x.wait(ctx); err != nil {
		return fmt.Errorf("summa, first panel: %w", err)
	}
	for step, p := range list {
		var nextA, nextB blas64.General
		if step+1 < len(list) {
			nextA, nextB = expect(&x, step+1)
		}
		alongRow.pass(&x, p.col, pa)
		alongCol.pass(&x, p.row, pb)
		t.multiply(c, pa, pb)
		if err := x.wait(ctx); err != nil {
			return fmt.Errorf("summa, panel %d of %d: %w", step+1, len(list), err)
		}
		pa, pb = nextA, nextB
	}
	return nil
}
