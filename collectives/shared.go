package collectives

import (
	"context"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

// sharedName is what Using and explain call the forms in shared memory.
const sharedName = tune.SharedForm

// sharing is a blocking call being carried out in the ranks' shared memory.
type sharing[T any] struct {
	*plan[T]
	ctx   context.Context
	r     *run
	m     *memory
	h     *halves
	print uint64
	room  int // elements of a region

	// Regions of the round: rank r's begins at base[r·stride+lead].
	base         []byte
	stride, lead int
}

// share carries the call out in shared memory; false if it does not go that way, on any
// rank, and nothing was sent then but what settles that.
func (p *plan[T]) share(ctx context.Context, s *state, r *run) (done bool, err error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if size == 0 || s.below.Memory == nil || s.below.Hosts != nil || s.memory.stage == none ||
		p.set.using != "" && p.set.using != sharedName || p.ready != nil ||
		p.call.Op == schedule.AllToAll && (p.call.From.Counts != nil || p.call.To.Counts != nil) {
		return false, nil
	}
	length := p.roundLength()
	if p.set.using == "" && !s.sharingOf(p.call.Op, p.class()).At(tune.Bytes(&p.call, size)) {
		return false, nil
	}
	r.call = p.describe(r, blocking, sharedName)
	if err := s.number(r); err != nil {
		s.done(r)
		return true, err
	}
	defer s.done(r)
	m := &s.memory
	if err := r.settleMemory(ctx, length*size); err != nil {
		return true, err
	}
	x := &boxOf[T](r).sharing
	x.plan, x.ctx, x.r, x.m, x.h, x.print = p, ctx, r, m, &m.small, r.print
	switch {
	case m.stage == none:
		return false, nil
	case m.p == 2 && length*size <= m.inline.room:
		x.h = &m.inline
	case m.stage == whole && length*size > m.small.room:
		x.h = &m.large
	}
	x.room = x.h.room / size
	if blocks := p.call.Op == schedule.AllToAll || p.call.Op == schedule.ReduceScatter; x.room == 0 || blocks && x.room < p.call.Size {
		return false, nil
	}
	r.naps = 0
	if t := x.flows(); t != nil {
		err = x.flow(t)
	} else {
		x.settle()
		err = x.carryOut()
	}
	if err == errUnequal {
		err = r.explain(ctx)
	}
	return true, err
}

// roundLength is how many elements a rank brings to a region where there is room.
func (p *plan[T]) roundLength() int {
	switch p.call.Op {
	case schedule.Barrier:
		return 0
	case schedule.AllToAll, schedule.ReduceScatter:
		return p.longest() * p.call.Size
	}
	return p.longest()
}

// longest is the length of the vector or of the longest block.
func (p *plan[T]) longest() int {
	n := p.call.Count
	for _, k := range p.call.Of.Counts {
		n = max(n, k)
	}
	return n
}

// carryOut carries the call out in rounds. Errors: those of memory.barrier.
func (x *sharing[T]) carryOut() error {
	switch x.call.Op {
	case schedule.Barrier:
		err := x.meet()
		x.turn() // the next call may have another fingerprint
		return err
	case schedule.Bcast:
		return x.bcast()
	case schedule.Gather, schedule.AllGather:
		return x.gather()
	case schedule.Scatter:
		return x.scatter()
	case schedule.AllToAll:
		return x.allToAll()
	case schedule.Reduce, schedule.AllReduce:
		if x.call.Count <= x.together() {
			return x.reduceTogether()
		}
		return x.reduceApart()
	case schedule.ReduceScatter:
		return x.reduceScatter()
	}
	return x.scan()
}

// meet ends the writing of a round: when it returns all have written, and what
// they write next goes to the other half.
func (x *sharing[T]) meet() error { return x.m.barrier(x.ctx, x.r, x.print) }

// turn begins the next round.
func (x *sharing[T]) turn() {
	x.m.half ^= 1
	x.settle()
}

// settle says where the regions of the round are.
func (x *sharing[T]) settle() { x.base, x.stride, x.lead = x.h.base[x.m.half], x.h.stride, 0 }

// part returns n elements of rank r's region from off on. Before the barrier of a round
// they are r's to write, behind it everybody's to read. Regions begin at multiples of
// eight bytes, so any T is aligned.
func (x *sharing[T]) part(r, off, n int) []T {
	b := x.base[r*x.stride+x.lead:]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), off+n)[off:]
}

// at returns the memory of a span.
func (x *sharing[T]) at(s schedule.Span) []T {
	if s.Len == 0 {
		return nil // wherever a block of no elements says that it is
	}
	return x.mem[s.Buf][s.Off : s.Off+s.Len]
}

func (x *sharing[T]) bcast() error {
	buf := x.at(x.call.Output())
	// The root writes one round while the others read the one before.
	for off := 0; off == 0 || off < len(buf); off += x.room {
		n := min(x.room, len(buf)-off)
		if x.isRoot() {
			copy(x.part(0, 0, n), buf[off:off+n])
		}
		if err := x.meet(); err != nil {
			return err
		}
		if !x.isRoot() {
			copy(buf[off:off+n], x.part(0, 0, n))
		}
		x.turn()
	}
	return nil
}

// gather is Gather and AllGather. Who reads begins with its own region, so that not all
// read the same at a time.
func (x *sharing[T]) gather() error {
	me, all := x.call.Rank, x.call.Op == schedule.AllGather
	own := x.at(x.call.Input())
	for off, end := 0, x.longest(); off == 0 || off < end; off += x.room {
		if n := min(x.room, len(own)-off); n > 0 {
			copy(x.part(me, 0, n), own[off:off+n])
		}
		if err := x.meet(); err != nil {
			return err
		}
		if all || x.isRoot() {
			for k := range x.call.Size {
				from := (me + k) % x.call.Size
				if n := min(x.room, x.call.BlockLen(from)-off); n > 0 && (from != me || !x.call.InPlace) {
					copy(x.at(x.call.Block(from))[off:off+n], x.part(from, 0, n))
				}
			}
		}
		x.turn()
	}
	return nil
}

// scatter has the root write each rank's part to the region of that rank.
func (x *sharing[T]) scatter() error {
	me := x.call.Rank
	own := x.at(x.call.Output())
	for off, end := 0, x.longest(); off == 0 || off < end; off += x.room {
		if x.isRoot() {
			for to := range x.call.Size {
				if n := min(x.room, x.call.BlockLen(to)-off); n > 0 && to != me {
					copy(x.part(to, 0, n), x.at(x.call.Block(to))[off:off+n])
				}
			}
		}
		if err := x.meet(); err != nil {
			return err
		}
		n := min(x.room, len(own)-off)
		switch {
		case n <= 0 || x.isRoot() && x.call.InPlace:
		case x.isRoot():
			copy(own[off:off+n], x.at(x.call.Block(me))[off:off+n])
		default:
			copy(own[off:off+n], x.part(me, 0, n))
		}
		x.turn()
	}
	return nil
}

// allToAll has each rank cut its region into a piece for every other.
func (x *sharing[T]) allToAll() error {
	me, p := x.call.Rank, x.call.Size
	piece := x.room / p
	for off := 0; off == 0 || off < x.call.Count; off += piece {
		n := min(piece, x.call.Count-off)
		for to := range p {
			copy(x.part(me, to*piece, n), x.at(x.call.FromBlock(to))[off:off+n])
		}
		if err := x.meet(); err != nil {
			return err
		}
		for k := range p {
			from := (me + k) % p
			copy(x.at(x.call.ToBlock(from))[off:off+n], x.part(from, me*piece, n))
		}
		x.turn()
	}
	return nil
}
