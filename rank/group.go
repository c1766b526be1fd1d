package rank

import (
	"fmt"
	"slices"
)

// Group is an ordered set of ranks of a job, seen from one process (MPI 4.1
// §7.3). It is immutable, and its methods are local. Its ranks are numbered 0 to
// Size−1; what they are in the world is World. Groups come from Comm.Group, and
// are combined with groups of the same job.
type Group struct {
	world []int32 // world ranks in order; nil: 0 to n−1
	n     int
	self  int // world rank of the process
}

// worldGroup returns the group of all n ranks.
func worldGroup(n, self int) *Group { return &Group{n: n, self: self} }

func (g *Group) derive(world []int32) *Group {
	return &Group{world: world, n: len(world), self: g.self}
}

// String lists g's world ranks in order.
func (g *Group) String() string {
	ranks := make([]int, g.n)
	for r := range ranks {
		ranks[r] = g.World(r)
	}
	return fmt.Sprint(ranks)
}

// Size returns the number of ranks in g (MPI_Group_size).
func (g *Group) Size() int { return g.n }

// World returns the world rank of g's rank, or Undefined if g has no such rank.
func (g *Group) World(rank int) int {
	switch {
	case rank < 0 || rank >= g.n:
		return Undefined
	case g.world == nil:
		return rank
	}
	return int(g.world[rank])
}

// Rank returns the calling process's rank in g, or Undefined if it is not in g
// (MPI_Group_rank).
func (g *Group) Rank() int { return g.find(g.self) }

// find returns the rank of a world rank, or Undefined. Cost: O(Size).
func (g *Group) find(world int) int {
	if g.world == nil {
		if world >= 0 && world < g.n {
			return world
		}
		return Undefined
	}
	if i := slices.Index(g.world, int32(world)); i >= 0 {
		return i
	}
	return Undefined
}

// index returns the rank of each world rank in g.
func (g *Group) index() map[int]int {
	m := make(map[int]int, g.n)
	for r := range g.n {
		m[g.World(r)] = r
	}
	return m
}

// Include returns the group of g's ranks, in the order given
// (MPI_Group_incl). Errors: ErrRank for a rank g does not have, or has been
// named already.
func (g *Group) Include(ranks ...int) (*Group, error) {
	world := make([]int32, len(ranks))
	seen := make(map[int]bool, len(ranks))
	for i, r := range ranks {
		switch {
		case r < 0 || r >= g.n:
			return nil, fmt.Errorf("%w: rank %d (argument %d) of a group of %d", ErrRank, r, i, g.n)
		case seen[r]:
			return nil, fmt.Errorf("%w: rank %d is named twice", ErrRank, r)
		}
		seen[r] = true
		world[i] = int32(g.World(r))
	}
	return g.derive(world), nil
}

// Exclude returns g without ranks, in g's order (MPI_Group_excl). Errors: as
// Include.
func (g *Group) Exclude(ranks ...int) (*Group, error) {
	if _, err := g.Include(ranks...); err != nil {
		return nil, err
	}
	out := make(map[int]bool, len(ranks))
	for _, r := range ranks {
		out[r] = true
	}
	world := make([]int32, 0, g.n-len(ranks))
	for r := range g.n {
		if !out[r] {
			world = append(world, int32(g.World(r)))
		}
	}
	return g.derive(world), nil
}

// Range is the ranks First, First+Stride, … up to and including Last if it is
// met. Stride may be negative, and must not be 0.
type Range struct{ First, Last, Stride int }

// IncludeRanges is Include of the ranks of the ranges in turn
// (MPI_Group_range_incl). Errors: ErrRank, also for a stride of 0.
func (g *Group) IncludeRanges(ranges ...Range) (*Group, error) {
	ranks, err := g.expand(ranges)
	if err != nil {
		return nil, err
	}
	return g.Include(ranks...)
}

// ExcludeRanges is Exclude of the ranks of the ranges (MPI_Group_range_excl).
// Errors: as IncludeRanges.
func (g *Group) ExcludeRanges(ranges ...Range) (*Group, error) {
	ranks, err := g.expand(ranges)
	if err != nil {
		return nil, err
	}
	return g.Exclude(ranks...)
}

func (g *Group) expand(ranges []Range) ([]int, error) {
	var ranks []int
	for i, r := range ranges {
		switch {
		case r.Stride == 0:
			return nil, fmt.Errorf("%w: range %d has a stride of 0", ErrRank, i)
		case r.First < 0 || r.First >= g.n || r.Last < 0 || r.Last >= g.n:
			return nil, fmt.Errorf("%w: range %d is %d to %d in a group of %d", ErrRank, i, r.First, r.Last, g.n)
		case r.Stride > 0 && r.First > r.Last || r.Stride < 0 && r.First < r.Last:
			return nil, fmt.Errorf("%w: range %d: stride %d does not lead from %d to %d", ErrRank, i, r.Stride, r.First, r.Last)
		}
		// Bounded by the group: stepping on from Last could overflow.
		for k := range (r.Last-r.First)/r.Stride + 1 {
			ranks = append(ranks, r.First+k*r.Stride)
		}
	}
	return ranks, nil
}

// Union returns all of g in order, then those of h that g lacks in h's order
// (MPI_Group_union).
func (g *Group) Union(h *Group) *Group {
	in := g.index()
	world := make([]int32, 0, g.n+h.n)
	for r := range g.n {
		world = append(world, int32(g.World(r)))
	}
	for r := range h.n {
		if _, ok := in[h.World(r)]; !ok {
			world = append(world, int32(h.World(r)))
		}
	}
	return g.derive(world)
}

// Intersection returns those of g that h has too, in g's order
// (MPI_Group_intersection).
func (g *Group) Intersection(h *Group) *Group { return g.pick(h, true) }

// Difference returns those of g that h lacks, in g's order
// (MPI_Group_difference).
func (g *Group) Difference(h *Group) *Group { return g.pick(h, false) }

func (g *Group) pick(h *Group, both bool) *Group {
	in := h.index()
	var world []int32
	for r := range g.n {
		if _, ok := in[g.World(r)]; ok == both {
			world = append(world, int32(g.World(r)))
		}
	}
	if world == nil {
		world = []int32{}
	}
	return g.derive(world)
}

// Translate returns what each of g's ranks is in h: Undefined where h lacks it,
// and Null for Null (MPI_Group_translate_ranks). Errors: ErrRank for a rank g
// does not have.
func (g *Group) Translate(h *Group, ranks ...int) ([]int, error) {
	in := h.index()
	out := make([]int, len(ranks))
	for i, r := range ranks {
		switch {
		case r == Null:
			out[i] = Null
			continue
		case r < 0 || r >= g.n:
			return nil, fmt.Errorf("%w: rank %d (argument %d) of a group of %d", ErrRank, r, i, g.n)
		}
		out[i] = Undefined
		if k, ok := in[g.World(r)]; ok {
			out[i] = k
		}
	}
	return out, nil
}

// Compare returns Identical if g and h have the same ranks in the same order,
// Similar if only the order differs, and else Unequal (MPI_Group_compare).
func (g *Group) Compare(h *Group) Comparison {
	if g.n != h.n {
		return Unequal
	}
	result, in := Identical, h.index()
	for r := range g.n {
		switch k, ok := in[g.World(r)]; {
		case !ok:
			return Unequal
		case k != r:
			result = Similar
		}
	}
	return result
}
