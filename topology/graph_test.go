package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"github.com/muster-mpi/muster/topology"
)

// randomGraph is the edges of p places, with some that are there several times and
// some from a place to itself.
func randomGraph(p int, seed uint64) [][]int {
	rng := rand.New(rand.NewPCG(seed, 0))
	neighbors := make([][]int, p)
	for i := range neighbors {
		for range rng.IntN(2 * p) {
			neighbors[i] = append(neighbors[i], rng.IntN(p))
		}
	}
	return neighbors
}

// exchanged sends a number of its own along each edge of g, and fails unless along each
// that leads here comes the number of the edge that leaves there: of several edges
// between two ranks, that of the same place among them.
func exchanged(t *testing.T, what string, g topology.Topology, out func(place int) []int) {
	t.Helper()
	me := g.Comm().Rank()
	src := make([]int, len(g.EdgesOut()))
	for i := range src {
		src[i] = 1000*me + i
	}
	dst := make([]int, len(g.EdgesIn()))
	_, err := collectives.NeighborAllToAll(bg, g, dst, src)
	ok(t, err)
	seen := make(map[int]int)
	for i, e := range g.EdgesIn() {
		left := seen[e.Rank]
		seen[e.Rank]++
		want := -1
		for k, to := range out(e.Rank) {
			if to == me {
				if left == 0 {
					want = 1000*e.Rank + k
					break
				}
				left--
			}
		}
		if dst[i] != want {
			t.Errorf("%s: edge %d of place %d, from %d, brought %d, want %d", what, i, me, e.Rank, dst[i], want)
		}
	}
}

// Rule 45: several edges between two ranks match in their order, in every kind of graph.
func TestRule45GraphDuplicatesMatchInOrder(t *testing.T) {
	s := seed(t)
	for _, p := range []int{1, 2, 3, 6} {
		ranktest.Run(t, p+1, func(t *testing.T, c *rank.Comm) {
			for k := range uint64(4) {
				neighbors := randomGraph(p, s+k)
				g, err := topology.NewGraph(bg, c, neighbors)
				ok(t, err)
				what := fmt.Sprintf("Graph of %d, seed %d", p, s+k)
				if g != nil {
					exchanged(t, what, g, func(i int) []int { return neighbors[i] })
					if got, _ := g.Neighbors(g.Comm().Rank()); !slices.Equal(got, neighbors[c.Rank()]) {
						t.Errorf("%s: neighbours of %d are %v, want %v", what, c.Rank(), got, neighbors[c.Rank()])
					}
				} else if c.Rank() < p {
					t.Errorf("%s: rank %d is left out", what, c.Rank())
				}

				// In a DistGraph the last rank has no edges.
				all := append(slices.Clone(neighbors), nil)
				own := func(i int) []int { return all[i] }
				var sources []int
				for i, list := range all {
					for _, j := range list {
						if j == c.Rank() {
							sources = append(sources, i)
						}
					}
				}
				rng := rand.New(rand.NewPCG(s, uint64(c.Rank())))
				rng.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
				a, err := topology.NewDistGraphAdjacent(bg, c, topology.Neighbors{Ranks: sources}, topology.Neighbors{Ranks: all[c.Rank()]})
				ok(t, err)
				exchanged(t, "adjacent "+what, a, own)
				if !slices.Equal(a.Sources().Ranks, sources) || !slices.Equal(a.Destinations().Ranks, all[c.Rank()]) {
					t.Errorf("adjacent %s: the order of rank %d is lost: from %v to %v, want %v and %v", what, c.Rank(), a.Sources().Ranks, a.Destinations().Ranks, sources, all[c.Rank()])
				}
				d, err := topology.NewDistGraph(bg, c, someEdges(all, c, s+k))
				ok(t, err)
				given, err := collectives.AllGather(bg, c, nil, padded(d.Destinations().Ranks))
				ok(t, err)
				exchanged(t, "general "+what, d, func(i int) []int { return given[i*room : (i+1)*room] })
				if got := slices.Sorted(slices.Values(d.Destinations().Ranks)); !slices.Equal(got, slices.Sorted(slices.Values(all[c.Rank()]))) {
					t.Errorf("general %s: rank %d leads to %v, want %v", what, c.Rank(), got, all[c.Rank()])
				}
			}
		})
	}
}

