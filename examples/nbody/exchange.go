package main

import (
	"context"
	"errors"

	"github.com/muster-mpi/muster/rank"
)

// The exchanges among all ranks that this program needs, written with
// point-to-point messages. The collective operations will replace them.
const (
	tagVerdict rank.Tag = iota
	tagBodies
	tagGather
	tagCollect
	tagRing
)

// verdict gives every rank the error that rank 0 has, nil included: an error
// with the same text. Every rank calls it. An error of another rank, or of the
// exchange itself, is returned where it happens.
func verdict(ctx context.Context, c *rank.Comm, err error) error {
	if c.Rank() != 0 {
		if err != nil {
			return err
		}
		text, _, lost := rank.RecvAlloc[byte](ctx, c, 0, tagVerdict)
		switch {
		case lost != nil:
			return lost
		case len(text) > 0:
			return errors.New(string(text))
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

// scatter divides the bodies that rank 0 has among all ranks and returns this
// rank's block and the number of all. Every rank calls it; only rank 0's all counts.
func scatter(ctx context.Context, c *rank.Comm, all *bodies) (*bodies, int, error) {
	me, p := c.Rank(), c.Size()
	if me != 0 {
		var n [1]int64
		if _, err := rank.Recv(ctx, c, 0, tagBodies, n[:]); err != nil {
			return nil, 0, err
		}
		own := newBodies(block(int(n[0]), p, me))
		_, err := rank.Recv(ctx, c, 0, tagBodies, own.flat)
		return own, int(n[0]), err
	}
	n := all.len()
	for dest := 1; dest < p; dest++ {
		if err := rank.Send(ctx, c, dest, tagBodies, []int64{int64(n)}); err != nil {
			return nil, 0, err
		}
		if err := rank.Send(ctx, c, dest, tagBodies, all.part(block(n, p, dest)).flat); err != nil {
			return nil, 0, err
		}
	}
	return all.part(block(n, p, 0)), n, nil
}

// allGather starts to give every rank the first fields arrays of each rank's
// block: blocks[k] receives those of rank k when arrivals[k] completes, own may
// change when departures have. arrivals[c.Rank()] is the zero Request, which is
// complete. Every rank calls it with the same fields.
func allGather(c *rank.Comm, own *bodies, blocks []sourceBlock, fields int) (arrivals, departures []rank.Request) {
	arrivals = make([]rank.Request, len(blocks))
	for k := range blocks {
		if k != c.Rank() {
			arrivals[k] = rank.Irecv(c, k, tagGather, blocks[k].flat[:fields*len(blocks[k].x)])
		}
	}
	for step := 1; step < c.Size(); step++ {
		// Each rank begins with its right neighbour, so that not all send to rank 0 first.
		dest := (c.Rank() + step) % c.Size()
		departures = append(departures, rank.Isend(c, dest, tagGather, own.flat[:fields*own.len()]))
	}
	return arrivals, departures
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
