package main

import (
	"context"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

// wholeMatrix returns the tall matrix m on rank 0, whose rows are documents in
// their order; elsewhere one without rows. Every rank calls it.
func wholeMatrix(ctx context.Context, c *rank.Comm, m blas64.General) (blas64.General, error) {
	data, _, err := collectives.GatherV(ctx, c, 0, nil, m.Data, collectives.Blocks{})
	return blas64.General{Rows: len(data) / m.Cols, Cols: m.Cols, Stride: m.Stride, Data: data}, err
}

// wholeSparse returns on rank 0 the rows of all ranks' a, and elsewhere none.
// Every rank calls it.
func wholeSparse(ctx context.Context, c *rank.Comm, a *sparse) (*sparse, error) {
	lengths := []int64{}
	for i := range a.rows() {
		lengths = append(lengths, int64(a.start[i+1]-a.start[i]))
	}
	lengths, _, err := collectives.GatherV(ctx, c, 0, nil, lengths, collectives.Blocks{})
	if err != nil {
		return nil, err
	}
	all := &sparse{start: []int{0}}
	for i, n := range lengths {
		all.start = append(all.start, all.start[i]+int(n))
	}
	if all.word, _, err = collectives.GatherV(ctx, c, 0, nil, present(a.word), collectives.Blocks{}); err != nil {
		return nil, err
	}
	all.value, _, err = collectives.GatherV(ctx, c, 0, nil, present(a.value), collectives.Blocks{})
	return all, err
}
