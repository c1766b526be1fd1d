package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

// A span is the range lo ≤ i < hi of row or column numbers.
type span struct{ lo, hi int }

func (s span) len() int { return s.hi - s.lo }

// part returns the i-th of p parts of the numbers 0 … n−1: contiguous, in order,
// their lengths differing by at most one, the longer ones first. With p > n the
// last p−n parts are empty.
func part(n, p, i int) span {
	short, longer := n/p, n%p
	lo := i*short + min(i, longer)
	hi := lo + short
	if i < longer {
		hi++
	}
	return span{lo, hi}
}

// A shape holds the dimensions of C = A·B: A is m×k, B is k×n, C is m×n.
type shape struct{ m, n, k int }

func (s shape) flop() float64 { return 2 * float64(s.m) * float64(s.n) * float64(s.k) }

// gridShape returns the factors of p nearest to each other, the larger one
// along the longer side of an m×n matrix, so that blocks are nearly square and
// the rows and columns exchanged are short.
func gridShape(p, m, n int) (rows, cols int) {
	for d := 1; d*d <= p; d++ {
		if p%d == 0 {
			rows = d
		}
	}
	cols = p / rows
	if m > n {
		rows, cols = cols, rows
	}
	return rows, cols
}

// A grid lays the ranks of a communicator out in rows and columns, row by row,
// and gives the caller's place in it.
type grid struct {
	world      *rank.Comm
	rows, cols int
	row, col   int
	inRow      *rank.Comm // the ranks of the caller's row, numbered by column
	inCol      *rank.Comm // the ranks of the caller's column, numbered by row
	bufA, bufB buffers    // for blocks of A and B on their way
}

// buffers are two, used in turn: what is in one is multiplied and passed on while
// the other is received into. They are kept from product to product, since memory
// that is used for the first time comes page by page, and each takes the kernel
// about as long as to copy it.
type buffers struct {
	data [2][]float64
	turn int
}

// next returns a matrix in the buffer whose turn it is.
func (b *buffers) next(rows, cols int) blas64.General {
	b.turn = 1 - b.turn
	if n := rows * cols; cap(b.data[b.turn]) < n {
		b.data[b.turn] = make([]float64, n)
	}
	return blas64.General{Rows: rows, Cols: cols, Stride: max(1, cols), Data: b.data[b.turn][:rows*cols]}
}

// newGrid builds a grid of rows × cols = world.Size() ranks. Every rank of world
// calls it with the same arguments.
func newGrid(ctx context.Context, world *rank.Comm, rows, cols int) (*grid, error) {
	if rows*cols != world.Size() {
		return nil, fmt.Errorf("a grid of %d×%d needs %d ranks, there are %d", rows, cols, rows*cols, world.Size())
	}
	g := &grid{world: world, rows: rows, cols: cols, row: world.Rank() / cols, col: world.Rank() % cols}
	var err error
	if g.inRow, err = world.Split(ctx, g.row, g.col); err != nil {
		return nil, fmt.Errorf("grid rows: %w", err)
	}
	if g.inCol, err = world.Split(ctx, g.col, g.row); err != nil {
		return nil, errors.Join(fmt.Errorf("grid columns: %w", err), g.inRow.Free())
	}
	return g, nil
}

// free gives the communicators of the grid back.
func (g *grid) free() error { return errors.Join(g.inRow.Free(), g.inCol.Free()) }

// held returns which rows and columns of a rows×cols matrix the given rank of
// the grid's world holds.
func (g *grid) held(rank, rows, cols int) (r, c span) {
	return part(rows, g.rows, rank/g.cols), part(cols, g.cols, rank%g.cols)
}
