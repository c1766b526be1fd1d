package topology_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"github.com/muster-mpi/muster/topology"
)

// field is an array over all ranks of a grid of which places have Inner elements of
// sizes of their own: sizes[d][i] in dimension d at coordinate i.
type field struct {
	sizes   [][]int
	periods []bool
	width   int
	corners bool
}

// total is how many elements dimension d has.
func (f *field) total(d int) (n int) {
	for _, k := range f.sizes[d] {
		n += k
	}
	return n
}

// first is where the part at coordinate i begins in dimension d.
func (f *field) first(d, i int) (n int) {
	for _, k := range f.sizes[d][:i] {
		n += k
	}
	return n
}

const boundary = -5 // what stands in ghosts before an exchange

// value is the element at x of the whole array in round k.
func (f *field) value(x []int, k int) int32 {
	v := k + 1
	for d, i := range x {
		v = v*f.total(d) + i
	}
	return int32(v)
}

// inner is the extent of the part at coords.
func (f *field) inner(coords []int) []int {
	n := make([]int, len(coords))
	for d, i := range coords {
		n[d] = f.sizes[d][i]
	}
	return n
}

// part calls set for each element of the part at coords, ghosts included, with its place
// in memory; x is where it lies in the whole array, and outside says in how many
// dimensions it is a ghost.
func (f *field) part(coords []int, set func(at int, x []int, outside int)) {
	inner := f.inner(coords)
	n := 1
	for _, k := range inner {
		n *= k + 2*f.width
	}
	for at := range n {
		x, outside, rest := make([]int, len(inner)), 0, at
		for d := len(inner) - 1; d >= 0; d-- {
			i := rest%(inner[d]+2*f.width) - f.width
			rest /= inner[d] + 2*f.width
			if i < 0 || i >= inner[d] {
				outside++
			}
			x[d] = f.first(d, coords[d]) + i
		}
		set(at, x, outside)
	}
}

// before and after are the part at coords without and with its ghosts filled.
func (f *field) before(coords []int, k int) (a []int32) {
	f.part(coords, func(_ int, x []int, outside int) {
		v := int32(boundary)
		if outside == 0 {
			v = f.value(x, k)
		}
		a = append(a, v)
	})
	return a
}

func (f *field) after(coords []int, k int) (a []int32) {
	f.part(coords, func(_ int, x []int, outside int) {
		v := int32(boundary)
		off := false
		for d := range x {
			if n := f.total(d); x[d] < 0 || x[d] >= n {
				off = off || !f.periods[d]
				x[d] = (x[d]%n + n) % n
			}
		}
		if !off && (outside < 2 || f.corners) {
			v = f.value(x, k)
		}
		a = append(a, v)
	})
	return a
}

// ghosted are grids whose parts are at least two elements wide, of one place with both
// neighbours itself, of two with the same on both sides, and of more.
var ghosted = []field{
	{sizes: [][]int{{5}}, periods: []bool{true}},
	{sizes: [][]int{{5}}, periods: []bool{false}},
	{sizes: [][]int{{3, 4}}, periods: []bool{true}},
	{sizes: [][]int{{3, 2, 4, 2}}, periods: []bool{false}},
	{sizes: [][]int{{2, 3}, {4, 2, 3}}, periods: []bool{true, true}},
	{sizes: [][]int{{2, 3, 2}, {4, 2}}, periods: []bool{true, false}},
	{sizes: [][]int{{4}, {2, 2}}, periods: []bool{true, true}},
	{sizes: [][]int{{2, 3}, {2, 2}, {3, 2}}, periods: []bool{true, false, true}},
	{sizes: [][]int{{3}, {2, 4}, {2, 3, 2}}, periods: []bool{false, true, false}},
	{sizes: [][]int{{2, 2}, {3}, {2, 2}}, periods: []bool{true, true, true}},
	{},
}

// randomField is a field of one to three dimensions and at most 12 places.
func randomField(rng *rand.Rand) (f field) {
	places := 1
	for range 1 + rng.IntN(3) {
		k := 1 + rng.IntN(min(4, 12/places))
		places *= k
		sizes := make([]int, k)
		for i := range sizes {
			sizes[i] = 2 + rng.IntN(3)
		}
		f.sizes, f.periods = append(f.sizes, sizes), append(f.periods, rng.IntN(2) == 0)
	}
	return f
}

// Ghosts are what the whole array has there, those off an edge are not touched, and
// nothing else changes.
func TestHaloFillsGhostsFromTheWholeArray(t *testing.T) {
	s := seed(t)
	rng := rand.New(rand.NewPCG(s, 0))
	fields := slices.Clone(ghosted)
	for range 6 {
		fields = append(fields, randomField(rng))
	}
	for _, over := range []string{"", "unix"} {
		for _, f := range fields {
			var dims []int
			size := 1
			for _, s := range f.sizes {
				dims = append(dims, len(s))
				size *= len(s)
			}
			if over != "" && size != 6 {
				continue
			}
			t.Run(fmt.Sprintf("%v%v%s", f.sizes, f.periods, over), func(t *testing.T) {
				ranktest.Run(t, size, func(t *testing.T, c *rank.Comm) {
					g, err := topology.NewCart(bg, c, dims, f.periods)
					ok(t, err)
					f := f // each rank its own
					for _, f.width = range []int{1, 2} {
						for _, f.corners = range []bool{false, true} {
							exchangeTwice(t, f, g)
						}
					}
				}, rank.Over(over))
			})
		}
	}
}

