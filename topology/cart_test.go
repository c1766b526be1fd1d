package topology_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"github.com/muster-mpi/muster/topology"
)

var bg = context.Background()

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails the test unless err is of a class and says want.
func is(t *testing.T, err, class error, want string) {
	t.Helper()
	if !errors.Is(err, class) || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %v with %q", err, class, want)
	}
}

// shapes are grids of at most 8 ranks, with all that is special about small ones.
var shapes = []struct {
	dims    []int
	periods []bool
}{
	{nil, nil},
	{[]int{1}, []bool{true}},
	{[]int{1}, nil},
	{[]int{2}, []bool{true}},
	{[]int{5}, []bool{true}},
	{[]int{5}, []bool{false}},
	{[]int{2, 3}, []bool{false, true}},
	{[]int{3, 2}, []bool{true, false}},
	{[]int{2, 2, 2}, []bool{true, false, true}},
	{[]int{1, 3, 2}, []bool{true, true, false}},
}

// everyGrid runs f on each of shapes, made of one rank more than it needs.
func everyGrid(t *testing.T, f func(t *testing.T, g *topology.Cart)) {
	for _, s := range shapes {
		n := 1
		for _, k := range s.dims {
			n *= k
		}
		t.Run(fmt.Sprint(s.dims, s.periods), func(t *testing.T) {
			ranktest.Run(t, n+1, func(t *testing.T, c *rank.Comm) {
				g, err := topology.NewCart(bg, c, s.dims, s.periods)
				ok(t, err)
				if g != nil {
					f(t, g)
				}
			})
		})
	}
}

// Rule 48: ranks are in row-major order, the last dimension fastest; without reordering
// they keep their numbers; those that are too many get nil.
func TestRule48RanksAreInRowMajorOrder(t *testing.T) {
	ranktest.Run(t, 8, func(t *testing.T, c *rank.Comm) {
		g, err := topology.NewCart(bg, c, []int{2, 3}, []bool{false, true})
		ok(t, err)
		want := rank.Undefined
		if c.Rank() < 6 {
			want = c.Rank()
		}
		if r, err := topology.CartMap(c, []int{2, 3}, nil); r != want || err != nil {
			t.Errorf("CartMap of rank %d: %d, %v, want %d", c.Rank(), r, err, want)
		}
		if c.Rank() >= 6 {
			if g != nil || g.Comm() != nil {
				t.Errorf("rank %d of 8 has a place in a grid of 6", c.Rank())
			}
			return
		}
		if g.Comm().Rank() != c.Rank() || g.Comm().Size() != 6 {
			t.Errorf("rank %d became %v", c.Rank(), g.Comm())
		}
		if got, want := g.Coords(), []int{c.Rank() / 3, c.Rank() % 3}; !slices.Equal(got, want) {
			t.Errorf("rank %d is at %v, want %v", c.Rank(), got, want)
		}
		if !slices.Equal(g.Dims(), []int{2, 3}) || !slices.Equal(g.Periods(), []bool{false, true}) {
			t.Errorf("dims %v, periods %v", g.Dims(), g.Periods())
		}
		g.Dims()[0], g.Periods()[0] = 7, true
		if g.Dims()[0] != 2 || g.Periods()[0] {
			t.Error("the caller's slices are the grid's")
		}
	})
}

// Rule 48: what makes no grid is an error, on every rank and before anybody waits.
func TestRule48WhatMakesNoGridIsAnError(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		for _, w := range []struct {
			dims    []int
			periods []bool
			want    string
		}{
			{[]int{2, 2}, nil, "the grid [2 2] has 4 places, the communicator 3 ranks"},
			{[]int{0}, nil, "dims[0] is 0, want 1 or more"},
			{[]int{1, -2}, nil, "dims[1] is -2"},
			{[]int{3}, []bool{true, true}, "2 periods for 1 dimensions"},
			{[]int{math.MaxInt, 2}, nil, "more places than an int counts"},
		} {
			g, err := topology.NewCart(bg, c, w.dims, w.periods)
			is(t, err, rank.ErrArgument, w.want)
			if g != nil {
				t.Errorf("%v made a grid", w.dims)
			}
			_, err = topology.CartMap(c, w.dims, w.periods)
			is(t, err, rank.ErrArgument, w.want)
		}
		_, err := topology.NewCart(bg, c, []int{1 + c.Rank()/2}, nil)
		is(t, err, rank.ErrMismatch, "rank 2 gives other arguments than rank 0")
		_, err = topology.NewCart(bg, nil, nil, nil)
		is(t, err, rank.ErrComm, "")
	})
}

