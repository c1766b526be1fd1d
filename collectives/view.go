package collectives

import (
	"context"
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// Calls on views are those on slices whose elements lie as a View says, a block of a
// matrix for example. The elements are copied together on the way, and apart where they
// arrive.

// BcastView is Bcast of the elements of v, which are as many on all ranks. On ranks that
// receive v must not name an element twice. Errors: as Bcast, and those of v.
func BcastView[T any](ctx context.Context, c *rank.Comm, root int, v datatype.View[T], opts ...Option) error {
	p := bcastView(c, root, v, opts)
	return p.do(ctx)
}

// IBcastView starts a BcastView. What v names is read now and written when the Request
// completes.
func IBcastView[T any](c *rank.Comm, root int, v datatype.View[T], opts ...Option) rank.Request {
	p := bcastView(c, root, v, opts)
	return p.start()
}

// BcastViewInit makes a persistent BcastView; as IBcastView at each Start.
func BcastViewInit[T any](c *rank.Comm, root int, v datatype.View[T], opts ...Option) *rank.Persistent {
	p := bcastView(c, root, v, opts)
	return p.persist()
}

func bcastView[T any](c *rank.Comm, root int, v datatype.View[T], opts []Option) plan[T] {
	room := make([]T, v.Len())
	p := bcast(c, root, room, opts)
	p.standFor(v, room, true)
	return p
}

// ReduceView is Reduce of the elements of v in place; as BcastView.
func ReduceView[T any](ctx context.Context, c *rank.Comm, root int, v datatype.View[T], op Operation[T], opts ...Option) error {
	p := reduceView(c, root, v, op, opts)
	return p.do(ctx)
}

// IReduceView starts a ReduceView; as IBcastView.
func IReduceView[T any](c *rank.Comm, root int, v datatype.View[T], op Operation[T], opts ...Option) rank.Request {
	p := reduceView(c, root, v, op, opts)
	return p.start()
}

// ReduceViewInit makes a persistent ReduceView; as IBcastView at each Start.
func ReduceViewInit[T any](c *rank.Comm, root int, v datatype.View[T], op Operation[T], opts ...Option) *rank.Persistent {
	p := reduceView(c, root, v, op, opts)
	return p.persist()
}

func reduceView[T any](c *rank.Comm, root int, v datatype.View[T], op Operation[T], opts []Option) plan[T] {
	room := make([]T, v.Len())
	p := reduce(c, root, room, op, opts)
	p.standFor(v, room, crosses(c) || c != nil && c.Rank() == root)
	return p
}

// AllReduceView is AllReduce of the elements of v in place; as BcastView.
func AllReduceView[T any](ctx context.Context, c *rank.Comm, v datatype.View[T], op Operation[T], opts ...Option) error {
	p := allReduceView(c, v, op, opts)
	return p.do(ctx)
}

// IAllReduceView starts an AllReduceView; as IBcastView.
func IAllReduceView[T any](c *rank.Comm, v datatype.View[T], op Operation[T], opts ...Option) rank.Request {
	p := allReduceView(c, v, op, opts)
	return p.start()
}

// AllReduceViewInit makes a persistent AllReduceView; as IBcastView at each Start.
func AllReduceViewInit[T any](c *rank.Comm, v datatype.View[T], op Operation[T], opts ...Option) *rank.Persistent {
	p := allReduceView(c, v, op, opts)
	return p.persist()
}

func allReduceView[T any](c *rank.Comm, v datatype.View[T], op Operation[T], opts []Option) plan[T] {
	room := make([]T, v.Len())
	p := allReduce(c, room, nil, op, opts)
	p.standFor(v, room, true)
	return p
}

// GatherView is GatherV of the elements of src, of any number on each rank, to where
// the root's views say: what rank r gives goes to dst[r], which has as many elements.
// Other ranks may give any dst. It costs a call more, to tell the lengths. No element of
// dst may be named twice.
func GatherView[T any](ctx context.Context, c *rank.Comm, root int, dst []datatype.View[T], src datatype.View[T], opts ...Option) error {
	p, err := gatherView(ctx, c, root, dst, src, opts)
	if err != nil {
		return err
	}
	return p.do(ctx)
}

func gatherView[T any](ctx context.Context, c *rank.Comm, root int, dst []datatype.View[T], src datatype.View[T], opts []Option) (p plan[T], err error) {
	if crosses(c) {
		p.begin(c, "GatherView", schedule.Gather, opts)
		p.refuseAcross()
		return p, nil
	}
	counts, err := exchangeCounts(ctx, c, "GatherView", src.Len(), opts)
	if err != nil {
		return p, err
	}
	own := make([]T, src.Len())
	p = gatherV(c, root, nil, own, Blocks{Counts: counts}, opts)
	p.name = "GatherView"
	p.standFor(src, own, false)
	if p.err == nil && p.isRoot() {
		dst = slices.Clone(dst)
		p.matches(dst, counts, "dst")
		all := p.mem[schedule.Out]
		p.unpack = func() { takeApart(dst, all) }
	}
	return p, nil
}

// ScatterView is ScatterV of the elements that the root's views name: those of src[r]
// go to rank r, to where its dst says, which has as many elements. Other ranks may give
// any src. It costs a call more, to tell the lengths. dst must not name an element
// twice.
func ScatterView[T any](ctx context.Context, c *rank.Comm, root int, dst datatype.View[T], src []datatype.View[T], opts ...Option) error {
	p, err := scatterView(ctx, c, root, dst, src, opts)
	if err != nil {
		return err
	}
	return p.do(ctx)
}

func scatterView[T any](ctx context.Context, c *rank.Comm, root int, dst datatype.View[T], src []datatype.View[T], opts []Option) (p plan[T], err error) {
	if crosses(c) {
		p.begin(c, "ScatterView", schedule.Scatter, opts)
		p.refuseAcross()
		return p, nil
	}
	counts, err := exchangeCounts(ctx, c, "ScatterView", dst.Len(), opts)
	if err != nil {
		return p, err
	}
	own, all := make([]T, dst.Len()), []T(nil)
	if c.Rank() == root {
		n := 0
		for _, k := range counts {
			n += k
		}
		all = make([]T, n)
	}
	p = scatterV(c, root, own, all, Blocks{Counts: counts}, opts)
	p.name = "ScatterView"
	p.standFor(dst, own, true)
	p.pack = nil
	if p.err == nil && p.isRoot() {
		src = slices.Clone(src)
		p.matches(src, counts, "src")
		p.pack = func() { putTogether(all, src) }
	}
	return p, nil
}

// matches refuses views that are not as long as the ranks' counts.
func (p *plan[T]) matches(views []datatype.View[T], counts []int, what string) {
	lengths, _ := p.lengths(views, p.call.Size, what, what == "dst")
	for r, n := range lengths {
		if n != counts[r] {
			p.refuse("%s[%d] has %d elements, and rank %d's has %d", what, r, n, r, counts[r])
		}
	}
}
