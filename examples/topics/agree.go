package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// A foreignError is what went wrong on another rank, as this one knows it.
type foreignError struct {
	rank int
	text string
}

func (e *foreignError) Error() string { return fmt.Sprintf("rank %d: %s", e.rank, e.text) }

// agree returns nil on every rank if err is nil on every rank. Else the lowest
// rank that has an error returns it, and every other a *foreignError with its
// text: nobody goes on while another has given up. Every rank calls it.
func agree(ctx context.Context, c *rank.Comm, err error) error {
	text := []byte{}
	if err != nil {
		text = []byte(err.Error())
	}
	all, blocks, lost := collectives.AllGatherV(ctx, c, nil, text, collectives.Blocks{})
	if lost != nil {
		return errors.Join(err, lost)
	}
	at := 0
	for r, n := range blocks.Counts {
		switch {
		case n > 0 && r == c.Rank():
			return err
		case n > 0:
			return &foreignError{r, string(all[at : at+n])}
		}
		at += n
	}
	return nil
}

// share returns rank 0's data on every rank; that of the others is ignored. Every
// rank calls it.
func share(ctx context.Context, c *rank.Comm, data []byte) ([]byte, error) {
	n := []int64{int64(len(data))}
	if err := collectives.Bcast(ctx, c, 0, n); err != nil {
		return nil, err
	}
	if c.Rank() != 0 {
		data = make([]byte, n[0])
	}
	return data, collectives.Bcast(ctx, c, 0, data)
}
