package topology

import (
	"context"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// DistGraph is a graph of ranks of which each knows the edges at its own place (MPI 4.1
// §8.5.4). Its methods do not communicate and may be called from any goroutine.
type DistGraph struct {
	comm                         *rank.Comm
	in, out                      []collectives.Edge
	sourceWeights, targetWeights []int
	given, placed                int // weight of the edges between hosts
}

// Neighbors are the ranks at the other ends of edges, and what each edge weighs: how
// much is to be sent along it, in units of the program's own. Weights guide Reorder and
// nothing else. Nil Weights say that all edges weigh 1.
type Neighbors struct {
	Ranks   []int
	Weights []int
}

// Edges are edges that one rank knows of, which may be any: the i-th leads from From[i]
// to To[i]. Weights are as in Neighbors.
type Edges struct {
	From, To []int
	Weights  []int
}

// NewDistGraphAdjacent returns the graph of which each rank gives the edges that lead to
// it and those that leave it (MPI_Dist_graph_create_adjacent). Their order is that of
// neighbourhood collectives. Of several edges from one rank to another the first that is
// given at the one end is the first that is given at the other. A rank may have none,
// and may be its own neighbour. With Reorder the place of a rank, with its edges, may
// become another's.
//
// All ranks of c must call it, in the same order among c's collective and creation
// calls; Weights are given by all or by none. Errors: ErrRank for a neighbour that c does
// not have; ErrArgument for weights that are negative or not as many as ranks, and where
// the ends of an edge disagree; ErrMismatch if not all give Weights or Reorder. One that
// a rank has, all have. Cost: an AllToAll of 16 bytes, and with Reorder every rank
// learns of all edges.
func NewDistGraphAdjacent(ctx context.Context, c *rank.Comm, sources, destinations Neighbors, opts ...Option) (*DistGraph, error) {
	t, err := newDistGraphAdjacent(ctx, c, sources, destinations, reorder(opts), hostsOf)
	if err != nil {
		return nil, fail("NewDistGraphAdjacent", c, err)
	}
	return t, nil
}

// newDistGraphAdjacent is NewDistGraphAdjacent with the hosts that hosts says.
func newDistGraphAdjacent(ctx context.Context, c *rank.Comm, sources, destinations Neighbors, reorder bool, hosts func(*rank.Comm) []int) (*DistGraph, error) {
	if err := usable(c); err != nil {
		return nil, err
	}
	err := checkNeighbors("sources", sources, c.Size())
	if err == nil {
		err = checkNeighbors("destinations", destinations, c.Size())
	}
	if err := sound(ctx, c, err); err != nil {
		return nil, err
	}
	if err := weighedAlike(ctx, c, reorder, [2][]int{sources.Ranks, sources.Weights}, [2][]int{destinations.Ranks, destinations.Weights}); err != nil {
		return nil, err
	}
	if err := sound(ctx, c, endsAgree(ctx, c, sources, destinations)); err != nil {
		return nil, err
	}
	return finishDistGraph(ctx, c, sources.copied(), destinations.copied(), reorder, hosts)
}

func checkNeighbors(what string, n Neighbors, size int) error {
	for i, r := range n.Ranks {
		if r < 0 || r >= size {
			return wrong("%s[%d]: %w", what, i, wrongRank(r, size))
		}
	}
	return checkWeights(what, n.Weights, len(n.Ranks))
}

func checkWeights(what string, weights []int, edges int) error {
	if weights != nil && len(weights) != edges {
		return wrong("%d weights for %d %s", len(weights), edges, what)
	}
	for i, w := range weights {
		if w < 0 {
			return wrong("weight %d of %s is %d, want 0 or more", i, what, w)
		}
	}
	return nil
}

// weighedAlike returns an error on every rank unless all give weights, or none, for
// lists that are not empty, and all give the same reorder.
func weighedAlike(ctx context.Context, c *rank.Comm, reorder bool, lists ...[2][]int) error {
	said := []int{0, 0, 0, 0} // weights, no weights, Reorder, no Reorder
	for _, l := range lists {
		if len(l[0]) > 0 && l[1] != nil {
			said[0] = 1
		} else if len(l[0]) > 0 {
			said[1] = 1
		}
	}
	if reorder {
		said[2] = 1
	} else {
		said[3] = 1
	}
	if err := collectives.AllReduce(ctx, c, said, collectives.Max); err != nil {
		return err
	}
	switch {
	case said[0]+said[1] == 2:
		return wrongOnSome("weights")
	case said[2]+said[3] == 2:
		return wrongOnSome("Reorder")
	}
	return nil
}

// endsAgree returns an error if as many edges do not lead here from some rank as that
// rank says.
func endsAgree(ctx context.Context, c *rank.Comm, sources, destinations Neighbors) error {
	out, in := make([]int, c.Size()), make([]int, c.Size())
	for _, r := range destinations.Ranks {
		out[r]++
	}
	for _, r := range sources.Ranks {
		in[r]++
	}
	told, err := collectives.AllToAll(ctx, c, nil, out)
	if err != nil {
		return err
	}
	for r := range in {
		if in[r] != told[r] {
			return wrong("rank %d says that %d edges lead from it to rank %d, which says %d", r, told[r], c.Rank(), in[r])
		}
	}
	return nil
}

// copied returns n with memory of its own, and weights.
func (n Neighbors) copied() Neighbors {
	m := Neighbors{slices.Clone(n.Ranks), slices.Clone(n.Weights)}
	if m.Weights == nil {
		m.Weights = slices.Repeat([]int{1}, len(m.Ranks))
	}
	return m
}

// NewDistGraph returns the graph whose edges the ranks give together, each those that it
// knows of, wherever they are (MPI_Dist_graph_create). A rank's edges are in the order
// of the ranks that gave them, and then in which those did. All else is as with
// NewDistGraphAdjacent. Cost: an AllToAllV of the edges.
func NewDistGraph(ctx context.Context, c *rank.Comm, edges Edges, opts ...Option) (*DistGraph, error) {
	t, err := newDistGraph(ctx, c, edges, reorder(opts), hostsOf)
	if err != nil {
		return nil, fail("NewDistGraph", c, err)
	}
	return t, nil
}

// newDistGraph is NewDistGraph with the hosts that hosts says.
func newDistGraph(ctx context.Context, c *rank.Comm, edges Edges, reorder bool, hosts func(*rank.Comm) []int) (*DistGraph, error) {
	if err := usable(c); err != nil {
		return nil, err
	}
	if err := sound(ctx, c, checkEdges(edges, c.Size())); err != nil {
		return nil, err
	}
	if err := weighedAlike(ctx, c, reorder, [2][]int{edges.From, edges.Weights}); err != nil {
		return nil, err
	}
	sources, err := deliver(ctx, c, edges.To, edges.From, edges.Weights)
	if err != nil {
		return nil, err
	}
	destinations, err := deliver(ctx, c, edges.From, edges.To, edges.Weights)
	if err != nil {
		return nil, err
	}
	return finishDistGraph(ctx, c, sources, destinations, reorder, hosts)
}

func checkEdges(e Edges, size int) error {
	if len(e.From) != len(e.To) {
		return wrong("edges from %d ranks to %d", len(e.From), len(e.To))
	}
	for i := range e.From {
		for _, r := range []int{e.From[i], e.To[i]} {
			if r < 0 || r >= size {
				return wrong("edge %d, from %d to %d: %w", i, e.From[i], e.To[i], wrongRank(r, size))
			}
		}
	}
	return checkWeights("edges", e.Weights, len(e.From))
}

// deliver tells each rank which others[i] and weights[i] this rank has for it, those with
// at[i] its rank, and returns what all have for this one.
func deliver(ctx context.Context, c *rank.Comm, at, others, weights []int) (Neighbors, error) {
	from := collectives.Blocks{Counts: make([]int, c.Size())}
	order := straight(len(at))
	slices.SortStableFunc(order, func(i, j int) int { return at[i] - at[j] })
	var out []int
	for _, i := range order {
		w := 1
		if weights != nil {
			w = weights[i]
		}
		out = append(out, others[i], w)
		from.Counts[at[i]] += 2
	}
	if out == nil {
		out = []int{} // nil would be in place
	}
	got, _, err := collectives.AllToAllV(ctx, c, nil, out, collectives.Blocks{}, from)
	var n Neighbors
	for i := 0; i+1 < len(got); i += 2 {
		n.Ranks, n.Weights = append(n.Ranks, got[i]), append(n.Weights, got[i+1])
	}
	return n, err
}

// finishDistGraph makes the graph of which this rank's place has these edges. With
// reorder every rank learns of all edges, and finds the same places.
func finishDistGraph(ctx context.Context, c *rank.Comm, sources, destinations Neighbors, reorder bool, hosts func(*rank.Comm) []int) (*DistGraph, error) {
	t := new(DistGraph)
	h := hosts(c)
	at := straight(c.Size())
	if reorder && h != nil {
		in, err := gathered(ctx, c, sources)
		if err != nil {
			return nil, err
		}
		out, err := gathered(ctx, c, destinations)
		if err != nil {
			return nil, err
		}
		l := make(load, c.Size())
		for i, n := range out {
			for k, r := range n.Ranks {
				l.add(i, r, n.Weights[k])
			}
		}
		at = l.place(h)
		t.given, t.placed = l.between(h, straight(len(at))), l.between(h, at)
		here := slices.Index(at, c.Rank())
		sources, destinations = in[here], out[here]
	} else if h != nil {
		// Edges are the same in both directions, so each is counted where it begins.
		n := []int{0}
		for k, r := range destinations.Ranks {
			if h[r] != h[c.Rank()] {
				n[0] += destinations.Weights[k]
			}
		}
		if err := collectives.AllReduce(ctx, c, n, collectives.Sum); err != nil {
			return nil, err
		}
		t.given, t.placed = n[0], n[0]
	}
	comm, err := members(ctx, c, at)
	if err != nil {
		return nil, err
	}
	t.comm = comm
	t.in, t.sourceWeights = numbered(sources.Ranks), sources.Weights
	t.out, t.targetWeights = numbered(destinations.Ranks), destinations.Weights
	return t, structures.Set(comm, t)
}

// gathered tells every rank the lists of all.
func gathered(ctx context.Context, c *rank.Comm, n Neighbors) ([]Neighbors, error) {
	flat, blocks, err := collectives.AllGatherV(ctx, c, nil, slices.Concat([]int{}, n.Ranks, n.Weights), collectives.Blocks{})
	if err != nil {
		return nil, err
	}
	all := make([]Neighbors, c.Size())
	for r, k := range blocks.Counts {
		all[r] = Neighbors{flat[: k/2 : k/2], flat[k/2 : k : k]}
		flat = flat[k:]
	}
	return all, nil
}

func (t *DistGraph) on(c *rank.Comm) Topology {
	u := *t
	u.comm = c
	return &u
}

// Comm returns the communicator of the graph; nil of a nil DistGraph.
func (t *DistGraph) Comm() *rank.Comm {
	if t == nil {
		return nil
	}
	return t.comm
}

// Sources returns from whom edges lead to this rank, and their weights; the slices are
// the caller's.
func (t *DistGraph) Sources() Neighbors { return neighborsOf(t.in, t.sourceWeights) }

// Destinations returns to whom edges lead from this rank; as Sources.
func (t *DistGraph) Destinations() Neighbors { return neighborsOf(t.out, t.targetWeights) }

func neighborsOf(edges []collectives.Edge, weights []int) Neighbors {
	n := Neighbors{Ranks: make([]int, len(edges)), Weights: slices.Clone(weights)}
	for i, e := range edges {
		n.Ranks[i] = e.Rank
	}
	return n
}

// EdgesIn returns the edges that lead to this rank, in the order given.
func (t *DistGraph) EdgesIn() []collectives.Edge { return t.in }

// EdgesOut returns the edges that lead from this rank, in the order given.
func (t *DistGraph) EdgesOut() []collectives.Edge { return t.out }

// HostEdges returns what the edges weigh that join ranks of different hosts: as the graph
// was given, and as Reorder has placed it.
func (t *DistGraph) HostEdges() (given, placed int) { return t.given, t.placed }
