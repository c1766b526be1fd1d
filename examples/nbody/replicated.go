package main

import (
	"context"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// A decomposition shows each rank all bodies of the system, block by block.
type decomposition interface {
	// visit calls fn once for each block of the system with the positions that
	// the ranks' own blocks have now; self marks the rank's own. fn must neither
	// change s nor keep it. Every rank must call visit equally often.
	visit(ctx context.Context, own *bodies, fn func(s sources, self bool)) error
	// waited returns how long visit has waited for messages so far.
	waited() time.Duration
}

// replicated keeps the positions of all bodies on every rank: O(n) memory, and
// 24n bytes received per visit.
//
// The trajectories have the same bits for any number of ranks. The acceleration
// of a body is one sum whose terms are added one after the other, by attract or by
// attract8, in the order of the bodies' numbers, itself left out: blocks are
// consecutive, they are visited in rank order, and the running sum goes from one
// block to the next.
// So where blocks end changes which call adds a term, and nothing else; all
// other arithmetic is done body by body. The sums of conserved.add go in the
// same order at rank 0.
type replicated struct {
	c      *rank.Comm
	flat   []float64 // of all blocks, by rank
	blocks []sources // in flat
	idle   time.Duration
}

// newReplicated returns the decomposition of n bodies of which own is this
// rank's block. Every rank calls it: the masses are exchanged here, once.
func newReplicated(ctx context.Context, c *rank.Comm, own *bodies, n int) (*replicated, error) {
	r := &replicated{c: c, flat: make([]float64, sourceFields*n), blocks: make([]sources, c.Size())}
	for k := range r.blocks {
		first, size := block(n, c.Size(), k)
		r.blocks[k] = viewSources(size, r.flat[sourceFields*first:])
	}
	return r, r.gather(ctx, own, sourceFields)
}

// gather gives every rank the first fields arrays of all blocks.
func (r *replicated) gather(ctx context.Context, own *bodies, fields int) error {
	var where collectives.Blocks
	at := 0
	for _, b := range r.blocks {
		where.Counts, where.Displs = append(where.Counts, fields*len(b.x)), append(where.Displs, at)
		at += sourceFields * len(b.x)
	}
	_, _, err := collectives.AllGatherV(ctx, r.c, r.flat, own.flat[:fields*own.len()], where)
	return err
}

func (r *replicated) visit(ctx context.Context, own *bodies, fn func(s sources, self bool)) error {
	began := time.Now()
	err := r.gather(ctx, own, positionFields)
	r.idle += time.Since(began)
	if err != nil {
		return err
	}
	for k, s := range r.blocks {
		fn(s, k == r.c.Rank())
	}
	return nil
}

func (r *replicated) waited() time.Duration { return r.idle }
