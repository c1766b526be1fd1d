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
	text := ""
	if err != nil {
		text = err.Error()
	}
	all, lost := collectives.AllGatherObject(ctx, c, text)
	if lost != nil {
		return errors.Join(err, lost)
	}
	for r, text := range all {
		switch {
		case text != "" && r == c.Rank():
			return err
		case text != "":
			return &foreignError{r, text}
		}
	}
	return nil
}
