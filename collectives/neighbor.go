package collectives

import (
	"fmt"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Neighborhood is a communicator on which some ranks are joined by edges, as seen
// from one of them; package topology makes such. Neighbourhood calls carry a block
// along each edge, and the order of the blocks in a buffer is that of the edges (MPI
// 4.1 §8.6). All that is asked for stays as it is for as long as calls are made.
type Neighborhood interface {
	// Comm returns the communicator, nil on a rank that has no part.
	Comm() *rank.Comm
	// EdgesIn returns the edges along which this rank receives. The slice is the same
	// each time and is not changed.
	EdgesIn() []Edge
	// EdgesOut returns the edges along which this rank sends; as EdgesIn.
	EdgesOut() []Edge
}

// Edge is an edge as one of its ends sees it.
type Edge struct {
	// Rank is the other end, or rank.Null for an edge that leads nowhere: it has its
	// place in the order, and its block is neither sent nor written.
	Rank int
	// Pair tells edges from one rank to another apart. Both ends of an edge give the
	// same, from 0 to MaxPair.
	Pair int
}

// MaxPair is the largest Pair of an Edge.
const MaxPair = 1<<messageBits - 1

// edges tells neighbourhoods apart, by their lists.
type edges struct {
	in, out   *Edge
	nin, nout int
}

// over begins the plan of a neighbourhood call, and returns the edges of n.
func (p *plan[T]) over(n Neighborhood, name string, op schedule.Operation, opts []Option) (in, out []Edge) {
	var c *rank.Comm
	if n != nil {
		c = n.Comm()
	}
	p.begin(c, name, op, opts)
	p.refuseAcross()
	if p.err != nil {
		return nil, nil
	}
	p.call.From.Counts = []int{} // each edge has its own
	if p.set.using != "" {
		p.refuse("algorithm %q; neighbourhood calls have none to choose from", p.set.using)
	}
	in, out = n.EdgesIn(), n.EdgesOut()
	for _, list := range [][]Edge{in, out} {
		for i, e := range list {
			if e.Rank != rank.Null && (e.Rank < 0 || e.Rank >= p.call.Size) {
				p.refuse("edge %d of the neighborhood leads to rank %d, legal are 0 to %d and Null", i, e.Rank, p.call.Size-1)
			}
			if e.Pair < 0 || e.Pair > MaxPair {
				p.refuse("Pair of edge %d of the neighborhood is %d, legal are 0 to %d", i, e.Pair, MaxPair)
			}
		}
	}
	return in, out
}

// buffers gives the plan dst and src, which must not share elements: each block of src
// may still be on its way when the last of dst comes.
func (p *plan[T]) buffers(dst, src []T) {
	if p.sameOrApart(dst, src) && p.err == nil {
		p.err = fmt.Errorf("%w: %w: src is dst, and neighbourhood calls are not made in place", rank.ErrArgument, ErrOverlap)
	}
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
}

// along gives the plan its steps: what from says of src goes out along the i-th edge
// of out, and what comes along the i-th of in goes where to says in dst. Blocks
// without elements travel too, so that a length of which the two ends think
// differently is an error and no wait.
func (p *plan[T]) along(in, out []Edge, to, from func(i int) schedule.Span) {
	if p.err != nil {
		return
	}
	s := &schedule.Schedule{Call: p.call, Steps: make([]schedule.Step, 0, len(in)+len(out))}
	for i, e := range in {
		if e.Rank != rank.Null {
			s.Steps = append(s.Steps, schedule.Step{Kind: schedule.RecvFrom, Peer: e.Rank, Number: e.Pair, Dst: to(i)})
		}
	}
	for i, e := range out {
		if e.Rank != rank.Null {
			s.Steps = append(s.Steps, schedule.Step{Kind: schedule.SendTo, Peer: e.Rank, Number: e.Pair, A: from(i)})
		}
	}
	p.ready = compile(s, "")
}

// alongEqual is along where all blocks have p.call.Count elements. The steps are
// kept for calls to come.
func (p *plan[T]) alongEqual(in, out []Edge, from func(i int) schedule.Span) {
	if p.err != nil {
		return
	}
	s, err := stateOf(p.c)
	if err != nil {
		p.err = err
		return
	}
	n := p.call.Count
	to := func(i int) schedule.Span { return schedule.Span{Buf: schedule.Out, Off: i * n, Len: n} }
	k := key{op: p.call.Op, count: n, edges: edges{unsafe.SliceData(in), unsafe.SliceData(out), len(in), len(out)}}
	if k.edges.nin+k.edges.nout == 0 {
		p.along(in, out, to, from) // nothing, and the key would be another call's
		return
	}
	if p.ready = s.kept(k); p.ready == nil {
		p.along(in, out, to, from)
		s.keep(k, p.ready)
	}
}
