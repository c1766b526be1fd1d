package topology

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Option is how a topology is made. All ranks must give the same.
type Option uint8

// Reorder lets ranks change places, so that neighbours are on one host where that is
// possible. Without it rank r of the communicator given has place r.
const Reorder Option = 1

func reorder(opts []Option) bool { return slices.Contains(opts, Reorder) }

// Topology is what Cart, Graph and DistGraph have in common.
type Topology interface {
	collectives.Neighborhood
	// on returns the topology with c, whose ranks are the same, as communicator.
	on(c *rank.Comm) Topology
}

// structures are the topologies of communicators.
var structures = rank.NewKey(rank.KeyHooks[Topology]{
	Copy: func(_, dup *rank.Comm, t Topology) (Topology, bool, error) { return t.on(dup), true, nil },
})

// Of returns the topology that c has because it is the communicator of one, or a
// duplicate of such: a *Cart, *Graph or *DistGraph; nil if it has none.
func Of(c *rank.Comm) Topology {
	t, _ := structures.Get(c)
	return t
}

// fail makes the error of the call op on c, an *rank.Error, and does what c's policy says.
func fail(op string, c *rank.Comm, err error) error {
	e := &rank.Error{Op: op, Comm: "nil", Rank: rank.Undefined, Peer: rank.Null, Tag: rank.AnyTag, Err: err}
	if c != nil {
		e.Comm, e.Rank = c.Name(), c.Rank()
		if c.ErrorPolicy() == rank.AbortOnError {
			c.Abort(1, e.Error())
		}
	}
	return e
}

// usable returns an error unless c can get a topology.
func usable(c *rank.Comm) error {
	switch {
	case c == nil:
		return fmt.Errorf("%w: it is nil", rank.ErrComm)
	case c.IsInter():
		return fmt.Errorf("%w: it is an intercommunicator, and places are given to the ranks of one group", rank.ErrComm)
	}
	return nil
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{rank.ErrArgument}, args...)...)
}

// hostsOf returns the numbers of the hosts of c's ranks; nil if all are on one.
func hostsOf(c *rank.Comm) []int {
	if b := c.Below(); b != nil {
		return b.Hosts
	}
	return nil
}

// alike returns an error on every rank if the ranks of c differ in args.
func alike(ctx context.Context, c *rank.Comm, args ...[]int) error {
	h := fnv.New64a()
	for _, list := range args {
		for _, v := range append([]int{len(list)}, list...) {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
		}
	}
	prints, err := collectives.AllGather(ctx, c, nil, []uint64{h.Sum64()})
	if err != nil {
		return err
	}
	for r, p := range prints {
		if p != prints[0] {
			return fmt.Errorf("%w: rank %d gives other arguments than rank 0", rank.ErrMismatch, r)
		}
	}
	return nil
}

// sound returns err, or where it is nil an error if another rank has one.
func sound(ctx context.Context, c *rank.Comm, err error) error {
	first := []int{c.Size()}
	if err != nil {
		first[0] = c.Rank()
	}
	if lost := collectives.AllReduce(ctx, c, first, collectives.Min); lost != nil {
		return lost
	}
	if err == nil && first[0] < c.Size() {
		err = wrong("rank %d was given what is wrong, and says what", first[0])
	}
	return err
}

// members returns the communicator of the ranks of c whose places are at, by place;
// nil on a rank that has none.
func members(ctx context.Context, c *rank.Comm, at []int) (*rank.Comm, error) {
	place := slices.Index(at, c.Rank())
	if place < 0 {
		return c.Split(ctx, rank.Undefined, 0)
	}
	return c.Split(ctx, 0, place)
}

// straight returns the places without reordering: rank i has place i.
func straight(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

func wrongOnSome(what string) error {
	return fmt.Errorf("%w: some ranks give %s and others do not", rank.ErrMismatch, what)
}
