package topology

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// hostsInTurn deals n ranks out to so many hosts, one to each in turn; hostsInRow gives
// each as many consecutive ones.
func hostsInTurn(n, hosts int) []int {
	h := make([]int, n)
	for i := range h {
		h[i] = i % hosts
	}
	return h
}

func hostsInRow(n, hosts int) []int {
	h := make([]int, n)
	for i := range h {
		h[i] = i * hosts / n
	}
	return h
}

// What placing makes of grids of which the best is known.
func TestReorderPutsBlocksOfTheGridOnHosts(t *testing.T) {
	for _, w := range []struct {
		dims          []int
		periods       []bool
		hosts         []int
		given, placed int
	}{
		// Four hosts with a row of 16 each, against four blocks of 4×4.
		{[]int{4, 16}, nil, hostsInRow(64, 4), 48, 12},
		{[]int{8, 8}, nil, hostsInRow(64, 4), 24, 16},
		{[]int{8, 8}, []bool{true, true}, hostsInRow(64, 4), 32, 32},
		{[]int{8, 8}, nil, hostsInTurn(64, 4), 56, 16},
		{[]int{4, 4, 4}, nil, hostsInRow(64, 8), 64, 48},
		{[]int{12}, nil, hostsInTurn(12, 3), 11, 2},
		{[]int{2, 6}, nil, []int{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1}, 9, 3},
		{[]int{4, 4}, nil, nil, 0, 0},
	} {
		g, err := newGrid(w.dims, w.periods, 1000)
		if err != nil {
			t.Fatal(err)
		}
		given, placed := g.between(w.hosts, straight(g.size)), g.between(w.hosts, g.place(w.hosts))
		if given != w.given || placed != w.placed {
			t.Errorf("grid %v, periodic %v, hosts %v: %d edges between hosts placed as %d, want %d and %d", w.dims, w.periods, w.hosts, given, placed, w.given, w.placed)
		}
	}
}

// Whatever the grid and the hosts, each rank has one place, the first ranks are used, and
// no placing is worse than none.
func TestReorderIsAPermutationAndNeverWorse(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var dims []int
		var periods []bool
		for range rng.IntN(4) {
			dims, periods = append(dims, 1+rng.IntN(5)), append(periods, rng.IntN(2) == 0)
		}
		g, err := newGrid(dims, periods, 1000)
		if err != nil {
			t.Fatal(err)
		}
		hosts := make([]int, g.size+rng.IntN(3))
		for i := range hosts {
			hosts[i] = rng.IntN(1 + rng.IntN(6))
		}
		var neighbors [][]int
		for range g.size {
			var list []int
			for range rng.IntN(4) {
				list = append(list, rng.IntN(g.size))
			}
			neighbors = append(neighbors, list)
		}
		l := weighted(neighbors)
		for what, at := range map[string][]int{"grid": g.place(hosts), "graph": l.place(hosts)} {
			sorted := slices.Sorted(slices.Values(at))
			if !slices.Equal(sorted, straight(g.size)) {
				t.Fatalf("seed %d, %s %v %v, hosts %v: places %v", seed, what, dims, neighbors, hosts, at)
			}
			before, after := dumbBetween(&g, neighbors, what, hosts, straight(g.size)), dumbBetween(&g, neighbors, what, hosts, at)
			if after > before {
				t.Fatalf("seed %d, %s %v %v, hosts %v: %d edges between hosts became %d", seed, what, dims, neighbors, hosts, before, after)
			}
		}
		if got, want := l.between(hosts, straight(g.size)), dumbBetween(&g, neighbors, "graph", hosts, straight(g.size)); got != want {
			t.Fatalf("seed %d, graph %v, hosts %v: %d edges between hosts, want %d", seed, neighbors, hosts, got, want)
		}
		if got, want := g.between(hosts, straight(g.size)), dumbBetween(&g, neighbors, "grid", hosts, straight(g.size)); got != want {
			t.Fatalf("seed %d, grid %v %v, hosts %v: %d edges between hosts, want %d", seed, dims, periods, hosts, got, want)
		}
	}
}

// dumbBetween counts the edges between hosts by looking at all pairs of places.
func dumbBetween(g *grid, neighbors [][]int, what string, hosts, at []int) (n int) {
	for a := range at {
		for b := range at {
			if hosts[at[a]] == hosts[at[b]] {
				continue
			}
			if what == "graph" {
				for _, j := range neighbors[a] {
					if j == b {
						n++
					}
				}
				continue
			}
			x, y := g.coords(a), g.coords(b)
			for d := range x {
				same := true
				for e := range x {
					same = same && (e == d || x[e] == y[e])
				}
				if same && (x[d]+1 == y[d] || g.periods[d] && x[d] == g.dims[d]-1 && y[d] == 0) {
					n++
				}
			}
		}
	}
	return n
}

