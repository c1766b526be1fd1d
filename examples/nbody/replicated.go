package main

import (
	"context"
	"time"

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
	blocks []sourceBlock // by rank; the rank's own entry has no memory
	idle   time.Duration
}

// sourceBlock is memory for the sources of one block.
type sourceBlock struct {
	sources
	flat []float64
}

func newSourceBlock(n int) sourceBlock {
	flat := make([]float64, sourceFields*n)
	return sourceBlock{viewSources(n, flat), flat}
}

// newReplicated returns the decomposition of n bodies of which own is this
// rank's block. Every rank calls it: the masses are exchanged here, once.
func newReplicated(ctx context.Context, c *rank.Comm, own *bodies, n int) (*replicated, error) {
	r := &replicated{c: c, blocks: make([]sourceBlock, c.Size())}
	for k := range r.blocks {
		if k != c.Rank() {
			_, size := block(n, c.Size(), k)
			r.blocks[k] = newSourceBlock(size)
		}
	}
	arrivals, departures := allGather(c, own, r.blocks, sourceFields)
	return r, rank.WaitAll(ctx, append(arrivals, departures...)...)
}

// visit goes on with a block as soon as that has arrived, while later ones are
// under way.
func (r *replicated) visit(ctx context.Context, own *bodies, fn func(s sources, self bool)) error {
	arrivals, departures := allGather(r.c, own, r.blocks, positionFields)
	for k, arrival := range arrivals {
		if err := r.wait(ctx, arrival); err != nil {
			return err
		}
		if k == r.c.Rank() {
			fn(own.sources, true)
		} else {
			fn(r.blocks[k].sources, false)
		}
	}
	return r.wait(ctx, departures...)
}

// wait is rank.WaitAll; the time it takes counts as waited.
func (r *replicated) wait(ctx context.Context, requests ...rank.Request) error {
	began := time.Now()
	defer func() { r.idle += time.Since(began) }()
	return rank.WaitAll(ctx, requests...)
}

func (r *replicated) waited() time.Duration { return r.idle }
