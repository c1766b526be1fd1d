package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Gather brings the ranks' src together at the root, in rank order, and returns
// them there; elsewhere it returns dst as it is (MPI_Gather, MPI 4.1 §6.5). len(src)
// is the same on all ranks. At the root dst has p·len(src) elements, or is nil and
// is made; a nil src at the root, or its own block of dst, says that its part is
// there already. Other ranks may give any dst.
func Gather[T any](ctx context.Context, c *rank.Comm, root int, dst, src []T, opts ...Option) ([]T, error) {
	p := gather(c, root, dst, src, opts)
	err := p.do(ctx)
	return p.large(dst), err
}

// IGather starts a Gather; at the root dst must not be nil (MPI_Igather).
func IGather[T any](c *rank.Comm, root int, dst, src []T, opts ...Option) rank.Request {
	p := gather(c, root, dst, src, opts)
	p.given(dst)
	return p.start()
}

// GatherInit makes a persistent Gather; as IGather (MPI_Gather_init).
func GatherInit[T any](c *rank.Comm, root int, dst, src []T, opts ...Option) *rank.Persistent {
	p := gather(c, root, dst, src, opts)
	p.given(dst)
	return p.persist()
}

// GatherV is Gather of blocks of different lengths (MPI_Gatherv). All ranks give the
// Counts of blocks, or none does and they are exchanged, which costs a call more;
// Displs only count at the root. It returns the blocks too, as they lie in the
// result. At the root dst may be longer than they need.
func GatherV[T any](ctx context.Context, c *rank.Comm, root int, dst, src []T, blocks Blocks, opts ...Option) ([]T, Blocks, error) {
	if blocks.Counts == nil && !crosses(c) {
		var err error
		if blocks.Counts, err = exchangeCounts(ctx, c, "GatherV", len(src), opts); err != nil {
			return dst, blocks, err
		}
	}
	p := gatherV(c, root, dst, src, blocks, opts)
	err := p.do(ctx)
	return p.large(dst), blocks, err
}

// IGatherV starts a GatherV. All ranks give the Counts, and the root dst
// (MPI_Igatherv).
func IGatherV[T any](c *rank.Comm, root int, dst, src []T, blocks Blocks, opts ...Option) rank.Request {
	p := gatherV(c, root, dst, src, blocks, opts)
	p.given(dst)
	return p.start()
}

// GatherVInit makes a persistent GatherV; as IGatherV (MPI_Gatherv_init).
func GatherVInit[T any](c *rank.Comm, root int, dst, src []T, blocks Blocks, opts ...Option) *rank.Persistent {
	p := gatherV(c, root, dst, src, blocks, opts)
	p.given(dst)
	return p.persist()
}

func gather[T any](c *rank.Comm, root int, dst, src []T, opts []Option) (p plan[T]) {
	if crosses(c) {
		return gatherAcross(c, "Gather", root, dst, src, Blocks{}, opts)
	}
	p.begin(c, "Gather", schedule.Gather, opts)
	p.rooted(root)
	if p.err != nil {
		return p
	}
	n := len(src)
	if p.isRoot() && src == nil {
		if n = len(dst) / p.call.Size; n*p.call.Size != len(dst) {
			p.refuse("dst has %d elements, which %d ranks do not divide", len(dst), p.call.Size)
		}
	}
	p.call.Count = n
	p.gathered(dst, src, n*p.call.Size, false)
	return p
}

func gatherV[T any](c *rank.Comm, root int, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	if crosses(c) {
		return gatherAcross(c, "GatherV", root, dst, src, blocks, opts)
	}
	p.begin(c, "GatherV", schedule.Gather, opts)
	p.rooted(root)
	if !p.isRoot() {
		blocks.Displs = nil
	}
	n := p.divided(blocks, true)
	p.gathered(dst, src, n, true)
	return p
}

// gathered gives the plan its buffers; the root's has n elements, or with more perhaps
// more.
func (p *plan[T]) gathered(dst, src []T, n int, more bool) {
	if p.err != nil {
		return
	}
	if p.isRoot() {
		dst = p.fit(dst, n, "dst", more)
		if p.err != nil {
			return
		}
		p.mem[schedule.Out] = dst
		p.owned(dst, src)
	}
	p.ownBlock(src)
}

// owned notes whether this rank's own block of dst is its src.
func (p *plan[T]) owned(dst, src []T) {
	at := p.call.Block(p.call.Rank)
	p.call.InPlace = src == nil || p.err == nil && at.Len > 0 && len(src) == at.Len && &dst[at.Off] == &src[0]
	if !p.call.InPlace {
		p.sameOrApart(dst, src)
	}
}

// ownBlock gives the plan this rank's block, which it sends.
func (p *plan[T]) ownBlock(src []T) {
	if want := p.call.BlockLen(p.call.Rank); !p.call.InPlace && len(src) != want {
		p.refuse("src has %d elements, want %d", len(src), want)
	}
	p.mem[schedule.In] = src
}

// large returns the buffer that the call has made, or dst where it has made none.
func (p *plan[T]) large(dst []T) []T {
	switch {
	case p.result != nil:
		return p.result
	case dst == nil:
		return p.mem[schedule.Out]
	}
	return dst
}

// given refuses a buffer that would have to be made: who started a call would never
// see it.
func (p *plan[T]) given(dst []T) {
	if dst == nil && p.err == nil && len(p.mem[schedule.Out]) > 0 {
		p.refuse("dst is nil, which only calls that return it make")
	}
}
