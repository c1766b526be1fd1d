package main

import (
	"context"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/topology"
)

// part is the block of the grid that one rank computes, in an array with one ghost layer
// around it. Where the block ends at a wall, the ghosts are the wall's temperatures and
// stay so; elsewhere they are copies of what neighbours have.
type part struct {
	grid    []int // points of the whole
	first   []int // where the block begins in the grid
	inner   []int // its extents
	strides []int // of the array
	u, next []float64

	// What is computed in a step: points that need no ghosts, and then the others.
	inside, rim []run
}

// run is n points that lie side by side, from place at of the array on.
type run struct{ at, n int }

// newPart returns this rank's part of the grid of o at the start: cold, but for what is
// held.
func newPart(o *options, cart *topology.Cart) *part {
	first, inner := blockAt(o.grid, cart.Dims(), cart.Coords())
	p := &part{grid: o.grid, first: first, inner: inner, strides: make([]int, len(inner))}
	size := 1
	for d := len(inner) - 1; d >= 0; d-- {
		p.strides[d] = size
		size *= inner[d] + 2
	}
	p.u = make([]float64, size)
	for at := range p.u {
		p.place(o, at)
	}
	p.next = slices.Clone(p.u)
	return p
}

// place decides what the element at a place of the array is: a ghost, held, or to be
// computed. Places come in their order, so that runs grow at their ends.
func (p *part) place(o *options, at int) {
	x := make([]float64, len(p.inner))
	ghosts, edge := 0, false
	atWall := false
	for d, stride := range p.strides {
		i := at/stride%(p.inner[d]+2) - 1
		g := p.first[d] + i
		x[d] = float64(g+1) / float64(p.grid[d]+1)
		if i < 0 || i >= p.inner[d] {
			ghosts++
		}
		edge = edge || i == 0 || i == p.inner[d]-1
		atWall = atWall || g < 0 || g >= p.grid[d]
	}
	value, held := o.problem.held(x)
	switch {
	case atWall:
		p.u[at] = o.problem.wall(x)
	case held:
		p.u[at] = value
	case ghosts > 0:
	case edge:
		p.rim = extend(p.rim, at)
	default:
		p.inside = extend(p.inside, at)
	}
}

// extend adds the place at to runs.
func extend(runs []run, at int) []run {
	if n := len(runs); n > 0 && runs[n-1].at+runs[n-1].n == at {
		runs[n-1].n++
		return runs
	}
	return append(runs, run{at, 1})
}

// blockAt returns where the block of the rank at coords begins in the grid, and its
// extents: blocks of a dimension differ by one point at most, and the larger come first.
func blockAt(grid, ranks, coords []int) (first, inner []int) {
	for d, n := range grid {
		each, more := n/ranks[d], n%ranks[d]
		first = append(first, coords[d]*each+min(coords[d], more))
		if coords[d] < more {
			each++
		}
		inner = append(inner, each)
	}
	return first, inner
}

// layers tells how the arrays lie.
func (p *part) layers() topology.Layers { return topology.Layers{Inner: p.inner, Width: 1} }

// own returns the view of the block in u, without ghosts.
func (p *part) own() datatype.View[float64] {
	shape, start := make([]int, len(p.inner)), make([]int, len(p.inner))
	for d, n := range p.inner {
		shape[d], start[d] = n+2, 1
	}
	return datatype.Subarray(p.u, shape, start, p.inner)
}

// collect returns the whole field at rank 0 of the grid of ranks, and nil elsewhere.
// Every rank calls it.
func (p *part) collect(ctx context.Context, cart *topology.Cart) ([]float64, error) {
	c, ranks := cart.Comm(), cart.Dims()
	firsts, inners := make([][]int, c.Size()), make([][]int, c.Size())
	blocks := collectives.Blocks{Counts: make([]int, c.Size())}
	for r := range blocks.Counts {
		coords, err := cart.CoordsOf(r)
		if err != nil {
			return nil, err
		}
		firsts[r], inners[r] = blockAt(p.grid, ranks, coords)
		blocks.Counts[r] = product(inners[r])
	}
	own := make([]float64, blocks.Counts[c.Rank()])
	if _, err := p.own().CopyTo(own); err != nil {
		return nil, err
	}
	flat, _, err := collectives.GatherV(ctx, c, 0, nil, own, blocks)
	if err != nil || c.Rank() != 0 {
		return nil, err
	}
	all := make([]float64, product(p.grid))
	for r, n := range blocks.Counts {
		if _, err := datatype.Subarray(all, p.grid, firsts[r], inners[r]).CopyFrom(flat[:n]); err != nil {
			return nil, err
		}
		flat = flat[n:]
	}
	return all, nil
}

func product(list []int) int {
	n := 1
	for _, k := range list {
		n *= k
	}
	return n
}