// Rule 48: RankOf wraps periodic coordinates, however far off, and refuses others;
// CoordsOf is its inverse.
func TestRule48RankOfWrapsPeriodicCoordinates(t *testing.T) {
	everyGrid(t, func(t *testing.T, g *topology.Cart) {
		dims, periods := g.Dims(), g.Periods()
		for r := range g.Comm().Size() {
			x, err := g.CoordsOf(r)
			ok(t, err)
			back, err := g.RankOf(x...)
			if back != r || err != nil {
				t.Errorf("rank %d is at %v, where RankOf says %d, %v", r, x, back, err)
			}
			for d := range dims {
				for _, laps := range []int{-3, -1, 1, 2} {
					y := slices.Clone(x)
					y[d] += laps * dims[d]
					back, err := g.RankOf(y...)
					if periods[d] && (back != r || err != nil) {
						t.Errorf("%v: %d, %v, want %d", y, back, err, r)
					} else if !periods[d] {
						is(t, err, rank.ErrArgument, fmt.Sprintf("coordinates %v are off the grid", y))
					}
				}
			}
		}
		_, err := g.RankOf(make([]int, len(dims)+1)...)
		is(t, err, rank.ErrArgument, "coordinates, the grid has")
		for _, r := range []int{-1, g.Comm().Size(), rank.Null} {
			_, err := g.CoordsOf(r)
			is(t, err, rank.ErrRank, "")
		}
	})
}

// Rule 48: a shift may go any distance, by 0 leads to the rank itself, and off an edge
// to nobody.
func TestRule48ShiftsGoAnyDistance(t *testing.T) {
	everyGrid(t, func(t *testing.T, g *topology.Cart) {
		dims, periods, x := g.Dims(), g.Periods(), g.Coords()
		at := func(d, by int) int { // one place at a time
			y := slices.Clone(x)
			for range max(by, -by) {
				if y[d]++; by < 0 {
					y[d] -= 2
				}
				if y[d] < 0 || y[d] >= dims[d] {
					if !periods[d] {
						return rank.Null
					}
					y[d] = (y[d] + dims[d]) % dims[d]
				}
			}
			r, err := g.RankOf(y...)
			ok(t, err)
			return r
		}
		for d := range dims {
			for by := -11; by <= 11; by++ {
				source, dest, err := g.Shift(d, by)
				if source != at(d, -by) || dest != at(d, by) || err != nil {
					t.Errorf("rank %v of %v, dimension %d by %d: from %d to %d, %v; want %d and %d", x, dims, d, by, source, dest, err, at(d, -by), at(d, by))
				}
			}
			for _, by := range []int{math.MaxInt, math.MinInt} {
				source, dest, err := g.Shift(d, by)
				if got := source == rank.Null && dest == rank.Null; got == periods[d] || err != nil {
					t.Errorf("dimension %d by %d: from %d to %d, %v", d, by, source, dest, err)
				}
			}
		}
		for _, d := range []int{-1, len(dims)} {
			_, _, err := g.Shift(d, 1)
			is(t, err, rank.ErrArgument, "dimension")
		}
	})
}

// Rule 48: Sub keeps dimensions with their periods; with none kept there is one rank.
func TestRule48SubKeepsDimensions(t *testing.T) {
	everyGrid(t, func(t *testing.T, g *topology.Cart) {
		dims, periods, x := g.Dims(), g.Periods(), g.Coords()
		for mask := range 1 << len(dims) {
			keep := make([]bool, len(dims))
			wantDims, wantPeriods, wantX := []int{}, []bool{}, []int{}
			for d := range keep {
				if keep[d] = mask>>d&1 == 1; keep[d] {
					wantDims, wantPeriods, wantX = append(wantDims, dims[d]), append(wantPeriods, periods[d]), append(wantX, x[d])
				}
			}
			s, err := g.Sub(bg, keep...)
			ok(t, err)
			if !slices.Equal(s.Dims(), wantDims) || !slices.Equal(s.Periods(), wantPeriods) || !slices.Equal(s.Coords(), wantX) {
				t.Errorf("%v of %v keep %v: dims %v, periods %v, at %v; want %v, %v, %v", x, dims, keep, s.Dims(), s.Periods(), s.Coords(), wantDims, wantPeriods, wantX)
			}
			// All of a part have the same place in the dimensions that are gone.
			places, err := collectives.AllGather(bg, s.Comm(), nil, x)
			ok(t, err)
			for i, y := range places {
				if d := i % len(x); !keep[d] && y != x[d] {
					t.Errorf("%v is in a part with coordinate %d of dimension %d", x, y, d)
				}
			}
			ok(t, s.Comm().Free())
		}
		_, err := g.Sub(bg, make([]bool, len(dims)+1)...)
		is(t, err, rank.ErrArgument, "keep has")
	})
	var none *topology.Cart
	_, err := none.Sub(bg)
	is(t, err, rank.ErrComm, "")
}

// Rule 45: the neighbours of a grid are for each dimension the one before and the one
// after; what leaves by one side comes in by the other, also where both lead to the
// same rank, or to the sender; where none is, the block is not touched.
func TestRule45WhatLeavesByOneSideComesInByTheOther(t *testing.T) {
	everyGrid(t, func(t *testing.T, g *topology.Cart) {
		c, n := g.Comm(), len(g.EdgesIn())
		src, dst := make([]int, n), make([]int, n)
		for i := range src {
			src[i], dst[i] = 100*c.Rank()+i, -1
		}
		_, err := collectives.NeighborAllToAll(bg, g, dst, src)
		ok(t, err)
		for d := range g.Dims() {
			before, after, err := g.Shift(d, 1)
			ok(t, err)
			want := [2]int{-1, -1}
			if before != rank.Null {
				want[0] = 100*before + 2*d + 1
			}
			if after != rank.Null {
				want[1] = 100*after + 2*d
			}
			if got := [2]int(dst[2*d:]); got != want {
				t.Errorf("rank %d of %v, periodic %v, dimension %d: got %v, want %v", c.Rank(), g.Dims(), g.Periods(), d, got, want)
			}
		}
	})
}

