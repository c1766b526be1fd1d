package collectives_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// canonical is the dumb twin of the order of a reduction: of p values the surplus over
// a power of two fold into their neighbours, and halves are combined with halves.
func canonical[T any](values []T, f func(a, b T) T) T {
	places := 1
	for places*2 <= len(values) {
		places *= 2
	}
	surplus := len(values) - places
	var left []T
	for i := range surplus {
		left = append(left, f(values[2*i], values[2*i+1]))
	}
	left = append(left, values[2*surplus:]...)
	for len(left) > 1 {
		for i := range len(left) / 2 {
			left[i] = f(left[2*i], left[2*i+1])
		}
		left = left[:len(left)/2]
	}
	return left[0]
}

// canonicalPrefix is the dumb twin of the order of a scan: the values come in aligned
// blocks, as their number is made of powers of two, and the last are combined first.
func canonicalPrefix[T any](values []T, f func(a, b T) T) T {
	block := 1
	for block*2 <= len(values) {
		block *= 2
	}
	first := canonical(values[:block], f)
	if block == len(values) {
		return first
	}
	return f(first, canonicalPrefix(values[block:], f))
}

// reduction is one that is tried in every way that there is.
type reduction[T any] struct {
	name string
	of   func(rank, i int) T
	f    func(a, b T) T
	op   collectives.Operation[T]
	n    int
}

func (r *reduction[T]) vector(rank int) []T {
	v := make([]T, r.n)
	for i := range v {
		v[i] = r.of(rank, i)
	}
	return v
}

// want is what combine makes of the vectors of the first p ranks.
func (r *reduction[T]) want(p int, combine func([]T, func(a, b T) T) T) []T {
	v := make([]T, r.n)
	for i := range v {
		var column []T
		for k := range p {
			column = append(column, r.of(k, i))
		}
		v[i] = combine(column, r.f)
	}
	return v
}

func bytesOf[T any](v []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero)))
}

