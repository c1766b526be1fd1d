package main

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas/blas64"
)

// cannon adds the product of two distributed matrices to c on a square grid of
// q×q ranks (Cannon 1969). a, b and c are the caller's blocks of A, B and C; a and
// b are left as they were. All ranks of the grid call it together.
//
// The inner dimension is cut into q parts, the same for A's columns and B's rows.
// Rank (i, j) starts with part i+j (mod q), for which A's blocks move i places to
// the left and B's j places up; then in each of q steps it multiplies what it has
// while the next blocks, one place to the left and up, arrive in a second buffer.
// Parts may differ in length and be empty.
//
// Cost: 2q messages sent per rank, about (mk+kn)/q elements; memory 2(mk+kn)/q²
// elements on top of the blocks.
func cannon(ctx context.Context, g *grid, s shape, c, a, b blas64.General, t *times) error {
	if g.rows != g.cols {
		return fmt.Errorf("cannon needs a square grid, this one is %d×%d", g.rows, g.cols)
	}
	q := g.rows
	var x exchange

	inner := (g.row + g.col) % q
	width := part(s.k, q, inner).len()
	if g.row != 0 {
		x.send(g.inRow, (g.col-g.row+q)%q, tagA, a)
		a = g.bufA.next(c.Rows, width)
		x.recv(g.inRow, inner, tagA, a)
	}
	if g.col != 0 {
		x.send(g.inCol, (g.row-g.col+q)%q, tagB, b)
		b = g.bufB.next(width, c.Cols)
		x.recv(g.inCol, inner, tagB, b)
	}
	if err := x.wait(ctx); err != nil {
		return fmt.Errorf("cannon, first alignment: %w", err)
	}

	for step := range q - 1 {
		inner = (inner + 1) % q
		width = part(s.k, q, inner).len()
		nextA, nextB := g.bufA.next(c.Rows, width), g.bufB.next(width, c.Cols)
		x.recv(g.inRow, (g.col+1)%q, tagA, nextA)
		x.recv(g.inCol, (g.row+1)%q, tagB, nextB)
		x.send(g.inRow, (g.col-1+q)%q, tagA, a)
		x.send(g.inCol, (g.row-1+q)%q, tagB, b)
		t.multiply(c, a, b)
		if err := x.wait(ctx); err != nil {
			return fmt.Errorf("cannon, step %d of %d: %w", step+1, q, err)
		}
		a, b = nextA, nextB
	}
	t.multiply(c, a, b)
	return nil
}