// exchangeTwice exchanges two arrays in turn, waiting for one and starting the other.
func exchangeTwice(t *testing.T, f field, g *topology.Cart) {
	coords := g.Coords()
	arrays := [2][]int32{f.before(coords, 0), f.before(coords, 1)}
	layers := topology.Layers{Inner: f.inner(coords), Width: f.width, Corners: f.corners}
	h, err := topology.NewHalo(bg, g, layers, arrays[0], arrays[1])
	ok(t, err)
	for k := range 4 {
		a := arrays[k%2]
		copy(a, f.before(coords, k))
		if k < 2 {
			ok(t, h.Exchange(bg, a))
		} else {
			ok(t, h.Start(a))
			if err := h.Start(a); !errors.Is(err, rank.ErrActive) {
				t.Errorf("a second Start: %v, want ErrActive", err)
			}
			if err := h.Free(); !errors.Is(err, rank.ErrActive) {
				t.Errorf("Free of an active Halo: %v, want ErrActive", err)
			}
			ok(t, h.Wait(bg))
			ok(t, h.Wait(bg))
		}
		if want := f.after(coords, k); !slices.Equal(a, want) {
			t.Fatalf("rank %v of %v, %v, width %d, corners %v, round %d: got %v, want %v", coords, f.sizes, f.periods, f.width, f.corners, k, a, want)
		}
	}
	ok(t, h.Free())
}

func TestHaloRefusesWhatIsWrong(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		g, err := topology.NewCart(bg, c, []int{2}, []bool{true})
		ok(t, err)
		for _, w := range []struct {
			l    topology.Layers
			n    int
			want string
		}{
			{topology.Layers{Inner: []int{3, 3}, Width: 1}, 25, "Inner has 2 dimensions, the grid 1"},
			{topology.Layers{Inner: []int{3}}, 3, "Width is 0"},
			{topology.Layers{Inner: []int{3}, Width: 4}, 11, "Inner[0] is 3, want Width = 4 or more"},
			{topology.Layers{Inner: []int{3}, Width: 1}, 4, "array 0 has 4 elements, want 5"},
			{topology.Layers{Inner: []int{math.MaxInt / 2}, Width: 1}, 4, "more elements than an int counts"},
		} {
			if c.Rank() == 1 { // whose call is right
				w.l, w.n, w.want = topology.Layers{Inner: []int{3}, Width: 1}, 5, "rank 0 was given what is wrong"
			}
			_, err := topology.NewHalo(bg, g, w.l, make([]float64, w.n))
			is(t, err, rank.ErrArgument, w.want)
		}
		_, err = topology.NewHalo(bg, g, topology.Layers{Inner: []int{1}, Width: 1}, make([]string, 3))
		is(t, err, rank.ErrElement, "string")
		_, err = topology.NewHalo[int](bg, nil, topology.Layers{})
		is(t, err, rank.ErrComm, "")
		h, err := topology.NewHalo(bg, g, topology.Layers{Inner: []int{1}, Width: 1}, make([]int, 3))
		ok(t, err)
		is(t, h.Exchange(bg, make([]int, 3)), rank.ErrArgument, "none of those given to NewHalo")
	})
}

// Neighbours whose parts do not fit get an error that says so.
func TestHaloPartsThatDoNotFitAreAnError(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		g, err := topology.NewCart(bg, c, []int{2, 1}, nil)
		ok(t, err)
		n := 3 + c.Rank()
		a := make([]int, 3*(n+2))
		h, err := topology.NewHalo(bg, g, topology.Layers{Inner: []int{1, n}, Width: 1}, a)
		ok(t, err)
		want := []string{"rank 1 sends more than 3 ghosts, want 3", "rank 0 sends 3 ghosts, want 4"}[c.Rank()]
		is(t, h.Exchange(bg, a), rank.ErrMismatch, want)
	})
}

// When a context ends, Wait goes on later and Exchange is given up.
func TestHaloWaitCanBeRepeated(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		g, err := topology.NewCart(bg, c, []int{2}, []bool{true})
		ok(t, err)
		a := []int{0, c.Rank() + 1, 0}
		h, err := topology.NewHalo(bg, g, topology.Layers{Inner: []int{1}, Width: 1}, a)
		ok(t, err)
		ended, cancel := context.WithCancel(bg)
		cancel()
		if c.Rank() == 1 { // rank 0 has not begun
			ok(t, h.Start(a))
			is(t, h.Wait(ended), rank.ErrPending, "")
			ok(t, rank.Send(bg, c, 0, 0, []int{1}))
		} else {
			_, err := rank.Recv(bg, c, 1, 0, make([]int, 1))
			ok(t, err)
			ok(t, h.Start(a))
		}
		ok(t, h.Wait(bg))
		if want := []int{2 - c.Rank(), c.Rank() + 1, 2 - c.Rank()}; !slices.Equal(a, want) {
			t.Errorf("rank %d: got %v, want %v", c.Rank(), a, want)
		}
		if c.Rank() == 1 {
			is(t, h.Exchange(ended, a), rank.ErrCancelled, "context canceled")
		}
	}, rank.EagerBytes(1))
}

// An exchange allocates nothing.
func TestHaloExchangesWithoutAllocating(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		g, err := topology.NewCart(bg, c, []int{1, 1, 1}, []bool{true, true, true})
		ok(t, err)
		a := make([]float64, 10*10*10)
		for _, corners := range []bool{false, true} {
			h, err := topology.NewHalo(bg, g, topology.Layers{Inner: []int{8, 8, 8}, Width: 1, Corners: corners}, a)
			ok(t, err)
			if n := testing.AllocsPerRun(50, func() { ok(t, h.Exchange(bg, a)) }); n > 0 {
				t.Errorf("corners %v: %v allocations", corners, n)
			}
		}
	})
}
