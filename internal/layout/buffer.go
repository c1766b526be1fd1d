// Package layout describes how the bytes of a message lie in memory: in one
// run or in many. Engine, views, files, windows and a C ABI share it, so that
// strided data is copied once, from where it lies to where it is wanted. It
// imports only the standard library.
package layout

import "fmt"

// Plan says where, relative to a base, the runs of a strided buffer lie. The
// zero Plan is empty.
//
// A Plan is immutable once built and may be shared.
type Plan struct {
	runs runs
	size int // packed bytes
}

// runs is the shape of a Plan: see strided and indexed.
type runs interface {
	// at returns the run that holds packed offset off: the memory offset of
	// that byte and how many bytes follow it in the same run.
	at(off int) (mem, n int)
}

// Buffer is memory seen as a run of packed bytes. The zero Buffer is empty. It
// is a value; copying it copies no data.
type Buffer struct {
	mem  []byte
	plan *Plan // nil: mem is one run, and the fields below are unused
	from int   // packed offset in plan of this Buffer's first byte
	size int   // packed bytes
}

// Of returns the Buffer of one run.
func Of(b []byte) Buffer { return Buffer{mem: b} }

// WithPlan returns the Buffer of the runs of plan in mem.
func WithPlan(mem []byte, plan *Plan) Buffer {
	return Buffer{mem: mem, plan: plan, size: plan.size}
}

// Len returns the number of packed bytes.
func (b Buffer) Len() int {
	if b.plan != nil {
		return b.size
	}
	return len(b.mem)
}

// Slice returns the part of b from packed offset off to end.
func (b Buffer) Slice(off, end int) Buffer {
	if b.plan == nil {
		return Buffer{mem: b.mem[off:end]}
	}
	if off < 0 || end < off || end > b.size {
		panic(fmt.Sprintf("layout: slice [%d:%d] of a Buffer of %d bytes", off, end, b.size))
	}
	b.from, b.size = b.from+off, end-off
	return b
}

// Contiguous returns the bytes of b if they are known to lie in one run.
func (b Buffer) Contiguous() ([]byte, bool) { return b.mem, b.plan == nil }

// Run returns the bytes from packed offset off to the end of the run that
// holds it; empty at off = Len. It is a window into b's memory, not a copy.
func (b Buffer) Run(off int) []byte {
	if b.plan == nil {
		return b.mem[off:]
	}
	if off >= b.size {
		return nil
	}
	mem, n := b.plan.runs.at(b.from + off)
	return b.mem[mem : mem+min(n, b.size-off)]
}

// ReadAt packs bytes from packed offset off into dst and returns how many;
// fewer than len(dst) only at the end of b.
func (b Buffer) ReadAt(dst []byte, off int) int {
	n := 0
	for n < len(dst) {
		run := b.Run(off + n)
		if len(run) == 0 {
			break
		}
		n += copy(dst[n:], run)
	}
	return n
}

// WriteAt unpacks src to packed offset off and returns how many bytes fitted.
func (b Buffer) WriteAt(src []byte, off int) int {
	n := 0
	for n < len(src) {
		run := b.Run(off + n)
		if len(run) == 0 {
			break
		}
		n += copy(run, src[n:])
	}
	return n
}

// Copy copies from src at packed offset from to dst at packed offset to, as
// much as both have, and returns how many bytes.
func Copy(dst Buffer, to int, src Buffer, from int) int {
	n := 0
	for {
		run := src.Run(from + n)
		if len(run) == 0 {
			return n
		}
		k := dst.WriteAt(run, to+n)
		n += k
		if k < len(run) {
			return n
		}
	}
}
