package collectives_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// element is what rank r brings as its i-th element of an n-vector: small, so that
// products stay in range, and different for neighbours.
func element(r, i int) int64 { return int64((r*31+i*17)%97 + 1) }

func vector(r, n int) []int64 {
	v := make([]int64, n)
	for i := range v {
		v[i] = element(r, i)
	}
	return v
}

// sumOf is the sum of what ranks lo to hi−1 bring.
func sumOf(lo, hi, n int) []int64 {
	v := make([]int64, n)
	for r := lo; r < hi; r++ {
		for i := range v {
			v[i] += element(r, i)
		}
	}
	return v
}

// unevenCounts are block lengths around n, some of them zero.
func unevenCounts(p, n int) []int {
	counts := make([]int, p)
	for r := range counts {
		counts[r] = (n + r*5) % (n + 3) * (r % 3) / 2
	}
	return counts
}

func total(counts []int) (n int) {
	for _, k := range counts {
		n += k
	}
	return n
}

// concat is the blocks of all ranks.
func concat(counts []int) (v []int64) {
	for r, n := range counts {
		v = append(v, vector(r, n)...)
	}
	return v
}

func equalCounts(p, n int) []int {
	counts := make([]int, p)
	for r := range counts {
		counts[r] = n
	}
	return counts
}

// A program makes one call on c, with vectors or blocks of n elements, and returns
// what this rank got and what it should have got; nil, nil where it gets nothing.
type program struct {
	name string
	op   schedule.Operation
	run  func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) (got, want []int64, err error)
}

// The calls that return a slice make it here; those in place are given one.
var programs = []program{
	{"Barrier", schedule.Barrier, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		return nil, nil, collectives.Barrier(ctx, c, o...)
	}},
	{"Bcast", schedule.Bcast, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		buf := make([]int64, n)
		if c.Rank() == root {
			copy(buf, vector(root, n))
		}
		err := collectives.Bcast(ctx, c, root, buf, o...)
		return buf, vector(root, n), err
	}},
	{"Gather", schedule.Gather, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		got, err := collectives.Gather(ctx, c, root, nil, vector(c.Rank(), n), o...)
		if c.Rank() != root {
			return nil, nil, err
		}
		return got, concat(equalCounts(c.Size(), n)), err
	}},
	{"Gather in place", schedule.Gather, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		if c.Rank() != root {
			_, err := collectives.Gather(ctx, c, root, nil, vector(c.Rank(), n), o...)
			return nil, nil, err
		}
		dst := make([]int64, n*c.Size())
		copy(dst[root*n:], vector(root, n))
		got, err := collectives.Gather(ctx, c, root, dst, nil, o...)
		return got, concat(equalCounts(c.Size(), n)), err
	}},
	{"GatherV", schedule.Gather, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		counts := unevenCounts(c.Size(), n)
		got, _, err := collectives.GatherV(ctx, c, root, nil, vector(c.Rank(), counts[c.Rank()]), collectives.Blocks{Counts: counts}, o...)
		if c.Rank() != root {
			return nil, nil, err
		}
		return got, concat(counts), err
	}},
	{"Scatter", schedule.Scatter, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		var src []int64
		if c.Rank() == root {
			src = concat(equalCounts(c.Size(), n))
		}
		got, err := collectives.Scatter(ctx, c, root, make([]int64, n), src, o...)
		return got, vector(c.Rank(), n), err
	}},
	{"ScatterV", schedule.Scatter, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		counts := unevenCounts(c.Size(), n)
		var src []int64
		if c.Rank() == root {
			src = concat(counts)
		}
		got, err := collectives.ScatterV(ctx, c, root, nil, src, collectives.Blocks{Counts: counts}, o...)
		return got, vector(c.Rank(), counts[c.Rank()]), err
	}},
	{"AllGather", schedule.AllGather, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		got, err := collectives.AllGather(ctx, c, nil, vector(c.Rank(), n), o...)
		return got, concat(equalCounts(c.Size(), n)), err
	}},
	{"AllGather in place", schedule.AllGather, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		dst := make([]int64, n*c.Size())
		copy(dst[c.Rank()*n:], vector(c.Rank(), n))
		got, err := collectives.AllGather(ctx, c, dst, nil, o...)
		return got, concat(equalCounts(c.Size(), n)), err
	}},
	{"AllGatherV", schedule.AllGather, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		counts := unevenCounts(c.Size(), n)
		got, _, err := collectives.AllGatherV(ctx, c, nil, vector(c.Rank(), counts[c.Rank()]), collectives.Blocks{Counts: counts}, o...)
		return got, concat(counts), err
	}},
	{"AllToAll", schedule.AllToAll, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		got, err := collectives.AllToAll(ctx, c, nil, exchanged(c.Rank(), c.Size(), n), o...)
		return got, received(c.Rank(), c.Size(), n), err
	}},
	{"AllToAll in place", schedule.AllToAll, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		got, err := collectives.AllToAll(ctx, c, exchanged(c.Rank(), c.Size(), n), nil, o...)
		return got, received(c.Rank(), c.Size(), n), err
	}},
	{"Reduce", schedule.Reduce, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		buf := vector(c.Rank(), n)
		err := collectives.Reduce(ctx, c, root, buf, collectives.Sum, o...)
		if c.Rank() != root {
			return buf, vector(c.Rank(), n), err
		}
		return buf, sumOf(0, c.Size(), n), err
	}},
	{"ReduceTo", schedule.Reduce, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		var dst []int64
		if c.Rank() == root {
			dst = make([]int64, n)
		}
		err := collectives.ReduceTo(ctx, c, root, dst, vector(c.Rank(), n), collectives.Sum, o...)
		if c.Rank() != root {
			return nil, nil, err
		}
		return dst, sumOf(0, c.Size(), n), err
	}},
	{"AllReduce", schedule.AllReduce, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		buf := vector(c.Rank(), n)
		err := collectives.AllReduce(ctx, c, buf, collectives.Sum, o...)
		return buf, sumOf(0, c.Size(), n), err
	}},
	{"AllReduceTo", schedule.AllReduce, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		src, dst := vector(c.Rank(), n), make([]int64, n)
		err := collectives.AllReduceTo(ctx, c, dst, src, collectives.Sum, o...)
		if !slices.Equal(src, vector(c.Rank(), n)) {
			return src, vector(c.Rank(), n), errors.New("the source was changed")
		}
		return dst, sumOf(0, c.Size(), n), err
	}},
	{"ReduceScatter", schedule.ReduceScatter, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		counts := unevenCounts(c.Size(), n)
		got, err := collectives.ReduceScatter(ctx, c, nil, vector(c.Rank(), total(counts)), counts, collectives.Sum, o...)
		off := total(counts[:c.Rank()])
		return got, sumOf(0, c.Size(), total(counts))[off : off+counts[c.Rank()]], err
	}},
	{"ReduceScatterBlock in place", schedule.ReduceScatter, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		src := vector(c.Rank(), n*c.Size())
		got, err := collectives.ReduceScatterBlock(ctx, c, src[:n], src, collectives.Sum, o...)
		return got, sumOf(0, c.Size(), n*c.Size())[c.Rank()*n:][:n], err
	}},
	{"Scan", schedule.Scan, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		buf := vector(c.Rank(), n)
		err := collectives.Scan(ctx, c, buf, collectives.Sum, o...)
		return buf, sumOf(0, c.Rank()+1, n), err
	}},
	{"ExScanTo", schedule.ExScan, func(ctx context.Context, c *rank.Comm, root, n int, o ...collectives.Option) ([]int64, []int64, error) {
		dst := vector(100, n)
		err := collectives.ExScanTo(ctx, c, dst, vector(c.Rank(), n), collectives.Sum, o...)
		if c.Rank() == 0 {
			return dst, vector(100, n), err
		}
		return dst, sumOf(0, c.Rank(), n), err
	}},
}

