package topology

import (
	"fmt"
	"math"
	"slices"

	"github.com/muster-mpi/muster/rank"
)

// grid is places in row-major order, the last dimension fastest.
type grid struct {
	dims    []int
	periods []bool
	size    int // the product of dims
}

// newGrid returns the grid for a communicator of ranks.
func newGrid(dims []int, periods []bool, ranks int) (grid, error) {
	g := grid{slices.Clone(dims), slices.Clone(periods), 1}
	if periods == nil {
		g.periods = make([]bool, len(dims))
	}
	if len(g.periods) != len(dims) {
		return g, wrong("%d periods for %d dimensions", len(periods), len(dims))
	}
	for d, n := range dims {
		switch {
		case n < 1:
			return g, wrong("dims[%d] is %d, want 1 or more", d, n)
		case g.size > math.MaxInt/n:
			return g, wrong("the grid %v has more places than an int counts", g.dims)
		}
		g.size *= n
	}
	if g.size > ranks {
		return g, wrong("the grid %v has %d places, the communicator %d ranks", g.dims, g.size, ranks)
	}
	return g, nil
}

func wrongRank(r, size int) error {
	return fmt.Errorf("%w: %d, legal are 0 to %d", rank.ErrRank, r, size-1)
}

// coords returns the coordinates of place r.
func (g *grid) coords(r int) []int {
	x := make([]int, len(g.dims))
	for d := len(x) - 1; d >= 0; d-- {
		x[d] = r % g.dims[d]
		r /= g.dims[d]
	}
	return x
}

// rank returns the place at x, rank.Null if it is off the grid.
func (g *grid) rank(x []int) int {
	r := 0
	for d, n := range g.dims {
		i := x[d]
		switch {
		case g.periods[d]:
			i = (i%n + n) % n
		case i < 0 || i >= n:
			return rank.Null
		}
		r = r*n + i
	}
	return r
}

// step returns the place by places from x along dimension d, rank.Null if it is off
// the grid.
func (g *grid) step(x []int, d, by int) int {
	n := g.dims[d]
	y := slices.Clone(x)
	if g.periods[d] {
		by %= n
	} else if by < -n || by > n {
		return rank.Null // x[d]+by might overflow
	}
	y[d] += by
	return g.rank(y)
}

// edges calls f for each edge of the grid, with its ends.
func (g *grid) edges(f func(a, b int)) {
	for a := range g.size {
		x := g.coords(a)
		for d := range g.dims {
			if b := g.step(x, d, 1); b != rank.Null {
				f(a, b)
			}
		}
	}
}

// between returns how many edges join different hosts where place i has rank at[i],
// which is on host hosts[at[i]].
func (g *grid) between(hosts, at []int) (n int) {
	if hosts == nil {
		return 0
	}
	g.edges(func(a, b int) {
		if hosts[at[a]] != hosts[at[b]] {
			n++
		}
	})
	return n
}
