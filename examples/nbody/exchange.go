package main

import (
	"context"
	"errors"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

const (
	tagCollect rank.Tag = iota
	tagRing
)

// verdict gives every rank the error that rank 0 has, nil included: an error with the
// same text. Every rank calls it; what other ranks pass does not count.
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
		return errors.New(text)
	}
	return nil
}

// scatter divides the bodies that rank 0 has among all ranks and returns this
// rank's block and the number of all. Every rank calls it; only rank 0's all counts.
func scatter(ctx context.Context, c *rank.Comm, all *bodies) (*bodies, int, error) {
	n := []int{0}
	if c.Rank() == 0 {
		n[0] = all.len()
	}
	if err := collectives.Bcast(ctx, c, 0, n); err != nil {
		return nil, 0, err
	}
	var packed []float64 // the blocks' flats, one after the other
	counts := make([]int, c.Size())
	for k := range counts {
		first, size := block(n[0], c.Size(), k)
		counts[k] = stateFields * size
		if c.Rank() == 0 {
			packed = append(packed, all.part(first, size).flat...)
		}
	}
	own := newBodies(block(n[0], c.Size(), c.Rank()))
	_, err := collectives.ScatterV(ctx, c, 0, own.flat, packed, collectives.Blocks{Counts: counts})
	return own, n[0], err
}

// collect calls take at rank 0 for each rank's block of the n bodies, in the
// order of the bodies. Every rank calls it. take may keep nothing: the memory is
// that of one block, and it is overwritten. An error of take is returned at
// rank 0, after the messages of all ranks have been received.
func collect(ctx context.Context, c *rank.Comm, own *bodies, n int, take func(*bodies) error) error {
	if c.Rank() != 0 {
		return rank.Send(ctx, c, 0, tagCollect, own.flat)
	}
	refused := take(own)
	flat := make([]float64, len(own.flat)) // no block is larger than that of rank 0
	for source := 1; source < c.Size(); source++ {
		first, size := block(n, c.Size(), source)
		b := viewBodies(first, size, flat)
		if _, err := rank.Recv(ctx, c, source, tagCollect, b.flat); err != nil {
			return err
		}
		if refused == nil {
			refused = take(b)
		}
	}
	return refused
}
