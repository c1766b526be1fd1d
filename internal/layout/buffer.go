// Package layout describes how the bytes of a message lie in memory: in one
// run or in many. Engine, views, files, windows and a C ABI share it, so that
// strided data is copied once, from where it lies to where it is wanted. It
// imports only the standard library.
package layout

import (
	"fmt"
	"iter"
	"unsafe"
)

// Buffer is memory seen as a run of packed bytes. The zero Buffer is empty. It
// is a value; copying it copies no data, and no method of it allocates.
//
// An offset past the end is an empty range, as in io.ReaderAt; a negative one
// panics, as an index does.
//
// Four words are what the compiler keeps in registers. A larger struct goes
// through memory at every call, and is read there in wider pieces than it was just
// written, for which the processor waits: half of what a short message cost.
type Buffer struct {
	mem  *byte // with a plan, where its offsets count from
	size int   // packed bytes; with a plan more than 0
	plan *Plan // not empty; nil: one run
	from int   // packed offset in plan of this Buffer's first byte
}

// Of returns the Buffer of one run.
func Of(b []byte) Buffer { return Buffer{mem: unsafe.SliceData(b), size: len(b)} }

// run returns the bytes of a Buffer without a plan.
func (b Buffer) run() []byte { return unsafe.Slice(b.mem, b.size) }

// span returns the memory that the plan's offsets are of.
func (b Buffer) span() []byte { return unsafe.Slice(b.mem, b.plan.hi) }

// WithPlan returns the Buffer of the runs of plan in mem. It is contiguous if
// plan is one run. The error says which byte of plan lies outside mem.
func WithPlan(mem []byte, plan *Plan) (Buffer, error) {
	if plan.size == 0 {
		return Buffer{}, nil
	}
	if plan.lo < 0 || plan.hi > len(mem) {
		return Buffer{}, fmt.Errorf("layout: the plan needs bytes [%d, %d), the memory has [0, %d)", plan.lo, plan.hi, len(mem))
	}
	if plan.count() == 1 {
		return Of(mem[plan.lo:plan.hi]), nil
	}
	return Buffer{mem: unsafe.SliceData(mem), plan: plan, size: plan.size}, nil
}

// BytesOf returns the memory of s. The bytes alias s and keep it alive. T must
// hold no pointers (see datatype.Check): the collector does not look into
// bytes, and what arrives from another process is no address here.
func BytesOf[T any](s []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// Len returns the number of packed bytes.
func (b Buffer) Len() int { return b.size }

// Slice returns the part of b from packed offset off to end. Like a slice
// expression it panics unless 0 ≤ off ≤ end ≤ Len.
func (b Buffer) Slice(off, end int) Buffer {
	if off < 0 || end < off || end > b.Len() {
		panicSlice(off, end, b.Len())
	}
	if off == end {
		return Buffer{}
	}
	if b.plan == nil {
		return Of(b.run()[off:end])
	}
	b.from, b.size = b.from+off, end-off
	return b
}

func panicSlice(off, end, size int) {
	panic(fmt.Sprintf("layout: slice [%d:%d] of a Buffer of %d bytes", off, end, size))
}

// Plain returns the bytes of b if they were given as one run, which is quicker to
// tell than whether they are one.
func (b Buffer) Plain() ([]byte, bool) {
	if b.plan != nil {
		return nil, false
	}
	return b.run(), true
}

// Grain returns the average length of b's runs, in bytes.
func (b Buffer) Grain() int {
	if b.plan == nil {
		return b.size
	}
	return b.plan.mean()
}

// Contiguous returns the bytes of b if they lie in one run.
func (b Buffer) Contiguous() ([]byte, bool) {
	if b.plan == nil {
		return b.run(), true
	}
	if b.size > b.plan.longest {
		return nil, false
	}
	run := b.Run(0)
	return run, len(run) == b.size
}

// Overlaps reports whether two runs of the memory that b was made of share a
// byte: see Plan.Overlaps.
func (b Buffer) Overlaps() bool { return b.plan != nil && b.plan.overlap }

// Run returns the bytes from packed offset off to the end of the run that
// holds it; empty from off = Len on. It is a window into b's memory, not a
// copy.
func (b Buffer) Run(off int) []byte {
	if off >= b.Len() {
		return nil
	}
	if b.plan == nil {
		return b.run()[off:]
	}
	c := b.cursor(off)
	return b.span()[c.at : c.at+min(c.left, b.size-off)]
}

// Runs yields the runs of b in packed order, each a window into b's memory.
func (b Buffer) Runs() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if b.plan == nil {
			if b.size > 0 {
				yield(b.run())
			}
			return
		}
		c, mem := b.cursor(0), b.span()
		for left := b.size; left > 0; {
			n := min(c.left, left)
			if !yield(mem[c.at : c.at+n]) {
				return
			}
			left -= n
			c.take(n)
		}
	}
}

// ReadAt packs bytes from packed offset off into dst and returns how many;
// fewer than len(dst) only at the end of b.
func (b Buffer) ReadAt(dst []byte, off int) int {
	n := min(len(dst), b.Len()-off)
	if n <= 0 {
		return 0
	}
	if b.plan == nil {
		return move(dst, b.run()[off:])
	}
	b.plan.pack(dst[:n], b.span(), b.at(off))
	return n
}

// WriteAt unpacks src to packed offset off and returns how many bytes fitted.
func (b Buffer) WriteAt(src []byte, off int) int {
	n := min(len(src), b.Len()-off)
	if n <= 0 {
		return 0
	}
	if b.plan == nil {
		return copy(b.run()[off:], src)
	}
	b.plan.unpack(b.span(), src[:n], b.at(off))
	return n
}

// at turns a packed offset of b into one of its plan.
func (b Buffer) at(off int) int {
	if off < 0 {
		panicSlice(off, off, b.size)
	}
	return b.from + off
}

func (b Buffer) cursor(off int) cursor { return b.plan.seek(b.at(off)) }

const (
	// Below bounceRun bytes a run, the copy loop's work for each pair of
	// runs costs more than moving every byte twice through the cache.
	bounceRun   = 128
	bounceBytes = 2048
)

// Copy copies from src at packed offset from to dst at packed offset to, as
// much as both have, and returns how many bytes. Where dst and src share
// memory the result is defined only if both are contiguous.
func Copy(dst Buffer, to int, src Buffer, from int) int {
	n := min(src.Len()-from, dst.Len()-to)
	switch {
	case n <= 0:
		return 0
	case src.plan == nil:
		return dst.WriteAt(src.run()[from:from+n], to)
	case dst.plan == nil:
		return src.ReadAt(dst.run()[to:to+n], from)
	case src.plan.mean() < bounceRun || dst.plan.mean() < bounceRun:
		copySmall(dst, to, src, from, n)
	default:
		copyRuns(dst, to, src, from, n)
	}
	return n
}

// copySmall goes through a piece of stack, so that each side runs the packing
// loop made for its shape.
func copySmall(dst Buffer, to int, src Buffer, from, n int) {
	var piece [bounceBytes]byte
	for done := 0; done < n; {
		k := src.ReadAt(piece[:min(n-done, len(piece))], from+done)
		dst.WriteAt(piece[:k], to+done)
		done += k
	}
}

func copyRuns(dst Buffer, to int, src Buffer, from, n int) {
	d, s := dst.cursor(to), src.cursor(from)
	into, out := dst.span(), src.span()
	for n > 0 {
		k := min(d.left, s.left, n)
		copy(into[d.at:d.at+k], out[s.at:])
		d.take(k)
		s.take(k)
		n -= k
	}
}
