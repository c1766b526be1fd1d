package collectives_test

import (
	"math"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// reduced is what an AllReduce of one element of each rank gives, the same by shared
// memory and by messages.
func reduced[T any](t *testing.T, c *rank.Comm, op collectives.Operation[T], of ...T) T {
	t.Helper()
	var got [2]T
	for i, w := range bothWays(schedule.AllReduce) {
		v := []T{of[c.Rank()]}
		ok(t, c, w.how, collectives.AllReduce(t.Context(), c, v, op, w.opts...))
		got[i] = v[0]
	}
	equal(t, c, "by messages", bytesOf(got[1:]), bytesOf(got[:1]))
	return got[0]
}

// Rule 41: of equal values the one with the smallest index wins. Decided here: a NaN wins
// over everything, the one with the smallest index among several.
func TestRule41MinLocAndMaxLoc(t *testing.T) {
	type at = collectives.Located[float64]
	nan := math.NaN()
	for _, row := range []struct {
		what     string
		of       [3]at
		min, max at
	}{
		{"different values", [3]at{{3, 0}, {1, 1}, {2, 2}}, at{1, 1}, at{3, 0}},
		{"ties, indices falling", [3]at{{1, 9}, {1, 8}, {1, 7}}, at{1, 7}, at{1, 7}},
		{"ties, indices mixed", [3]at{{1, 5}, {2, 1}, {1, 3}}, at{1, 3}, at{2, 1}},
		{"zeros of both signs", [3]at{{0, 2}, {math.Copysign(0, -1), 1}, {0, 3}}, at{math.Copysign(0, -1), 1}, at{math.Copysign(0, -1), 1}},
		{"infinities", [3]at{{math.Inf(1), 0}, {math.Inf(-1), 1}, {0, 2}}, at{math.Inf(-1), 1}, at{math.Inf(1), 0}},
		{"one NaN", [3]at{{1, 0}, {nan, 5}, {-1, 2}}, at{nan, 5}, at{nan, 5}},
		{"two NaN", [3]at{{nan, 6}, {0, 0}, {nan, 4}}, at{nan, 4}, at{nan, 4}},
	} {
		everywhere(t, 3, func(t *testing.T, c *rank.Comm) {
			same := func(a, b at) bool {
				return a.Index == b.Index && (a.Value == b.Value || a.Value != a.Value && b.Value != b.Value)
			}
			if got := reduced(t, c, collectives.MinLoc[float64], row.of[:]...); !same(got, row.min) {
				t.Errorf("MinLoc of %s, rank %d: got %v, want %v", row.what, c.Rank(), got, row.min)
			}
			if got := reduced(t, c, collectives.MaxLoc[float64], row.of[:]...); !same(got, row.max) {
				t.Errorf("MaxLoc of %s, rank %d: got %v, want %v", row.what, c.Rank(), got, row.max)
			}
		})
	}
}

// Rule 41: logical operations take all but zero for true and give 0 or 1; Min and Max
// of a NaN are NaN. That the bits of floats are not combined, and complex numbers have
// no order, the compiler sees to.
func TestRule41LogicalOperationsAndNaN(t *testing.T) {
	everywhere(t, 2, func(t *testing.T, c *rank.Comm) {
		is := func(what string, got, want float64) {
			t.Helper()
			if got != want && (got == got || want == want) {
				t.Errorf("%s, rank %d: got %v, want %v", what, c.Rank(), got, want)
			}
		}
		nan := math.NaN()
		is("-3 and 0.5", reduced(t, c, collectives.And[float64], -3, 0.5), 1)
		is("-3 and 0", reduced(t, c, collectives.And[float64], -3, 0), 0)
		is("NaN and 7", reduced(t, c, collectives.And[float64], nan, 7), 1)
		is("0 or 0", reduced(t, c, collectives.Or[float64], 0, 0), 0)
		is("0 or 8", reduced(t, c, collectives.Or[float64], 0, 8), 1)
		is("5 xor 8", reduced(t, c, collectives.Xor[float64], 5, 8), 0)
		is("0 xor 8", reduced(t, c, collectives.Xor[float64], 0, 8), 1)
		is("256 and 1 of int32", float64(reduced(t, c, collectives.And[int32], 256, 1)), 1)
		is("Min of 1 and NaN", reduced(t, c, collectives.Min[float64], 1, nan), nan)
		is("Max of NaN and 1", reduced(t, c, collectives.Max[float64], nan, 1), nan)
	})
}
