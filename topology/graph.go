package topology

import (
	"context"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Graph is a graph of ranks that each of them knows as a whole (MPI 4.1 §8.5.3). For
// many ranks DistGraph is better. Its methods do not communicate and may be called from
// any goroutine.
type Graph struct {
	comm          *rank.Comm
	neighbors     [][]int
	in, out       []collectives.Edge
	given, placed int // edges between hosts
}

// NewGraph returns the graph in which an edge leads from place i to each of
// neighbors[i], as often as it is there, i itself included; it need not lead back. It has
// the first len(neighbors) ranks of c, the others get nil.
//
// All ranks of c must call it with the same neighbors, in the same order among c's
// collective and creation calls. Errors: ErrArgument if c has fewer ranks; ErrRank for a
// neighbour that is no place; ErrMismatch, on all ranks, if they give different graphs;
// those of Split. Cost: that of an AllGather of 8 bytes and of a Split.
func NewGraph(ctx context.Context, c *rank.Comm, neighbors [][]int, opts ...Option) (*Graph, error) {
	t, err := newGraph(ctx, c, neighbors, reorder(opts), hostsOf)
	if err != nil {
		return nil, fail("NewGraph", c, err)
	}
	return t, nil
}

// newGraph is NewGraph with the hosts that hosts says.
func newGraph(ctx context.Context, c *rank.Comm, neighbors [][]int, reorder bool, hosts func(*rank.Comm) []int) (*Graph, error) {
	if err := usable(c); err != nil {
		return nil, err
	}
	if err := alike(ctx, c, append(slices.Clone(neighbors), bits([]bool{reorder}))...); err != nil {
		return nil, err
	}
	if err := checkGraph(neighbors, c.Size()); err != nil {
		return nil, err
	}
	h := hosts(c)
	g := weighted(neighbors)
	at := straight(len(neighbors))
	if reorder {
		at = g.place(h)
	}
	comm, err := members(ctx, c, at)
	if comm == nil {
		return nil, err
	}
	own := make([][]int, len(neighbors))
	for i, list := range neighbors {
		own[i] = slices.Clone(list)
	}
	t := &Graph{neighbors: own, given: g.between(h, straight(len(own))), placed: g.between(h, at)}
	return t, structures.Set(comm, t.at(comm))
}

func checkGraph(neighbors [][]int, ranks int) error {
	if len(neighbors) > ranks {
		return wrong("the graph has %d places, the communicator %d ranks", len(neighbors), ranks)
	}
	for i, list := range neighbors {
		for k, j := range list {
			if j < 0 || j >= len(neighbors) {
				return wrong("neighbors[%d][%d]: %w", i, k, wrongRank(j, len(neighbors)))
			}
		}
	}
	return nil
}

// at makes c the communicator of t.
func (t *Graph) at(c *rank.Comm) *Graph {
	t.comm = c
	me := c.Rank()
	t.out = numbered(t.neighbors[me])
	t.in = numbered(sourcesOf(t.neighbors, me))
	return t
}

func (t *Graph) on(c *rank.Comm) Topology {
	return (&Graph{neighbors: t.neighbors, given: t.given, placed: t.placed}).at(c)
}

// sourcesOf returns from where edges lead to me: the neighbours of me in the order of its
// own list, so that a symmetric graph has the same in both directions, and then the
// others, ascending.
func sourcesOf(neighbors [][]int, me int) []int {
	left := make([]int, len(neighbors))
	for i, list := range neighbors {
		for _, j := range list {
			if j == me {
				left[i]++
			}
		}
	}
	var sources []int
	for _, i := range neighbors[me] {
		if left[i] > 0 {
			left[i]--
			sources = append(sources, i)
		}
	}
	for i, n := range left {
		for range n {
			sources = append(sources, i)
		}
	}
	return sources
}

// numbered returns the edges to or from ranks; those of one rank are told apart by
// their order, which is the same at both ends.
func numbered(ranks []int) []collectives.Edge {
	seen := make(map[int]int)
	list := make([]collectives.Edge, len(ranks))
	for i, r := range ranks {
		list[i] = collectives.Edge{Rank: r, Pair: seen[r]}
		seen[r]++
	}
	return list
}

// Comm returns the communicator of the graph; nil of a nil Graph.
func (t *Graph) Comm() *rank.Comm {
	if t == nil {
		return nil
	}
	return t.comm
}

// Size returns the number of ranks and that of edges.
func (t *Graph) Size() (ranks, edges int) {
	for _, list := range t.neighbors {
		edges += len(list)
	}
	return len(t.neighbors), edges
}

// Neighbors returns to whom edges lead from r, in the order in which they were given;
// the slice is the caller's. Errors: ErrRank.
func (t *Graph) Neighbors(r int) ([]int, error) {
	if r < 0 || r >= len(t.neighbors) {
		return nil, fail("Neighbors", t.comm, wrongRank(r, len(t.neighbors)))
	}
	return slices.Clone(t.neighbors[r]), nil
}

// EdgesOut returns the edges to this rank's neighbours, in the order given.
func (t *Graph) EdgesOut() []collectives.Edge { return t.out }

// EdgesIn returns the edges that lead to this rank: from its neighbours in the order of
// EdgesOut, then from ranks to which none leads back, ascending. In a symmetric graph it
// is EdgesOut.
func (t *Graph) EdgesIn() []collectives.Edge { return t.in }

// HostEdges returns how many edges join ranks of different hosts: as the graph was given,
// and as Reorder has placed it.
func (t *Graph) HostEdges() (given, placed int) { return t.given, t.placed }

// GraphMap returns the rank that the caller would have in NewGraph of c, or
// rank.Undefined if it would be left out. It does not communicate. Errors: as NewGraph,
// of the arguments.
func GraphMap(c *rank.Comm, neighbors [][]int, opts ...Option) (int, error) {
	if err := usable(c); err != nil {
		return rank.Undefined, fail("GraphMap", c, err)
	}
	if err := checkGraph(neighbors, c.Size()); err != nil {
		return rank.Undefined, fail("GraphMap", c, err)
	}
	at := straight(len(neighbors))
	if reorder(opts) {
		at = weighted(neighbors).place(hostsOf(c))
	}
	return placeOf(at, c.Rank()), nil
}