// Communities that hosts cut through are put together again.
func TestReorderPutsCommunitiesOfAGraphOnHosts(t *testing.T) {
	const parts, size = 4, 5
	neighbors := make([][]int, parts*size)
	for i := range neighbors {
		for j := range neighbors {
			if i != j && i%parts == j%parts {
				neighbors[i] = append(neighbors[i], j)
			}
		}
	}
	l := weighted(neighbors)
	hosts := hostsInRow(len(neighbors), parts)
	if got := l.between(hosts, l.place(hosts)); got != 0 {
		t.Errorf("%d edges join hosts, want 0; without placing %d", got, l.between(hosts, straight(len(neighbors))))
	}
}

// The ranks that make a grid with Reorder have the places that placing says, and the
// neighbours that the grid says.
func TestReorderMovesTheRanks(t *testing.T) {
	hosts := func(c *rank.Comm) []int { return hostsInTurn(c.Size(), 3) }
	ranktest.Run(t, 13, func(t *testing.T, c *rank.Comm) {
		g, err := newCart(context.Background(), c, []int{3, 4}, []bool{true, false}, true, hosts)
		if err != nil {
			t.Fatal(err)
		}
		if c.Rank() == 12 {
			if g != nil {
				t.Error("rank 12 has a place")
			}
			return
		}
		given, placed := g.HostEdges()
		if given <= placed || placed != 11 {
			t.Errorf("%d edges between hosts became %d, want 11", given, placed)
		}
		at := g.grid.place(hosts(c))
		if got := at[g.Comm().Rank()]; got != c.Rank() {
			t.Errorf("rank %d has the place of rank %d", c.Rank(), got)
		}
		got, err := collectives.NeighborAllGather(context.Background(), g, slices.Repeat([]int{rank.Null}, 4), []int{c.Rank()})
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range g.EdgesIn() {
			want := rank.Null
			if e.Rank != rank.Null {
				want = at[e.Rank]
			}
			if got[i] != want {
				t.Errorf("neighbour %d of rank %d is rank %d, want %d", i, c.Rank(), got[i], want)
			}
		}
	})
}

// With Reorder a rank takes over a place with its edges, in their order.
func TestReorderMovesPlacesWithTheirEdges(t *testing.T) {
	for _, kind := range []string{"Graph", "DistGraph", "DistGraphAdjacent"} {
		ranktest.Run(t, 6, func(t *testing.T, c *rank.Comm) {
			ctx, hosts := context.Background(), func(c *rank.Comm) []int { return hostsInTurn(c.Size(), 2) }
			// Two triangles and an edge between, each rank its own neighbour too.
			neighbors := [][]int{{1, 2, 0}, {2, 0, 1}, {0, 1, 2, 3}, {4, 5, 3, 2}, {5, 3, 4}, {3, 4, 5}}
			var g Topology
			var err error
			own := Neighbors{Ranks: neighbors[c.Rank()]}
			switch kind {
			case "Graph":
				g, err = newGraph(ctx, c, neighbors, true, hosts)
			case "DistGraph":
				e := Edges{To: own.Ranks}
				for range e.To {
					e.From = append(e.From, c.Rank())
				}
				g, err = newDistGraph(ctx, c, e, true, hosts)
			default:
				g, err = newDistGraphAdjacent(ctx, c, own, own, true, hosts)
			}
			if err != nil {
				t.Fatal(err)
			}
			given, placed := g.(interface{ HostEdges() (int, int) }).HostEdges()
			if given != 10 || placed != 2 {
				t.Errorf("%s: %d edges between hosts became %d, want 10 and 2", kind, given, placed)
			}
			if kind == "DistGraphAdjacent" {
				h, err := newDistGraphAdjacent(ctx, c, own, own, false, hosts)
				if err != nil {
					t.Fatal(err)
				}
				if given, placed := h.HostEdges(); given != 10 || placed != 10 || h.Comm().Rank() != c.Rank() {
					t.Errorf("%s without Reorder: %d edges between hosts became %d, want 10, and rank %d became %d", kind, given, placed, c.Rank(), h.Comm().Rank())
				}
			}
			place := g.Comm().Rank()
			for i, e := range g.EdgesOut() {
				if want := neighbors[place][i]; e.Rank != want {
					t.Errorf("%s: edge %d of place %d leads to %d, want %d", kind, i, place, e.Rank, want)
				}
			}
			got, err := collectives.NeighborAllGather(ctx, g, nil, []int{place})
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range g.EdgesIn() {
				if got[i] != e.Rank {
					t.Errorf("%s: edge %d from %d brought what %d sent", kind, i, e.Rank, got[i])
				}
			}
			if want := neighbors[place]; kind != "DistGraph" && !slices.Equal(got, want) || len(got) != len(want) {
				t.Errorf("%s: place %d hears of %v, want %v", kind, place, got, want)
			}
		})
	}
}