const room = 16

func padded(list []int) []int {
	return append(slices.Clone(list), slices.Repeat([]int{-1}, room-len(list))...)
}

// someEdges is the edges of all that c's rank is to give: each is given by one rank,
// whichever.
func someEdges(all [][]int, c *rank.Comm, seed uint64) (e topology.Edges) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for i, list := range all {
		for _, j := range list {
			if rng.IntN(c.Size()) == c.Rank() {
				e.From, e.To = append(e.From, i), append(e.To, j)
				e.Weights = append(e.Weights, 10*i+j)
			}
		}
	}
	return e
}

// Rule 50: a rank that the map leaves out is undefined.
func TestRule50MapsSayUndefinedForRanksLeftOut(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		want := c.Rank()
		if want == 2 {
			want = rank.Undefined
		}
		for _, o := range [][]topology.Option{nil, {topology.Reorder}} {
			if r, err := topology.GraphMap(c, [][]int{{1}, {0}}, o...); r != want || err != nil {
				t.Errorf("GraphMap of rank %d: %d, %v, want %d", c.Rank(), r, err, want)
			}
			if r, err := topology.CartMap(c, []int{2}, nil, o...); r != want || err != nil {
				t.Errorf("CartMap of rank %d: %d, %v, want %d", c.Rank(), r, err, want)
			}
		}
	})
}

// Rule 50: weights come with all edges or with none; they stay with their edges; a rank
// may have no edges at all.
func TestRule50WeightsAreGivenByAllOrByNone(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		var e topology.Edges
		if c.Rank() == 1 {
			e = topology.Edges{From: []int{0, 2, 0}, To: []int{2, 2, 2}, Weights: []int{5, 6, 0}}
		}
		g, err := topology.NewDistGraph(bg, c, e)
		ok(t, err)
		want := [][2]topology.Neighbors{
			{{}, {Ranks: []int{2, 2}, Weights: []int{5, 0}}},
			{{}, {}},
			{{Ranks: []int{0, 2, 0}, Weights: []int{5, 6, 0}}, {Ranks: []int{2}, Weights: []int{6}}},
		}[c.Rank()]
		for i, got := range []topology.Neighbors{g.Sources(), g.Destinations()} {
			if !slices.Equal(got.Ranks, want[i].Ranks) || !slices.Equal(got.Weights, want[i].Weights) {
				t.Errorf("rank %d: got %v, want %v", c.Rank(), got, want[i])
			}
		}
		ring := topology.Neighbors{Ranks: []int{(c.Rank() + 1) % 3}}
		back := topology.Neighbors{Ranks: []int{(c.Rank() + 2) % 3}}
		a, err := topology.NewDistGraphAdjacent(bg, c, back, ring)
		ok(t, err)
		if got := a.Destinations().Weights; !slices.Equal(got, []int{1}) {
			t.Errorf("edges without weights weigh %v", got)
		}
		if c.Rank() == 0 {
			ring.Weights = []int{3}
		}
		_, err = topology.NewDistGraphAdjacent(bg, c, back, ring)
		is(t, err, rank.ErrMismatch, "some ranks give weights")
		ring.Weights = nil
		var o []topology.Option
		if c.Rank() == 1 {
			o = append(o, topology.Reorder)
		}
		_, err = topology.NewDistGraphAdjacent(bg, c, back, ring, o...)
		is(t, err, rank.ErrMismatch, "some ranks give Reorder")
		none, err := topology.NewDistGraph(bg, c, topology.Edges{})
		ok(t, err)
		got, err := collectives.NeighborAllGather(bg, none, nil, []int{1})
		if err != nil || len(got) != 0 {
			t.Errorf("a graph without edges: %v, %v", got, err)
		}
	})
}

