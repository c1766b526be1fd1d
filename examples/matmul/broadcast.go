package main

import (
	"context"
	"errors"

	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

// What this file does by single messages is the work of collective operations
// (Bcast, IBcast, Barrier, Gather). They will replace it; nothing else in the
// program sends to more than one rank.

// A relay broadcasts a sequence of matrices along a ring of ranks, one step per
// matrix: whoever has a matrix passes it to its right neighbour while computing
// with it, so that each rank sends and receives every matrix at most once.
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
	if c.Rank() != 0 {
		text, _, lost := rank.RecvAlloc[byte](ctx, c, 0, tagVerdict)
		if lost != nil {
			return lost
		}
		if len(text) > 0 {
			return &rootError{string(text)}
		}
		return nil
	}
	var text []byte
	if err != nil {
		text = []byte(err.Error())
	}
	for dest := 1; dest < c.Size(); dest++ {
		if lost := rank.Send(ctx, c, dest, tagVerdict, text); lost != nil {
			return errors.Join(err, lost)
		}
	}
	return err
}

// announce gives every rank the shape rank 0 passes.
func announce(ctx context.Context, c *rank.Comm, s shape) (shape, error) {
	dims := []int64{int64(s.m), int64(s.n), int64(s.k)}
	if c.Rank() != 0 {
		if _, err := rank.Recv(ctx, c, 0, tagShape, dims); err != nil {
			return shape{}, err
		}
		return shape{m: int(dims[0]), n: int(dims[1]), k: int(dims[2])}, nil
	}
	for dest := 1; dest < c.Size(); dest++ {
		if err := rank.Send(ctx, c, dest, tagShape, dims); err != nil {
			return shape{}, err
		}
	}
	return s, nil
}

// barrier returns once every rank of c has called it: ⌈log₂ p⌉ rounds, in round r
// each rank hears from the one 2ʳ below it (Hensgen, Finkel, Manber 1988).
func barrier(ctx context.Context, c *rank.Comm) error {
	p := c.Size()
	for d := 1; d < p; d *= 2 {
		var out, in [1]byte
		if _, err := rank.SendRecv(ctx, c, (c.Rank()+d)%p, tagBarrier, out[:], (c.Rank()-d+p)%p, tagBarrier, in[:]); err != nil {
			return err
		}
	}
	return nil
}

// collect returns every rank's times, by rank, on rank 0 and nil elsewhere.
func collect(ctx context.Context, c *rank.Comm, mine times) ([]times, error) {
	if c.Rank() != 0 {
		return nil, rank.Send(ctx, c, 0, tagTimes, []times{mine})
	}
	all := make([]times, c.Size())
	all[0] = mine
	for source := 1; source < c.Size(); source++ {
		if _, err := rank.Recv(ctx, c, source, tagTimes, all[source:source+1]); err != nil {
			return nil, err
		}
	}
	return all, nil
}