func (r *reduction[T]) check(t *testing.T, c *rank.Comm, how string, got, want []T, err error) {
	t.Helper()
	ok(t, c, r.name+" by "+how, err)
	if !bytes.Equal(bytesOf(got), bytesOf(want)) {
		t.Fatalf("%s by %s, rank %d of %d, %d elements: got %.200v, want %.200v", r.name, how, c.Rank(), c.Size(), r.n, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// everyWay carries r out by every operation and algorithm, in place or not, for every
// root, blocking, in the background and persistent, and compares the bits.
func (r *reduction[T]) everyWay(t *testing.T, c *rank.Comm) {
	ctx, me, p := t.Context(), c.Rank(), c.Size()
	mine, all := r.vector(me), r.want(p, canonical[T])
	for _, name := range algorithms(schedule.AllReduce, p) {
		v, using := slices.Clone(mine), collectives.Using(name)
		r.check(t, c, "AllReduce "+name, v, all, collectives.AllReduce(ctx, c, v, r.op, using))
		r.check(t, c, "AllReduceTo "+name, v, all, collectives.AllReduceTo(ctx, c, v, mine, r.op, using))
		if name != "shared-memory" { // which is for blocking calls
			_, err := collectives.IAllReduceTo(c, v, mine, r.op, using).Wait(ctx)
			r.check(t, c, "IAllReduceTo "+name, v, all, err)
			err = startAndWait(ctx, collectives.AllReduceToInit(c, v, mine, r.op, using))
			r.check(t, c, "AllReduceToInit "+name, v, all, err)
		}
	}
	for _, name := range algorithms(schedule.Reduce, p) {
		for root := range p {
			v, using := slices.Clone(mine), collectives.Using(name)
			want := mine
			if me == root {
				want = all
			}
			how := fmt.Sprint("Reduce to ", root, " ", name)
			r.check(t, c, how, v, want, collectives.Reduce(ctx, c, root, v, r.op, using))
			copy(v, mine)
			r.check(t, c, how+" with a destination", v, want, reduceTo(ctx, c, root, v, mine, r.op, using))
		}
	}
	counts := unevenCounts(p, r.n)
	counts[p-1] += r.n - min(r.n, total(counts))
	if total(counts) == r.n {
		off := total(counts[:me])
		for _, name := range algorithms(schedule.ReduceScatter, p) {
			got, err := collectives.ReduceScatter(ctx, c, nil, mine, counts, r.op, collectives.Using(name))
			r.check(t, c, "ReduceScatter "+name, got, all[off:off+counts[me]], err)
		}
	}
	for _, name := range algorithms(schedule.Scan, p) {
		v, want := slices.Clone(mine), r.want(me+1, canonicalPrefix[T])
		r.check(t, c, "Scan "+name, v, want, collectives.Scan(ctx, c, v, r.op, collectives.Using(name)))
	}
	for _, name := range algorithms(schedule.ExScan, p) {
		v, want := slices.Clone(mine), mine
		if me > 0 {
			want = r.want(me, canonicalPrefix[T])
		}
		r.check(t, c, "ExScan "+name, v, want, collectives.ExScan(ctx, c, v, r.op, collectives.Using(name)))
	}
}

// reduceTo is ReduceTo with a dst that the root alone has.
func reduceTo[T any](ctx context.Context, c *rank.Comm, root int, dst, src []T, op collectives.Operation[T], o ...collectives.Option) error {
	if c.Rank() != root {
		return collectives.ReduceTo(ctx, c, root, nil, src, op, o...)
	}
	return collectives.ReduceTo(ctx, c, root, dst, src, op, o...)
}

// worlds runs f on worlds of several sizes and links.
func worlds(t *testing.T, f func(t *testing.T, c *rank.Comm)) {
	t.Helper()
	sizes := []int{1, 2, 3, 4, 5, 6, 7, 8, 11}
	if testing.Short() {
		sizes = []int{3, 6}
	}
	for _, p := range sizes {
		ranktest.Run(t, p, f)
		if p == 5 {
			ranktest.Run(t, p, f, rank.Over("shm"))
			ranktest.Run(t, p, f, rank.Over("unix"))
		}
	}
}

// Rule 40: a sum has the same bits on all ranks, whatever carries it out.
func TestRule40SumsHaveTheSameBitsWhateverCarriesThemOut(t *testing.T) {
	// The last bits of the partial sums show in which order they came.
	rough := func(r, i int) float64 { return math.Sin(float64(r*1009+i*31)) * math.Exp2(float64((r*7+i)%20)) }
	worlds(t, func(t *testing.T, c *rank.Comm) {
		for _, n := range []int{1, 37, 1500} {
			(&reduction[float64]{"sum of float64", rough, func(a, b float64) float64 { return a + b }, collectives.Sum[float64], n}).everyWay(t, c)
		}
		(&reduction[float32]{"sum of float32", func(r, i int) float32 { return float32(rough(r, i)) },
			func(a, b float32) float32 { return a + b }, collectives.Sum[float32], 100}).everyWay(t, c)
		(&reduction[complex128]{"sum of complex128", func(r, i int) complex128 { return complex(rough(r, i), rough(i, r)) },
			func(a, b complex128) complex128 { return a + b }, collectives.Sum[complex128], 100}).everyWay(t, c)
		(&reduction[float64]{"product of float64", func(r, i int) float64 { return 1 + rough(r, i)/1e6 },
			func(a, b float64) float64 { return a * b }, collectives.Product[float64], 20}).everyWay(t, c)
	})
}

// Rule 40: AnyOrder frees the order, and still gives all ranks the same.
func TestRule40AnyOrderGivesAllRanksTheSame(t *testing.T) {
	worlds(t, func(t *testing.T, c *rank.Comm) {
		for _, a := range algo.Of(schedule.AllReduce) {
			if !serves(a.Name, schedule.Call{Op: schedule.AllReduce, Size: c.Size()}, algo.Unordered) {
				continue
			}
			v := make([]float64, 50)
			for i := range v {
				v[i] = math.Sin(float64(c.Rank()*77 + i))
			}
			ok(t, c, a.Name, collectives.AllReduce(t.Context(), c, v, collectives.Sum, collectives.AnyOrder(), collectives.Using(a.Name)))
			all, err := collectives.AllGather(t.Context(), c, nil, v)
			ok(t, c, "AllGather", err)
			for r := range c.Size() {
				equal(t, c, fmt.Sprint(a.Name, " on rank ", r), all[r*len(v):][:len(v)], v)
			}
		}
	})
}

// word is a short string as an element.
type word struct {
	n       uint8
	letters [31]byte
}

func join(a, b word) word {
	a.n += uint8(copy(a.letters[a.n:], b.letters[:b.n]))
	return a
}

// matrix is of 2×2 numbers modulo 2¹⁶, in a number, so that its elements are exact.
type matrix uint64

func (m matrix) at(i, j int) uint64 { return uint64(m) >> (16 * (2*i + j)) & 0xffff }

func multiply(a, b matrix) (m matrix) {
	for i := range 2 {
		for j := range 2 {
			m |= matrix((a.at(i, 0)*b.at(0, j)+a.at(i, 1)*b.at(1, j))&0xffff) << (16 * (2*i + j))
		}
	}
	return m
}

// Rule 39: the operands are in rank order, whatever the root and the algorithm, also for
// operations that do not commute.
func TestRule39OperandsAreInRankOrder(t *testing.T) {
	first, last := func(a, b int32) int32 { return a }, func(a, b int32) int32 { return b }
	number := func(r, i int) int32 { return int32(1000*r + i) }
	product := func(r, i int) matrix { return matrix(uint64(r*7919+i*31+1) * 0x9E3779B97F4A7C15) }
	worlds(t, func(t *testing.T, c *rank.Comm) {
		(&reduction[word]{"joined words", func(r, i int) word {
			return word{2, [31]byte{byte('a' + r), byte('A' + i%26)}}
		}, join, collectives.Each("join", false, join), 9}).everyWay(t, c)
		for _, n := range []int{1, 600} {
			(&reduction[matrix]{"product of matrices", product, multiply, collectives.Each("multiply", false, multiply), n}).everyWay(t, c)
		}
		(&reduction[int32]{"first", number, first, collectives.Each("first", false, first), 30}).everyWay(t, c)
		(&reduction[int32]{"last", number, last, collectives.Slices("last", false, func(dst, _, b []int32) { copy(dst, b) }), 30}).everyWay(t, c)
	})
}

// Rule 39: an algorithm that would combine in another order is refused, on all ranks,
// unless the operation commutes and its elements are exact or the order is free.
func TestRule39AlgorithmsOfAnotherOrderAreRefused(t *testing.T) {
	const p = 4
	ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
		for _, a := range algo.Of(schedule.AllReduce) {
			using := collectives.Using(a.Name)
			for _, row := range []struct {
				what  string
				err   error
				order algo.Bracketing
			}{
				{"Sum of int", collectives.AllReduce(t.Context(), c, make([]int, 9), collectives.Sum, using), algo.Unordered},
				{"Sum of float64", collectives.AllReduce(t.Context(), c, make([]float64, 9), collectives.Sum, using), algo.Canonical},
				{"Sum of float64 in any order", collectives.AllReduce(t.Context(), c, make([]float64, 9), collectives.Sum, using, collectives.AnyOrder()), algo.Unordered},
				{"product of matrices", collectives.AllReduce(t.Context(), c, make([]matrix, 9), collectives.Each("multiply", false, multiply), using), algo.Ordered},
				{"joined words in any order", collectives.AllReduce(t.Context(), c, make([]word, 9), collectives.Each("join", false, join), using, collectives.AnyOrder()), algo.Ordered},
			} {
				want := serves(a.Name, schedule.Call{Op: schedule.AllReduce, Size: p}, row.order)
				if (row.err == nil) != want {
					t.Errorf("%s by %s, rank %d: got %v, want it to serve: %v", row.what, a.Name, c.Rank(), row.err, want)
				}
			}
		}
	})
}

// Rule 42: a scan includes the rank's own vector; an exclusive one leaves that of rank
// 0 as it is and gives rank 1 that of rank 0 itself, not combined with anything.
func TestRule42ScansBeginWithTheFirstVectorItself(t *testing.T) {
	everywhere(t, 3, func(t *testing.T, c *rank.Comm) {
		negative := math.Copysign(0, -1) // 0 + −0 would be 0
		for _, w := range bothWays(schedule.ExScan) {
			dst := []float64{42}
			ok(t, c, w.how, collectives.ExScanTo(t.Context(), c, dst, []float64{negative}, collectives.Sum, w.opts...))
			want := negative
			if c.Rank() == 0 {
				want = 42
			}
			if math.Float64bits(dst[0]) != math.Float64bits(want) {
				t.Errorf("ExScanTo %s, rank %d: got %v, want %v", w.how, c.Rank(), dst[0], want)
			}
		}
		for _, w := range bothWays(schedule.Scan) {
			v := []int{1 << c.Rank()}
			ok(t, c, w.how, collectives.Scan(t.Context(), c, v, collectives.BitOr, w.opts...))
			equal(t, c, "Scan "+w.how, v, []int{2<<c.Rank() - 1})
		}
	})
}
