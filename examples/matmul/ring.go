package main

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas/blas64"
)

// ring adds the product of two distributed matrices to c on a grid of one row or
// one column. a, b and c are the caller's blocks of A, B and C; a and b are left as
// they were. All ranks of the grid call it together.
//
// In one row, each rank holds whole columns of B and of C, and needs all of A. So
// B's blocks stay and A's go round: each rank starts with its own, and multiplies
// what it has while that goes to the rank before it and the next block arrives from
// the one after. In one column A's blocks stay and B's go round.
//
// Nobody waits for a first block, and what goes round is not cut into panels: it
// lies in one piece, which is the fastest to send.
//
// Cost for p ranks: p−1 messages sent per rank, together at most mk or kn elements;
// memory for two blocks of the matrix that goes round.
func ring(ctx context.Context, g *grid, s shape, c, a, b blas64.General, t *times) error {
	if g.rows > 1 && g.cols > 1 {
		return fmt.Errorf("ring needs a grid of one row or one column, this one is %d×%d", g.rows, g.cols)
	}
	me, p := g.world.Rank(), g.world.Size()
	before, after := (me-1+p)%p, (me+1)%p
	inRow := g.rows == 1
	moving, buf, tag := b, &g.bufB, tagB
	if inRow {
		moving, buf, tag = a, &g.bufA, tagA
	}
	var x exchange
	for step := range p {
		var next blas64.General
		if step+1 < p {
			width := part(s.k, p, (after+step)%p).len()
			if inRow {
				next = buf.next(c.Rows, width)
			} else {
				next = buf.next(width, c.Cols)
			}
			x.recv(g.world, after, tag, next)
			x.send(g.world, before, tag, moving)
		}
		inner := part(s.k, p, (me+step)%p)
		if inRow {
			t.multiply(c, moving, block(b, inner, span{0, b.Cols}))
		} else {
			t.multiply(c, block(a, span{0, a.Rows}, inner), moving)
		}
		if err := x.wait(ctx); err != nil {
			return fmt.Errorf("ring, step %d of %d: %w", step+1, p, err)
		}
		moving = next
	}
	return nil
}
