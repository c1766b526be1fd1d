package topology

import (
	"context"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Cart is a grid of ranks, periodic in some dimensions: that is, closed to a ring (MPI
// 4.1 §8.5). Ranks are in row-major order, the last dimension fastest. Its methods do
// not communicate but for Sub, and may be called from any goroutine; slices that they
// return are the caller's, but for those of EdgesIn and EdgesOut.
type Cart struct {
	comm          *rank.Comm
	grid          grid
	in, out       []collectives.Edge
	given, placed int // edges between hosts
}

// NewCart returns the grid of dims[0]·dims[1]·… of c's ranks. A nil periods says that no
// dimension is periodic. Without dimensions it is one rank. Ranks of c that are too many
// get nil; they are the last, also with Reorder.
//
// All ranks of c must call it, in the same order among c's collective and creation
// calls. Errors: ErrArgument if c has fewer ranks, or dims and periods make no grid;
// ErrMismatch, on all ranks, if they give different ones; those of Split. Cost: that of
// an AllGather of 8 bytes and of a Split.
func NewCart(ctx context.Context, c *rank.Comm, dims []int, periods []bool, opts ...Option) (*Cart, error) {
	t, err := newCart(ctx, c, dims, periods, reorder(opts), hostsOf)
	if err != nil {
		return nil, fail("NewCart", c, err)
	}
	return t, nil
}

// newCart is NewCart with the hosts that hosts says.
func newCart(ctx context.Context, c *rank.Comm, dims []int, periods []bool, reorder bool, hosts func(*rank.Comm) []int) (*Cart, error) {
	if err := usable(c); err != nil {
		return nil, err
	}
	if err := alike(ctx, c, dims, bits(periods), bits([]bool{reorder})); err != nil {
		return nil, err
	}
	g, err := newGrid(dims, periods, c.Size())
	if err != nil {
		return nil, err
	}
	h := hosts(c)
	at := straight(g.size)
	if reorder {
		at = g.place(h)
	}
	comm, err := members(ctx, c, at)
	if comm == nil {
		return nil, err
	}
	t := &Cart{grid: g, given: g.between(h, straight(g.size)), placed: g.between(h, at)}
	return t, structures.Set(comm, t.at(comm))
}

// at makes c the communicator of t.
func (t *Cart) at(c *rank.Comm) *Cart {
	t.comm = c
	here := t.grid.coords(c.Rank())
	for d := range t.grid.dims {
		for s, disp := range []int{-1, 1} {
			// What leaves by one side of a rank comes in by the other side of its
			// neighbour, also where both sides have the same neighbour.
			peer := t.grid.step(here, d, disp)
			t.out = append(t.out, collectives.Edge{Rank: peer, Pair: 2*d + s})
			t.in = append(t.in, collectives.Edge{Rank: peer, Pair: 2*d + 1 - s})
		}
	}
	return t
}

func (t *Cart) on(c *rank.Comm) Topology {
	return (&Cart{grid: t.grid, given: t.given, placed: t.placed}).at(c)
}

// Comm returns the communicator of the grid; nil of a nil Cart.
func (t *Cart) Comm() *rank.Comm {
	if t == nil {
		return nil
	}
	return t.comm
}

// Dims returns how many ranks each dimension has.
func (t *Cart) Dims() []int { return slices.Clone(t.grid.dims) }

// Periods returns which dimensions are periodic.
func (t *Cart) Periods() []bool { return slices.Clone(t.grid.periods) }

// Coords returns this rank's place.
func (t *Cart) Coords() []int { return t.grid.coords(t.comm.Rank()) }

// CoordsOf returns r's place. Errors: ErrRank.
func (t *Cart) CoordsOf(r int) ([]int, error) {
	if r < 0 || r >= t.grid.size {
		return nil, fail("CoordsOf", t.comm, wrongRank(r, t.grid.size))
	}
	return t.grid.coords(r), nil
}

// RankOf returns the rank at a place. Coordinates of periodic dimensions may be any
// number, and wrap. Errors: ErrArgument for a place off the grid, or of another number
// of dimensions.
func (t *Cart) RankOf(coords ...int) (int, error) {
	if len(coords) != len(t.grid.dims) {
		return rank.Null, fail("RankOf", t.comm, wrong("%d coordinates, the grid has %d dimensions", len(coords), len(t.grid.dims)))
	}
	r := t.grid.rank(coords)
	if r == rank.Null {
		return r, fail("RankOf", t.comm, wrong("coordinates %v are off the grid %v, periodic %v", slices.Clone(coords), t.grid.dims, t.grid.periods))
	}
	return r, nil
}

// Shift returns the ranks that this one receives from and sends to when all pass on
// something by disp places along a dimension: the one disp before it, and the one disp
// after it. Off the edge that is rank.Null. disp may be any number. Errors: ErrArgument
// for no such dimension.
func (t *Cart) Shift(dim, disp int) (source, dest int, err error) {
	if dim < 0 || dim >= len(t.grid.dims) {
		return rank.Null, rank.Null, fail("Shift", t.comm, wrong("dimension %d, the grid has %d", dim, len(t.grid.dims)))
	}
	here := t.grid.coords(t.comm.Rank())
	return t.grid.step(here, dim, -disp), t.grid.step(here, dim, disp), nil
}

// EdgesIn returns the neighbours in the order that neighbourhood collectives have: for
// each dimension the one before and the one after, rank.Null off the edge.
func (t *Cart) EdgesIn() []collectives.Edge { return t.in }

// EdgesOut returns the same neighbours as EdgesIn.
func (t *Cart) EdgesOut() []collectives.Edge { return t.out }

// HostEdges returns how many edges of the whole grid join ranks of different hosts: as
// it was given, and as Reorder has placed it. Without Reorder, and in a grid that Sub has
// made, both are the same.
func (t *Cart) HostEdges() (given, placed int) { return t.given, t.placed }

// Sub returns the grid of the dimensions d with keep[d] that this rank is in: as many
// grids come to be as the other dimensions have places. Without dimensions kept, each
// has one rank. Who must call it, errors and cost: as NewCart.
func (t *Cart) Sub(ctx context.Context, keep ...bool) (*Cart, error) {
	if t == nil || t.comm == nil {
		return nil, fail("Sub", nil, rank.ErrComm)
	}
	sub, err := t.sub(ctx, keep)
	if err != nil {
		return nil, fail("Sub", t.comm, err)
	}
	return sub, nil
}

func (t *Cart) sub(ctx context.Context, keep []bool) (*Cart, error) {
	if err := alike(ctx, t.comm, bits(keep)); err != nil {
		return nil, err
	}
	if len(keep) != len(t.grid.dims) {
		return nil, wrong("keep has %d entries, the grid has %d dimensions", len(keep), len(t.grid.dims))
	}
	g := grid{size: 1}
	color, key := 0, 0
	for d, x := range t.Coords() {
		n := t.grid.dims[d]
		if !keep[d] {
			color = color*n + x
			continue
		}
		key = key*n + x
		g.dims, g.periods, g.size = append(g.dims, n), append(g.periods, t.grid.periods[d]), g.size*n
	}
	comm, err := t.comm.Split(ctx, color, key)
	if err != nil {
		return nil, err
	}
	n := g.between(hostsOf(comm), straight(g.size))
	sub := &Cart{grid: g, given: n, placed: n}
	return sub, structures.Set(comm, sub.at(comm))
}

// CartMap returns the rank that the caller would have in NewCart of c, or
// rank.Undefined if it would be left out. It does not communicate. Errors: as NewCart,
// of the arguments.
func CartMap(c *rank.Comm, dims []int, periods []bool, opts ...Option) (int, error) {
	if err := usable(c); err != nil {
		return rank.Undefined, fail("CartMap", c, err)
	}
	g, err := newGrid(dims, periods, c.Size())
	if err != nil {
		return rank.Undefined, fail("CartMap", c, err)
	}
	at := straight(g.size)
	if reorder(opts) {
		at = g.place(hostsOf(c))
	}
	return placeOf(at, c.Rank()), nil
}

// placeOf returns where r is in at; rank.Undefined if nowhere.
func placeOf(at []int, r int) int {
	if i := slices.Index(at, r); i >= 0 {
		return i
	}
	return rank.Undefined
}

func bits(list []bool) []int {
	b := make([]int, len(list))
	for i, v := range list {
		if v {
			b[i] = 1
		}
	}
	return b
}
