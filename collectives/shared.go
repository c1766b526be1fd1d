package collectives

import (
	"context"
	"math/bits"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// sharedName is what Using and explain call the forms in shared memory.
const sharedName = "shared-memory"

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

// share carries the call out in shared memory; false if it does not go that way,
// on any rank.
func (p *plan[T]) share(ctx context.Context, s *state, r *run) (done bool, err error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if size == 0 || s.below.Memory == nil || s.below.Hosts != nil || s.memory.stage == none ||
		p.set.using != "" && p.set.using != sharedName || p.ready != nil ||
		p.call.Op == schedule.AllToAll && (p.call.From.Counts != nil || p.call.To.Counts != nil) {
		return false, nil
	}
	length := p.roundLength()
	if p.set.using == "" && !worthSharing(p.call.Op, p.call.Size, length*size) {
		return false, nil
	}
	r.call = p.describe(r, blocking, sharedName)
	if err := s.number(r); err != nil {
		s.done(r)
		return true, err
	}
	defer s.done(r)
	m := &s.memory
	if m.stage != whole {
		want := first
		if m.stage == first && length*size > m.small.room {
			want = whole
		}
		if m.stage < want && !m.full {
			r.patience.begin(ctx)
			err := r.settleMemory(want)
			r.patience.finish()
			if err != nil {
				return true, err
			}
		}
		if m.stage == first && length*size > m.small.room && !m.full {
			r.patience.begin(ctx)
			err := r.settleMemory(whole)
			r.patience.finish()
			if err != nil {
				return true, err
			}
		}
	}
	x := &boxOf[T](r).sharing
	*x = sharing[T]{plan: p, ctx: ctx, r: r, m: m, h: &m.small, print: r.call.print}
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
	if x.flows(length * size) {
		err = x.flow()
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
	longest := p.call.Count
	for _, n := range p.call.Of.Counts {
		longest = max(longest, n)
	}
	switch p.call.Op {
	case schedule.Barrier:
		return 0
	case schedule.AllToAll, schedule.ReduceScatter:
		return longest * p.call.Size
	}
	return longest
}

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

// part returns n elements of rank r's region from off on.
func (x *sharing[T]) part(r, off, n int) []T {
	b := x.base[r*x.stride+x.lead:]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), off+n)[off:]
}

// at returns the memory of a span.
func (x *sharing[T]) at(s schedule.Span) []T { return x.mem[s.Buf][s.Off : s.Off+s.Len] }

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

// longest is the length of the longest block.
func (x *sharing[T]) longest() int {
	n := x.call.Count
	for _, k := range x.call.Of.Counts {
		n = max(n, k)
	}
	return n
}

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

// togetherBytes is up to which length every rank combines the whole vector itself,
// which costs p times the work and one barrier less.
const togetherBytes = 4 << 10

func (x *sharing[T]) together() int {
	var zero T
	return min(x.room, togetherBytes/int(unsafe.Sizeof(zero)))
}

func (x *sharing[T]) reduceTogether() error {
	in, n := x.at(x.call.Input()), x.call.Count
	copy(x.part(x.call.Rank, 0, n), in)
	if err := x.meet(); err != nil {
		return err
	}
	if x.call.Op == schedule.AllReduce || x.isRoot() {
		x.combine(x.at(x.call.Output()), 0)
	}
	x.turn()
	return nil
}

// reduceApart has each rank combine its share of every round, and all read the
// result.
func (x *sharing[T]) reduceApart() error {
	in, me, p := x.at(x.call.Input()), x.call.Rank, x.call.Size
	var out []T
	if x.call.Op == schedule.AllReduce || x.isRoot() {
		out = x.at(x.call.Output())
	}
	for off := 0; off < x.call.Count; off += x.room {
		n := min(x.room, x.call.Count-off)
		copy(x.part(me, 0, n), in[off:off+n])
		if err := x.meet(); err != nil {
			return err
		}
		lo, hi := share(n, me, p), share(n, me+1, p)
		x.combine(x.part(p, lo, hi-lo), lo)
		if err := x.meet(); err != nil {
			return err
		}
		if out != nil {
			copy(out[off:off+n], x.part(p, 0, n))
		}
		x.turn()
	}
	return nil
}

// share returns where the i-th of p parts of n elements begins, on whole cache
// lines for all usual elements.
func share(n, i, p int) int {
	if i == p {
		return n
	}
	return n * i / p &^ 15
}