// Rule 27: a duplicate has the topology of its original, and nothing else has.
func TestRule27DupCopiesTheTopology(t *testing.T) {
	everyGrid(t, func(t *testing.T, g *topology.Cart) {
		if topology.Of(g.Comm()) != topology.Topology(g) {
			t.Error("the communicator does not know its grid")
		}
		d, err := g.Comm().Dup(bg)
		ok(t, err)
		h, is := topology.Of(d).(*topology.Cart)
		if !is || h.Comm() != d || !slices.Equal(h.Dims(), g.Dims()) || !slices.Equal(h.EdgesOut(), g.EdgesOut()) {
			t.Fatalf("the duplicate of grid %v is %v", g.Dims(), topology.Of(d))
		}
		_, err = collectives.NeighborAllGather(bg, h, nil, []int{1})
		ok(t, err)
		s, err := d.Split(bg, 0, 0)
		ok(t, err)
		if topology.Of(s) != nil || topology.Of(nil) != nil {
			t.Error("Split copied the topology")
		}
	})
}

// Rule 49: the sides are as near to each other as can be and do not increase; what is
// given stays; what cannot be is an error.
func TestRule49DimsAreAsSquareAsPossible(t *testing.T) {
	for _, w := range []struct {
		n          int
		dims, want []int
	}{
		{12, []int{0, 0}, []int{4, 3}}, {12, []int{0, 2, 0}, []int{3, 2, 2}}, {6, []int{0, 3, 0}, []int{2, 3, 1}},
		{7, []int{0, 0}, []int{7, 1}}, {1, nil, []int{}}, {8, []int{0, 0, 0}, []int{2, 2, 2}}, {6, []int{3, 2}, []int{3, 2}},
		{1 << 20, []int{0, 0}, []int{1024, 1024}}, {65536, []int{0, 0, 0}, []int{64, 32, 32}}, {1 << 30, make([]int, 10), slices.Repeat([]int{8}, 10)},
	} {
		got, err := topology.Dims(w.n, w.dims...)
		if !slices.Equal(got, w.want) || err != nil {
			t.Errorf("Dims(%d, %v) = %v, %v, want %v", w.n, w.dims, got, err, w.want)
		}
	}
	for _, w := range []struct {
		n    int
		dims []int
		want string
	}{
		{0, []int{0}, "0 ranks"}, {2, nil, "no 2 places"}, {6, []int{4, 0}, "do not divide 6"}, {6, []int{-1, 0}, "dims[0] is -1"}, {6, []int{3, 1}, "no 6 places"},
	} {
		_, err := topology.Dims(w.n, w.dims...)
		is(t, err, rank.ErrArgument, w.want)
	}
	// Against all sides that there are.
	for n := 1; n <= 200; n++ {
		for free := 1; free <= 4; free++ {
			got, err := topology.Dims(n, make([]int, free)...)
			ok(t, err)
			product := 1
			for _, k := range got {
				product *= k
			}
			if product != n || !slices.IsSortedFunc(got, func(a, b int) int { return b - a }) {
				t.Fatalf("Dims(%d) in %d dimensions: %v", n, free, got)
			}
			if spread := got[0] - got[free-1]; spread != leastSpread(n, free, nil) {
				t.Fatalf("Dims(%d) in %d dimensions: %v, others differ by %d at most", n, free, got, leastSpread(n, free, nil))
			}
		}
	}
}

// leastSpread tries all numbers as sides.
func leastSpread(n, free int, sides []int) int {
	if free == 1 {
		sides = append(sides, n)
		return slices.Max(sides) - slices.Min(sides)
	}
	best := math.MaxInt
	for k := 1; k <= n; k++ {
		if n%k == 0 {
			best = min(best, leastSpread(n/k, free-1, append(sides, k)))
		}
	}
	return best
}

// FuzzDims looks for what Dims answers wrongly or takes long for.
func FuzzDims(f *testing.F) {
	f.Add(12, 0, 3, 0)
	f.Fuzz(func(t *testing.T, n, a, b, c int) {
		dims := []int{a, b, c}
		got, err := topology.Dims(n%1_000_000, dims...)
		if err != nil {
			return
		}
		last := math.MaxInt
		product := 1
		for d, k := range got {
			product *= k
			if dims[d] != 0 && k != dims[d] || dims[d] == 0 && k > last {
				t.Fatalf("Dims(%d, %v) = %v", n, dims, got)
			}
			if dims[d] == 0 {
				last = k
			}
		}
		if product != n%1_000_000 {
			t.Fatalf("Dims(%d, %v) = %v, of product %d", n, dims, got, product)
		}
	})
}

// seed is that of this run's random tests.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	t.Logf("seed %d", s)
	return s
}
