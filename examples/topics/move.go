package main

import (
	"context"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// rebalance moves documents between ranks such that each has as good as the same
// number of counts, by which the time of all that follows goes; how many bytes had
// to be read says little about that. It returns the new cuts and this rank's new
// rows of a, whose cuts are the old. Every rank calls it.
func rebalance(ctx context.Context, c *rank.Comm, a *sparse, cuts []int) ([]int, *sparse, error) {
	lengths := []int64{}
	for i := range a.rows() {
		lengths = append(lengths, int64(a.start[i+1]-a.start[i]))
	}
	all, _, err := collectives.AllGatherV(ctx, c, nil, lengths, collectives.Blocks{})
	if err != nil {
		return nil, nil, err
	}
	costs := make([]int64, len(all))
	for i, n := range all {
		costs[i] = n + 1 // a document without any word has rows in the models, too
	}
	now := divide(costs, c.Size())

	// Rows are in the order of documents before and after: what goes to a rank is
	// one run of this rank's, and what comes is in its place.
	first := cuts[c.Rank()]
	var to collectives.Blocks
	for r := range c.Size() {
		from, end := max(now[r], first), min(now[r+1], first+a.rows())
		n := 0
		if from < end {
			n = a.start[end-first] - a.start[from-first]
		}
		to.Counts = append(to.Counts, n)
	}
	b := &sparse{start: []int{0}}
	for _, n := range all[now[c.Rank()]:now[c.Rank()+1]] {
		b.start = append(b.start, b.start[b.rows()]+int(n))
	}
	if b.word, _, err = collectives.AllToAllV(ctx, c, nil, present(a.word), collectives.Blocks{}, to); err != nil {
		return nil, nil, err
	}
	b.value, _, err = collectives.AllToAllV(ctx, c, nil, present(a.value), collectives.Blocks{}, to)
	return now, b, err
}

// present returns s, and for a nil slice an empty one: nil has a meaning of its own
// as the source of a collective.
func present[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