// exchanged is what rank r sends in an all-to-all of blocks of n.
func exchanged(r, p, n int) (v []int64) {
	for to := range p {
		v = append(v, vector(r*p+to, n)...)
	}
	return v
}

func received(r, p, n int) (v []int64) {
	for from := range p {
		v = append(v, vector(from*p+r, n)...)
	}
	return v
}

// TestEveryCallByEveryAlgorithm compares every call, carried out in shared memory and by
// every algorithm, with its definition.
func TestEveryCallByEveryAlgorithm(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 5, 7, 8, 13}
	lengths := []int{0, 1, 6, 1000, 50000}
	if testing.Short() {
		sizes, lengths = []int{1, 3, 8}, []int{0, 7, 3000}
	}
	for _, p := range sizes {
		for _, prog := range programs {
			names := []string{"shared-memory"}
			for _, a := range algo.Of(prog.op) {
				names = append(names, a.Name)
			}
			t.Run(fmt.Sprintf("%s/%d", prog.name, p), func(t *testing.T) {
				ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
					for _, name := range names {
						for _, n := range lengths {
							check(t, c, prog, name, n)
						}
					}
				})
			})
		}
	}
}

// check makes one call and compares. An algorithm serves unless its Refuses says
// otherwise, and then it must say so on every rank.
func check(t *testing.T, c *rank.Comm, prog program, name string, n int) {
	t.Helper()
	if n > 10000 && c.Size() > 8 {
		n = 5000
	}
	root := (n + 3) % c.Size()
	got, want, err := prog.run(t.Context(), c, root, n, collectives.Using(name))
	must := serves(name, schedule.Call{Op: prog.op, Size: c.Size()}, algo.Unordered) // of integers
	switch {
	case !must && errors.Is(err, rank.ErrArgument):
	case !must:
		t.Fatalf("%s by %s, rank %d of %d, root %d, %d elements: got %v, want ErrArgument", prog.name, name, c.Rank(), c.Size(), root, n, err)
	case err != nil:
		t.Fatalf("%s by %s, rank %d of %d, root %d, %d elements: %v", prog.name, name, c.Rank(), c.Size(), root, n, err)
	case !slices.Equal(got, want):
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("%s by %s, rank %d of %d, root %d, %d elements: element %d differs; got %d elements, want %d", prog.name, name, c.Rank(), c.Size(), root, n, i, len(got), len(want))
			}
		}
		t.Fatalf("%s by %s, rank %d of %d, root %d, %d elements: got %d elements, want %d", prog.name, name, c.Rank(), c.Size(), root, n, len(got), len(want))
	}
}
