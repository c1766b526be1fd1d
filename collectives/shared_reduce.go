package collectives

import (
	"math/bits"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// togetherBytes is up to which length every rank combines the whole vector itself,
// which costs p times the work and one barrier less.
const togetherBytes = 4 << 10

// together is togetherBytes in elements, as far as there is room.
func (x *sharing[T]) together() int {
	var zero T
	return min(x.room, togetherBytes/int(unsafe.Sizeof(zero)))
}

// reduceTogether has every rank that wants the result combine all of it.
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
		lo, hi := partStart(n, me, p), partStart(n, me+1, p)
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

// partStart returns where the i-th of p parts of n elements begins: on whole cache lines
// for all usual elements, so that no two ranks write to one.
func partStart(n, i, p int) int {
	if i == p {
		return n
	}
	return n * i / p &^ 15
}

// reduceScatter cuts regions as allToAll does; each rank combines the pieces for it.
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

// scan is Scan and ExScan: each rank combines what it needs of the lower ones' vectors,
// which is more work than passing sums on, and one barrier instead of many.
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

// leaf is node of one place.
func (t *tree[T]) leaf(place int, dst []T) []T {
	if place >= t.pairs {
		return t.x.part(place+t.pairs, t.off, t.n)
	}
	t.x.op.Apply(dst, t.x.part(2*place, t.off, t.n), t.x.part(2*place+1, t.off, t.n))
	return dst
}