func (x *sharing[T]) reduceScatter() error {
	me, p := x.call.Rank, x.call.Size
	piece := x.room / p
	own := x.at(x.call.Output())
	for off, end := 0, x.longest(); off == 0 || off < end; off += piece {
		for to := range p {
			if n := min(piece, x.call.BlockLen(to)-off); n > 0 {
				copy(x.part(me, to*piece, n), x.at(x.call.Block(to))[off:off+n])
			}
		}
		if err := x.meet(); err != nil {
			return err
		}
		if n := min(piece, len(own)-off); n > 0 {
			x.combine(own[off:off+n], me*piece)
		}
		x.turn()
	}
	return nil
}

func (x *sharing[T]) scan() error {
	in, me := x.at(x.call.Input()), x.call.Rank
	out, upto := x.at(x.call.Output()), me+1
	if x.call.Op == schedule.ExScan {
		upto = me
	}
	for off := 0; off == 0 || off < x.call.Count; off += x.room {
		n := min(x.room, x.call.Count-off)
		copy(x.part(me, 0, n), in[off:off+n])
		if err := x.meet(); err != nil {
			return err
		}
		if upto > 0 {
			x.prefix(out[off:off+n], upto)
		}
		x.turn()
	}
	return nil
}

// stripBytes is how much of a vector is combined at a time, so that what lies between
// two combinations stays in the first-level cache.
const stripBytes = 4 << 10

// combine sets dst to the combination of what all ranks' regions hold from off on,
// in the canonical brackets (algo.Canonical).
func (x *sharing[T]) combine(dst []T, off int) {
	var zero T
	strip := max(1, stripBytes/int(unsafe.Sizeof(zero)))
	p := x.call.Size
	places := 1 << (bits.Len(uint(p)) - 1)
	temp := memoryOf[T](x.r, strip*bits.Len(uint(p)))
	for at := 0; at < len(dst); at += strip {
		n := min(strip, len(dst)-at)
		t := tree[T]{x: x, off: off + at, n: n, pairs: p - places, temp: temp}
		if got := t.node(0, places, dst[at:at+n], 0); &got[0] != &dst[at] {
			copy(dst[at:at+n], got)
		}
	}
}

// prefix sets dst to the combination of the first upto ranks, in the canonical
// brackets of scans.
func (x *sharing[T]) prefix(dst []T, upto int) {
	var zero T
	strip := max(1, stripBytes/int(unsafe.Sizeof(zero)))
	temp := memoryOf[T](x.r, strip*(1+bits.Len(uint(x.call.Size))))
	for at := 0; at < len(dst); at += strip {
		n := min(strip, len(dst)-at)
		t := tree[T]{x: x, off: at, n: n, temp: temp[strip:]}
		out := dst[at : at+n]
		// The blocks from the smallest, which is the last, to the largest.
		hi := upto
		for left := upto; left > 0; left &= left - 1 {
			block := left & -left
			if hi == upto {
				copy(out, t.node(hi-block, block, out, 0))
			} else {
				x.op.Apply(out, t.node(hi-block, block, temp[:n], 0), out)
			}
			hi -= block
		}
	}
}

// tree combines n elements at off of the ranks' regions. The first pairs places
// are pairs of neighbours, the others ranks.
type tree[T any] struct {
	x     *sharing[T]
	off   int
	n     int
	pairs int
	temp  []T
}

// node returns the combination of count places from place on, a power of two: in
// dst, or where a rank's own lies. level is how much of temp is in use.
func (t *tree[T]) node(place, count int, dst []T, level int) []T {
	if count == 1 {
		return t.leaf(place, dst)
	}
	a := t.node(place, count/2, dst, level)
	b := t.node(place+count/2, count/2, t.temp[level*t.n:][:t.n], level+1)
	t.x.op.Apply(dst, a, b)
	return dst
}

func (t *tree[T]) leaf(place int, dst []T) []T {
	if place >= t.pairs {
		return t.x.part(place+t.pairs, t.off, t.n)
	}
	t.x.op.Apply(dst, t.x.part(2*place, t.off, t.n), t.x.part(2*place+1, t.off, t.n))
	return dst
}

// worthSharing reports whether calls of op by p ranks of one host with so many bytes
// of each are quicker in shared memory than by messages.
func worthSharing(op schedule.Operation, p, bytes int) bool { return true }