// What is wrong on one rank is an error on all, and they can go on.
func TestGraphsRefuseWhatIsWrong(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		_, err := topology.NewGraph(bg, c, [][]int{{1}, {2}})
		is(t, err, rank.ErrRank, "neighbors[1][0]: invalid rank: 2, legal are 0 to 1")
		_, err = topology.NewGraph(bg, c, make([][]int, 4))
		is(t, err, rank.ErrArgument, "the graph has 4 places, the communicator 3 ranks")
		_, err = topology.NewGraph(bg, c, [][]int{{0, c.Rank() / 2}})
		is(t, err, rank.ErrMismatch, "rank 2 gives other arguments")
		_, err = topology.NewGraph(bg, nil, nil)
		is(t, err, rank.ErrComm, "")

		one := func(n topology.Neighbors) topology.Neighbors {
			if c.Rank() == 1 {
				return n
			}
			return topology.Neighbors{}
		}
		for _, w := range []struct {
			sources, destinations topology.Neighbors
			want                  string
		}{
			{topology.Neighbors{Ranks: []int{3}}, topology.Neighbors{}, "sources[0]: invalid rank: 3"},
			{topology.Neighbors{}, topology.Neighbors{Ranks: []int{0, -1}}, "destinations[1]: invalid rank: -1"},
			{topology.Neighbors{Ranks: []int{0}, Weights: []int{1, 2}}, topology.Neighbors{}, "2 weights for 1 sources"},
			{topology.Neighbors{Ranks: []int{0}, Weights: []int{-1}}, topology.Neighbors{}, "weight 0 of sources is -1"},
			{topology.Neighbors{Ranks: []int{0}}, topology.Neighbors{}, "rank 0 says that 0 edges lead from it to rank 1, which says 1"},
		} {
			_, err := topology.NewDistGraphAdjacent(bg, c, one(w.sources), one(w.destinations))
			if c.Rank() != 1 {
				w.want = "rank 1 was given what is wrong"
			}
			is(t, err, rank.ErrArgument, w.want)
		}
		for _, w := range []struct {
			e    topology.Edges
			want string
		}{
			{topology.Edges{From: []int{0}}, "edges from 1 ranks to 0"},
			{topology.Edges{From: []int{0}, To: []int{7}}, "edge 0, from 0 to 7"},
			{topology.Edges{From: []int{0}, To: []int{1}, Weights: []int{}}, "0 weights for 1 edges"},
		} {
			if c.Rank() != 1 {
				w.e, w.want = topology.Edges{}, "rank 1 was given what is wrong"
			}
			_, err := topology.NewDistGraph(bg, c, w.e)
			is(t, err, rank.ErrArgument, w.want)
		}
	})
}

// A rank that is left out has nil, which calls refuse; an intercommunicator has no places.
func TestNilAndIntercommunicatorsAreRefused(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		for _, n := range []collectives.Neighborhood{(*topology.Cart)(nil), (*topology.Graph)(nil), (*topology.DistGraph)(nil)} {
			_, err := collectives.NeighborAllGather(bg, n, nil, []int{1})
			is(t, err, rank.ErrComm, "")
		}
		one, err := c.Split(bg, c.Rank(), 0)
		ok(t, err)
		inter, err := rank.CreateInter(bg, one, 0, c, 1-c.Rank(), 0)
		ok(t, err)
		_, err = topology.NewCart(bg, inter, nil, nil)
		is(t, err, rank.ErrComm, "intercommunicator")
		_, err = topology.GraphMap(inter, nil)
		is(t, err, rank.ErrComm, "intercommunicator")
		g, err := topology.NewGraph(bg, c, [][]int{{1}, {}})
		ok(t, err)
		_, err = g.Neighbors(2)
		is(t, err, rank.ErrRank, "2, legal are 0 to 1")
	})
}

// Rule 27 for graphs: the duplicate has them.
func TestRule27DupCopiesGraphs(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		g, err := topology.NewGraph(bg, c, [][]int{{1, 1}, {0}})
		ok(t, err)
		e := topology.Neighbors{Ranks: []int{1 - c.Rank()}, Weights: []int{7}}
		d, err := topology.NewDistGraphAdjacent(bg, c, e, e)
		ok(t, err)
		if n, edges := g.Size(); n != 2 || edges != 3 {
			t.Errorf("a graph of %d ranks and %d edges, want 2 and 3", n, edges)
		}
		for _, x := range []topology.Topology{g, d} {
			c, err := x.Comm().Dup(bg)
			ok(t, err)
			y := topology.Of(c)
			if y == nil || y.Comm() != c || !slices.Equal(y.EdgesIn(), x.EdgesIn()) || !slices.Equal(y.EdgesOut(), x.EdgesOut()) {
				t.Errorf("the duplicate of %T is %v", x, y)
			}
		}
	})
}
