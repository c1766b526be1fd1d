package collectives_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// Rule 37: what a rank gives may lie where the result goes, and only there.
func TestRule37InPlaceAndNoOtherOverlap(t *testing.T) {
	const p, n = 3, 4
	everywhere(t, p, func(t *testing.T, c *rank.Comm) {
		ctx, me := t.Context(), c.Rank()
		v := make([]int64, p*n+1)
		ops := map[string]func() error{
			"AllReduceTo": func() error { return collectives.AllReduceTo(ctx, c, v[:n], v[1:n+1], collectives.Sum) },
			"ScanTo":      func() error { return collectives.ScanTo(ctx, c, v[:n], v[1:n+1], collectives.Sum) },
			"AllGather":   func() error { _, err := collectives.AllGather(ctx, c, v[:p*n], v[me*n+1:][:n]); return err },
			"AllToAll":    func() error { _, err := collectives.AllToAll(ctx, c, v[:p*n], v[1:p*n+1]); return err },
			"ReduceScatterBlock": func() error {
				_, err := collectives.ReduceScatterBlock(ctx, c, v[1:n+1], v[:p*n], collectives.Sum)
				return err
			},
			"IAllReduceTo": func() error {
				_, err := collectives.IAllReduceTo(c, v[:n], v[1:n+1], collectives.Sum).Wait(ctx)
				return err
			},
			"AllReduceToInit": func() error { return collectives.AllReduceToInit(c, v[:n], v[1:n+1], collectives.Sum).Err() },
		}
		for name, call := range ops {
			if err := call(); !errors.Is(err, collectives.ErrOverlap) || !errors.Is(err, rank.ErrArgument) {
				t.Errorf("%s of parts that overlap, rank %d: got %v, want ErrOverlap and ErrArgument", name, me, err)
			}
		}
		ok(t, c, "Barrier", collectives.Barrier(ctx, c))

		// At the root alone: the others are in nobody's way.
		all := make([]int64, p*n)
		copy(all[n:], vector(1, n))
		for _, w := range bothWays(schedule.Gather) {
			src := vector(me, n)
			if me == 1 {
				src = all[n : 2*n] // its own block
			}
			_, err := collectives.Gather(ctx, c, 1, all, src, w.opts...)
			ok(t, c, "Gather in place "+w.how, err)
			if me == 1 {
				equal(t, c, "Gather in place "+w.how, all, concat(equalCounts(p, n)))
			}
		}
		for _, w := range bothWays(schedule.Scatter) {
			src, dst := concat(equalCounts(p, n)), make([]int64, n)
			if me == 2 {
				dst = nil // stays in src
			}
			_, err := collectives.Scatter(ctx, c, 2, dst, src, w.opts...)
			ok(t, c, "Scatter in place "+w.how, err)
			equal(t, c, "Scatter in place "+w.how, src, concat(equalCounts(p, n)))
			if me != 2 {
				equal(t, c, "Scatter in place "+w.how, dst, vector(me, n))
			}
		}
	})
}

// holed is a division of a buffer for p ranks with a hole after each block, the blocks
// in falling order, and block lengths that differ, some zero.
func holed(p int) (b collectives.Blocks, length int) {
	b = collectives.Blocks{Counts: unevenCounts(p, 6), Displs: make([]int, p)}
	at := 1
	for r := p - 1; r >= 0; r-- {
		b.Displs[r] = at
		at += b.Counts[r] + 2
		if b.Counts[r] == 0 {
			b.Displs[r] = -1000 * r // of no use
		}
	}
	return b, at
}

// filledIn is a buffer divided by b with the ranks' vectors in it.
func filledIn(b collectives.Blocks, length int, of func(r, n int) []int64) []int64 {
	v := slices.Repeat([]int64{untouched}, length)
	for r, n := range b.Counts {
		if n > 0 {
			copy(v[b.Displs[r]:], of(r, n))
		}
	}
	return v
}

