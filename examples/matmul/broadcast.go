package main

import (
	"context"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

// A relay broadcasts a sequence of matrices along a ring of ranks, one step per
// matrix: whoever has a matrix passes it to its right neighbour while computing
// with it, so that each rank sends and receives every matrix at most once. It is no
// collective, because the matrices go from where they lie in larger ones, and because no
// rank waits for all others at any step.
type relay struct {
	c   *rank.Comm
	tag rank.Tag
	buf *buffers
}

// expect returns the matrix of a step: own if the caller is its root, otherwise a
// buffer of rows×cols into which it is being received.
func (r relay) expect(x *exchange, root int, own blas64.General, rows, cols int) blas64.General {
	if r.c.Rank() == root {
		return own
	}
	a := r.buf.next(rows, cols)
	x.recv(r.c, (r.c.Rank()-1+r.c.Size())%r.c.Size(), r.tag, a)
	return a
}

// pass sends a matrix that has arrived to the right neighbour, unless that is
// where it started.
func (r relay) pass(x *exchange, root int, a blas64.General) {
	if right := (r.c.Rank() + 1) % r.c.Size(); right != root {
		x.send(r.c, right, r.tag, a)
	}
}

// A rootError is what went wrong on rank 0, as the other ranks know it.
type rootError struct{ text string }

func (e *rootError) Error() string { return "rank 0: " + e.text }

// verdict makes rank 0's error everybody's: it returns err on rank 0 and, if that
// is not nil, a *rootError with the same text on every other rank, whose own err
// is ignored. So no rank waits for one that has given up.
func verdict(ctx context.Context, c *rank.Comm, err error) error {
	text := ""
	if err != nil {
		text = err.Error()
	}
	text, lost := collectives.BcastObject(ctx, c, 0, text)
	switch {
	case lost != nil:
		return lost
	case c.Rank() == 0:
		return err
	case text != "":
		return &rootError{text}
	}
	return nil
}

// announce gives every rank the shape rank 0 passes.
func announce(ctx context.Context, c *rank.Comm, s shape) (shape, error) {
	dims := []int{s.m, s.n, s.k}
	err := collectives.Bcast(ctx, c, 0, dims)
	return shape{m: dims[0], n: dims[1], k: dims[2]}, err
}
