package main

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

const (
	tagA rank.Tag = iota
	tagB
	tagC
)

// view describes a matrix in place, row after row across its stride.
func view(a blas64.General) datatype.View[float64] {
	return datatype.Vector(a.Data, a.Rows, a.Cols, a.Stride)
}

// An exchange is a set of matrix transfers in flight. Matrices without elements
// are skipped on both sides, which both know from the shapes.
type exchange struct {
	requests []rank.Request
}

// send starts sending a, which must stay unchanged until wait returns.
func (x *exchange) send(c *rank.Comm, dest int, tag rank.Tag, a blas64.General) {
	if !empty(a) {
		x.requests = append(x.requests, rank.IsendView(c, dest, tag, view(a)))
	}
}

// recv starts receiving into a, which must not be touched until wait returns.
func (x *exchange) recv(c *rank.Comm, source int, tag rank.Tag, a blas64.General) {
	if !empty(a) {
		x.requests = append(x.requests, rank.IrecvView(c, source, tag, view(a)))
	}
}

// wait blocks until every transfer started is complete.
func (x *exchange) wait(ctx context.Context) error {
	err := rank.WaitAll(ctx, x.requests...)
	x.requests = x.requests[:0]
	return err
}

// scatter hands every rank its block of a rows×cols matrix that rank 0 holds
// whole, and returns the caller's. Blocks are sent out of the whole matrix in
// place; rank 0's own block is part of it, not a copy. Only rank 0 reads whole.
func scatter(ctx context.Context, g *grid, whole blas64.General, rows, cols int, tag rank.Tag) (blas64.General, error) {
	var x exchange
	r, c := g.held(g.world.Rank(), rows, cols)
	var mine blas64.General
	if g.world.Rank() == 0 {
		mine = block(whole, r, c)
		for dest := 1; dest < g.world.Size(); dest++ {
			r, c := g.held(dest, rows, cols)
			x.send(g.world, dest, tag, block(whole, r, c))
		}
	} else {
		mine = newMatrix(r.len(), c.len())
		x.recv(g.world, 0, tag, mine)
	}
	if err := x.wait(ctx); err != nil {
		return blas64.General{}, fmt.Errorf("distributing a %d×%d matrix: %w", rows, cols, err)
	}
	return mine, nil
}

// gather puts the blocks of a rows×cols matrix together on rank 0, each received
// straight into its place, and returns the whole there; other ranks get an empty
// matrix.
func gather(ctx context.Context, g *grid, mine blas64.General, rows, cols int, tag rank.Tag) (blas64.General, error) {
	var x exchange
	var whole blas64.General
	if g.world.Rank() == 0 {
		whole = newMatrix(rows, cols)
		for source := 1; source < g.world.Size(); source++ {
			r, c := g.held(source, rows, cols)
			x.recv(g.world, source, tag, block(whole, r, c))
		}
		r, c := g.held(0, rows, cols)
		copyMatrix(block(whole, r, c), mine)
	} else {
		x.send(g.world, 0, tag, mine)
	}
	if err := x.wait(ctx); err != nil {
		return blas64.General{}, fmt.Errorf("gathering a %d×%d matrix: %w", rows, cols, err)
	}
	return whole, nil
}