// Rule 38: blocks may lie anywhere, what is between them is not touched, and the order
// of the blocks is that of the ranks.
func TestRule38BlocksMayLieAnywhere(t *testing.T) {
	for _, p := range []int{1, 2, 3, 5} {
		b, length := holed(p)
		everywhere(t, p, func(t *testing.T, c *rank.Comm) {
			ctx, me := t.Context(), c.Rank()
			want := filledIn(b, length, vector)
			empty := func() []int64 { return slices.Repeat([]int64{untouched}, length) }
			mine := vector(me, b.Counts[me])
			root := p - 1
			for _, w := range bothWays(schedule.AllGather) {
				got, _, err := collectives.AllGatherV(ctx, c, empty(), mine, b, w.opts...)
				ok(t, c, "AllGatherV "+w.how, err)
				equal(t, c, "AllGatherV "+w.how, got, want)
			}
			for _, w := range bothWays(schedule.Gather) {
				got, _, err := collectives.GatherV(ctx, c, root, empty(), mine, b, w.opts...)
				ok(t, c, "GatherV "+w.how, err)
				if me == root {
					equal(t, c, "GatherV "+w.how, got, want)
				}
			}
			for _, w := range bothWays(schedule.Scatter) {
				var src []int64
				if me == root {
					src = slices.Clone(want)
				}
				got, err := collectives.ScatterV(ctx, c, root, nil, src, b, w.opts...)
				ok(t, c, "ScatterV "+w.how, err)
				equal(t, c, "ScatterV "+w.how, got, mine)
			}
			// As many from i to j as from j to i, so that it goes in place too.
			between := collectives.Blocks{Counts: make([]int, p), Displs: make([]int, p)}
			at := 3
			for r := p - 1; r >= 0; r-- {
				between.Counts[r], between.Displs[r] = (r+me)%3, at
				at += between.Counts[r] + 1
			}
			src := filledIn(between, at, func(r, n int) []int64 { return vector(me*p+r, n) })
			want = filledIn(between, at, func(r, n int) []int64 { return vector(r*p+me, n) })
			dst := slices.Repeat([]int64{untouched}, at)
			_, _, err := collectives.AllToAllV(ctx, c, dst, src, between, between)
			ok(t, c, "AllToAllV", err)
			equal(t, c, "AllToAllV", dst, want)
			_, _, err = collectives.AllToAllV(ctx, c, src, nil, between, collectives.Blocks{})
			ok(t, c, "AllToAllV in place", err)
			equal(t, c, "AllToAllV in place", src, want)
		})
	}
}

// Rule 38: no element is written twice, but one may be sent to several ranks.
func TestRule38BlocksThatShareElements(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		ctx := t.Context()
		shared := collectives.Blocks{Counts: []int{3, 3}, Displs: []int{0, 2}}
		if _, _, err := collectives.AllGatherV(ctx, c, make([]int, 9), []int{1, 2, 3}, shared); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("rank %d: AllGatherV into blocks that share an element: got %v, want ErrArgument", c.Rank(), err)
		}
		got, err := collectives.ScatterV(ctx, c, 0, nil, []int{1, 2, 3, 4, 5}, shared)
		ok(t, c, "ScatterV", err)
		equal(t, c, "ScatterV", got, [][]int{{1, 2, 3}, {3, 4, 5}}[c.Rank()])
	})
}

// Rule 38: counts, displacements and lengths that make no sense are refused with what
// was expected.
func TestRule38BlocksThatMakeNoSense(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		for _, b := range []collectives.Blocks{
			{Counts: []int{1}}, {Counts: []int{1, -1}}, {Counts: []int{1, 1}, Displs: []int{0}},
			{Counts: []int{1, 1}, Displs: []int{-1, 0}}, {Counts: []int{1, 1}, Displs: []int{0, 9}}, {Counts: []int{2, 2}},
		} {
			if _, _, err := collectives.AllGatherV(t.Context(), c, make([]int, 3), []int{1}, b); !errors.Is(err, rank.ErrArgument) {
				t.Errorf("rank %d, blocks %v: got %v, want ErrArgument", c.Rank(), b, err)
			}
		}
		ok(t, c, "Barrier", collectives.Barrier(t.Context(), c))
	})
}

