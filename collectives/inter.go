package collectives

import (
	"fmt"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// Root is what the root of a call on an intercommunicator gives as root. The other
// ranks of its group give rank.Null, and those of the other group its rank there
// (MPI_ROOT, MPI_PROC_NULL, MPI 4.1 §6.2.3).
const Root = -4

// On an intercommunicator data goes from one group to the other: each rank gets what
// the ranks of the other group give. What a call does there is a schedule as well, in
// which this group's ranks are called 0 to L−1 and the other's L to L+R−1; what a
// group does among itself is one of the usual algorithms, led by its rank 0.

// inter is this rank's view of a call on an intercommunicator.
type inter struct {
	*schedule.Schedule
	me, local, remote int
}

// across gives the plan a schedule that build writes.
func (p *plan[T]) across(build func(x *inter)) {
	if p.err != nil {
		return
	}
	x := &inter{Schedule: schedule.New(p.call), me: p.c.Rank(), local: p.c.Size(), remote: p.c.RemoteSize()}
	build(x)
	p.ready = compile(x.Schedule, "")
}

// cross begins the plan of a call on an intercommunicator.
func (p *plan[T]) cross(c *rank.Comm, name string, op schedule.Operation, opts []Option) {
	p.begin(c, name, op, opts)
	p.call.Root = -1
	if p.set.using != "" {
		p.refuse("no algorithm can be chosen on an intercommunicator, and %q is", p.set.using)
	}
}

// crosses reports whether c is an intercommunicator.
func crosses(c *rank.Comm) bool { return c != nil && c.IsInter() }

// refuseAcross refuses intercommunicators, for calls that there are none of.
func (p *plan[T]) refuseAcross() {
	if crosses(p.c) && p.err == nil {
		p.err = fmt.Errorf("%w: %s has an intercommunicator", rank.ErrComm, p.name)
	}
}

// refuseInPlace refuses a call without a source: on an intercommunicator what a rank
// gives and what it gets are different things (SEMANTICS 37).
func (p *plan[T]) refuseInPlace(dst, src []T) {
	if src == nil && len(dst) > 0 || p.sameOrApart(dst, src) {
		p.refuse("no call is in place on an intercommunicator")
	}
}

// other is what the schedule calls rank r of the other group.
func (x *inter) other(r int) int { return x.local + r }

// within runs one of the usual algorithms among this group, with rank 0 as its root.
func (x *inter) within(op schedule.Operation, count int) {
	c := schedule.Call{Op: op, Rank: x.me, Size: x.local, Count: count}
	a, _ := algo.Find(op, "binomial")
	a.Build(x.Schedule, &c)
}

// part is what a rank has in a rooted call on an intercommunicator.
type part uint8

const (
	aside   part = iota // a member of the root's group
	asRoot              // the root
	onOther             // a member of the other group
)

// crossRoot returns this rank's part, and refuses a root that there is not.
func (p *plan[T]) crossRoot(root int) part {
	switch {
	case root == Root:
		return asRoot
	case root == rank.Null:
		return aside
	case p.err == nil && (root < 0 || root >= p.c.RemoteSize()):
		p.err = fmt.Errorf("%w: root %d, legal on an intercommunicator are Root, rank.Null and 0 to %d of the other group", rank.ErrRank, root, p.c.RemoteSize()-1)
	}
	return onOther
}

// barrierAcross is one message between the groups each way: more would say no more.
func barrierAcross(c *rank.Comm, opts []Option) (p plan[byte]) {
	p.cross(c, "Barrier", schedule.Barrier, opts)
	p.across(func(x *inter) {
		tokens := x.Scratch(x.local + 1)
		mine := tokens.Part(x.me, 1)
		// All tell the leader, the leaders tell each other, and each its own.
		if x.me != 0 {
			x.Send(0, mine)
			x.Recv(0, mine)
			return
		}
		for r := 1; r < x.local; r++ {
			x.Recv(r, tokens.Part(r, 1))
		}
		x.Send(x.other(0), tokens.Part(0, 1))
		x.Recv(x.other(0), tokens.Part(0, 1))
		for r := 1; r < x.local; r++ {
			x.Copy(tokens.Part(r, 1), tokens.Part(0, 1)) // so that what goes out waits for what came
			x.Send(r, tokens.Part(r, 1))
		}
	})
	return p
}

// bcastAcross sends the vector from the root to the other group's leader, and there on.
func bcastAcross[T any](c *rank.Comm, root int, buf []T, opts []Option) (p plan[T]) {
	p.cross(c, "Bcast", schedule.Bcast, opts)
	part := p.crossRoot(root)
	p.call.Count = len(buf)
	p.mem[schedule.Out] = buf
	p.across(func(x *inter) {
		all := schedule.Span{Buf: schedule.Out, Len: len(buf)}
		switch {
		case part == asRoot:
			x.Send(x.other(0), all)
		case part == onOther:
			if x.me == 0 {
				x.Recv(x.other(root), all)
			}
			x.within(schedule.Bcast, len(buf))
		}
	})
	return p
}

// gatherAcross has every rank of the other group send to the root itself: a leader in
// between would have to know how long their blocks are.
func gatherAcross[T any](c *rank.Comm, name string, root int, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	p.cross(c, name, schedule.Gather, opts)
	part := p.crossRoot(root)
	if part == asRoot {
		blocks, dst = p.remoteBlocks(dst, blocks, true)
		p.mem[schedule.Out] = dst
	} else {
		p.mem[schedule.In] = src
	}
	p.call.Count = -1
	p.across(func(x *inter) {
		switch part {
		case asRoot:
			block := spans(schedule.Out, blocks)
			for r := range x.remote {
				x.Recv(x.other(r), block(r))
			}
		case onOther:
			x.Send(x.other(root), schedule.Span{Buf: schedule.In, Len: len(src)})
		}
	})
	return p
}

// scatterAcross is gatherAcross the other way.
func scatterAcross[T any](c *rank.Comm, name string, root int, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	p.cross(c, name, schedule.Scatter, opts)
	part := p.crossRoot(root)
	if part == asRoot {
		blocks, src = p.remoteBlocks(src, blocks, false)
		p.mem[schedule.In] = src
	} else {
		p.mem[schedule.Out] = dst
	}
	p.call.Count = -1
	p.across(func(x *inter) {
		switch part {
		case asRoot:
			block := spans(schedule.In, blocks)
			for r := range x.remote {
				x.Send(x.other(r), block(r))
			}
		case onOther:
			x.Recv(x.other(root), schedule.Span{Buf: schedule.Out, Len: len(dst)})
		}
	})
	return p
}

// allGatherAcross has every rank send its block to all of the other group. Each begins
// with another, so that no rank is everybody's first.
func allGatherAcross[T any](c *rank.Comm, name string, dst, src []T, blocks Blocks, opts []Option) (p plan[T]) {
	p.cross(c, name, schedule.AllGather, opts)
	if p.err == nil && dst == nil && blocks.Counts == nil {
		// The other group's blocks are as long as this one's unless dst says otherwise.
		dst = make([]T, len(src)*c.RemoteSize())
	}
	blocks, dst = p.remoteBlocks(dst, blocks, true)
	p.refuseInPlace(dst, src)
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
	p.call.Count = -1
	p.across(func(x *inter) {
		block := spans(schedule.Out, blocks)
		for k := range x.remote {
			r := (x.me + k) % x.remote
			x.Recv(x.other(r), block(r))
		}
		for k := range x.remote {
			r := (x.me + k) % x.remote
			x.Send(x.other(r), schedule.Span{Buf: schedule.In, Len: len(src)})
		}
	})
	return p
}

// allToAllAcross is allGatherAcross with another block for each.
func allToAllAcross[T any](c *rank.Comm, name string, dst, src []T, to, from Blocks, opts []Option) (p plan[T]) {
	p.cross(c, name, schedule.AllToAll, opts)
	if p.err == nil && dst == nil && to.Counts == nil {
		dst = make([]T, len(src))
	}
	p.refuseInPlace(dst, src)
	to, dst = p.remoteBlocks(dst, to, true)
	from, src = p.remoteBlocks(src, from, false)
	p.mem[schedule.In], p.mem[schedule.Out] = src, dst
	p.call.Count = -1
	p.across(func(x *inter) { x.exchange(to, from) })
	return p
}

// allToAllWAcross is allToAllAcross of the elements of views, of as many as the other
// group has ranks.
func allToAllWAcross[T any](c *rank.Comm, dst, src []datatype.View[T], opts []Option) (p plan[T]) {
	p.cross(c, "AllToAllW", schedule.AllToAll, opts)
	if p.err != nil {
		return p
	}
	n := c.RemoteSize()
	from, to := p.packed(dst, src, n, n)
	p.call.Count = -1
	p.across(func(x *inter) { x.exchange(Blocks{Counts: to}, Blocks{Counts: from}) })
	return p
}

// exchange sends the blocks of In to the ranks of the other group, and receives theirs
// into Out.
func (x *inter) exchange(to, from Blocks) {
	comes, goes := spans(schedule.Out, to), spans(schedule.In, from)
	for k := range x.remote {
		r := (x.me + k) % x.remote
		x.Recv(x.other(r), comes(r))
	}
	for k := range x.remote {
		r := (x.me + k) % x.remote
		x.Send(x.other(r), goes(r))
	}
}

// remoteBlocks returns b, or equal blocks for the ranks of the other group, and the
// buffer that it divides.
func (p *plan[T]) remoteBlocks(buf []T, b Blocks, written bool) (Blocks, []T) {
	if p.err != nil {
		return b, buf
	}
	n := p.c.RemoteSize()
	if b.Counts == nil {
		if buf == nil && written {
			p.refuse("dst is nil and there are no Counts: how much the other group gives is not known here")
			return b, buf
		}
		if len(buf)%n != 0 {
			p.refuse("%d elements, which the other group's %d ranks do not divide", len(buf), n)
			return b, buf
		}
		b.Counts = make([]int, n)
		for r := range b.Counts {
			b.Counts[r] = len(buf) / n
		}
	}
	need, err := extent(b, n, written)
	if err != nil {
		p.err = err
		return b, buf
	}
	if buf == nil && written {
		buf = make([]T, need)
	}
	if len(buf) < need {
		p.refuse("%d elements for blocks of %d", len(buf), need)
	}
	return b, buf
}
