package main

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// mostLike returns on rank 0, and nil elsewhere, the n documents whose rows of m
// are at the smallest angles to that of document q, the nearest first; without q
// itself. Index is a document's place and Value the cosine, which is 0 where a row
// is zero. Rank r has documents [cuts[r], cuts[r+1]). Every rank calls it.
//
// Only the best n of each rank travel.
func mostLike(ctx context.Context, c *rank.Comm, m blas64.General, cuts []int, q, n int) ([]collectives.Located[float64], error) {
	owner := 0
	for cuts[owner+1] <= q {
		owner++
	}
	first := cuts[c.Rank()]
	query := make([]float64, m.Cols)
	if c.Rank() == owner {
		copy(query, rowOf(m, q-first))
	}
	if err := collectives.Bcast(ctx, c, owner, query); err != nil {
		return nil, err
	}
	own := []collectives.Located[float64]{}
	for i := range m.Rows {
		if first+i != q {
			own = append(own, collectives.Located[float64]{Value: cosine(rowOf(m, i), query), Index: int64(first + i)})
		}
	}
	all, _, err := collectives.GatherV(ctx, c, 0, nil, best(own, n), collectives.Blocks{})
	return best(all, n), err
}

// best returns the n largest of list, the largest first and of equal ones the one
// with the lower index.
func best(list []collectives.Located[float64], n int) []collectives.Located[float64] {
	slices.SortFunc(list, func(a, b collectives.Located[float64]) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Index, b.Index))
	})
	return list[:min(n, len(list))]
}

// cosine returns the cosine of the angle between a and b, or 0 if one is zero.
func cosine(a, b []float64) float64 {
	lengths := floats.Norm(a, 2) * floats.Norm(b, 2)
	if lengths == 0 {
		return 0
	}
	return math.Max(-1, math.Min(1, floats.Dot(a, b)/lengths))
}