// Rule 43: the counts of a ReduceScatter may be zero, and add up to the vector.
func TestRule43CountsOfReduceScatter(t *testing.T) {
	everywhere(t, 3, func(t *testing.T, c *rank.Comm) {
		for _, counts := range [][]int{{0, 0, 0}, {5, 0, 0}, {0, 4, 1}, {1, 0, 2}} {
			n := total(counts)
			off := total(counts[:c.Rank()])
			want := sumOf(0, 3, n)[off:][:counts[c.Rank()]]
			for _, w := range bothWays(schedule.ReduceScatter) {
				got, err := collectives.ReduceScatter(t.Context(), c, nil, vector(c.Rank(), n), counts, collectives.Sum, w.opts...)
				ok(t, c, fmt.Sprint("ReduceScatter ", w.how, counts), err)
				equal(t, c, fmt.Sprint("ReduceScatter ", w.how, counts), got, want)
			}
			_, err := collectives.ReduceScatter(t.Context(), c, nil, vector(c.Rank(), n+1), counts, collectives.Sum)
			if !errors.Is(err, rank.ErrArgument) {
				t.Errorf("rank %d, counts %v of %d elements: got %v, want ErrArgument", c.Rank(), counts, n+1, err)
			}
		}
		// Without counts each gets as much as its dst holds.
		got, err := collectives.ReduceScatter(t.Context(), c, make([]int64, c.Rank()), vector(c.Rank(), 3), nil, collectives.Sum)
		ok(t, c, "ReduceScatter without counts", err)
		equal(t, c, "ReduceScatter without counts", got, sumOf(0, 3, 3)[[]int{0, 0, 1}[c.Rank()]:][:c.Rank()])
	})
}

// Rule 46: the program may forget the operation, the views and the buffers of a call
// that it has started.
func TestRule46WhatACallNeedsLivesUntilItIsComplete(t *testing.T) {
	everywhere(t, 3, func(t *testing.T, c *rank.Comm) {
		const calls, n = 8, 3000
		var open sync.WaitGroup
		sums := make([]int64, calls)
		for k := range calls {
			weight := int64(k)
			table := vector(k, n) // that only the function refers to
			op := collectives.Each(fmt.Sprint("weighted ", k), true, func(a, b int64) int64 { return a + b + weight*table[0] })
			v := vector(c.Rank(), n)
			open.Add(1)
			ok(t, c, "Then", collectives.IAllReduce(c, v, op).Then(func(_ rank.Status, err error) {
				if err != nil {
					t.Errorf("rank %d, call %d: %v", c.Rank(), k, err)
				}
				sums[k] = v[n-1]
				open.Done()
			}))
		}
		runtime.GC()
		runtime.GC()
		open.Wait()
		for k := range calls {
			want := sumOf(0, 3, n)[n-1] + 2*int64(k)*element(k, 0)
			if sums[k] != want {
				t.Errorf("rank %d, call %d: got %d, want %d", c.Rank(), k, sums[k], want)
			}
		}
	})
}

// Rule 47: calls of one rank, and calls of nothing, are calls like others.
func TestRule47CallsOfNothingTakeTheirPlace(t *testing.T) {
	for _, p := range []int{1, 2, 5} {
		everywhere(t, p, func(t *testing.T, c *rank.Comm) {
			ctx := t.Context()
			for round := range 3 {
				v := []int64{int64(round)}
				q := collectives.IAllReduce(c, v, collectives.Sum)
				for _, w := range bothWays(schedule.AllReduce) {
					ok(t, c, "AllReduce of nothing "+w.how, collectives.AllReduce(ctx, c, []int64{}, collectives.Sum, w.opts...))
					ok(t, c, "AllReduce of nil "+w.how, collectives.AllReduce[int64](ctx, c, nil, collectives.Sum, w.opts...))
				}
				for _, w := range bothWays(schedule.Bcast) {
					ok(t, c, "Bcast of nothing "+w.how, collectives.Bcast(ctx, c, p-1, []int64{}, w.opts...))
				}
				counts := make([]int, p)
				counts[p/2] = 2
				all, _, err := collectives.AllGatherV(ctx, c, nil, vector(c.Rank(), counts[c.Rank()]), collectives.Blocks{Counts: counts})
				ok(t, c, "AllGatherV of one rank's", err)
				equal(t, c, "AllGatherV of one rank's", all, vector(p/2, 2))
				_, err = q.Wait(ctx)
				ok(t, c, "IAllReduce", err)
				equal(t, c, "IAllReduce", v, []int64{int64(p * round)})
			}
		})
	}
}
