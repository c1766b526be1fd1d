package datatype

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/muster-mpi/muster/internal/layout"
)

// Vector returns the View of count blocks of block elements each, which begin
// at s[0], s[stride], s[2·stride], … A stride below block names elements twice
// (see [View.Overlaps]); a negative one is refused, because a Vector begins at
// s[0]: name the blocks of a backward order with [Indexed].
//
// A block of a gonum matrix is Vector(r.Data, r.Rows, r.Cols, r.Stride) with
// r := m.RawMatrix().
//
// Errors of the View: ErrType, ErrView. Source: MPI 4.1 §5.1.2, MPI_Type_vector.
func Vector[T any](s []T, count, block, stride int) View[T] {
	if err := Check[T](); err != nil {
		return View[T]{err: err}
	}
	switch {
	case count < 0:
		return refuse[T]("Vector: count is %d, want 0 or more", count)
	case block < 0:
		return refuse[T]("Vector: block is %d, want 0 or more", block)
	case stride < 0:
		return refuse[T]("Vector: stride is %d, want 0 or more (Indexed takes blocks in any order)", stride)
	case count == 0 || block == 0:
		return View[T]{}
	case block > len(s):
		return refuse[T]("Vector: block is %d, want at most len(s) = %d", block, len(s))
	case count > most[T]()/block:
		return refuse[T]("Vector: count is %d, want at most %d blocks of %d", count, most[T]()/block, block)
	}
	// The last block begins at (count−1)·stride.
	if hi, lo := bits.Mul(uint(count-1), uint(stride)); hi != 0 || lo > uint(len(s)-block) {
		return refuse[T]("Vector: count is %d, want at most %d: that many blocks of %d at stride %d fit len(s) = %d",
			count, 1+(len(s)-block)/stride, block, stride, len(s))
	}
	size := sizeOf[T]()
	plan, err := layout.Strided(0, block*size, layout.Dim{Count: count, Stride: stride * size})
	return build(s, count*block, plan, err)
}

// Block is Len elements from Offset on.
type Block struct{ Offset, Len int }

// Indexed returns the View of blocks, in the order given. Blocks may overlap (see
// [View.Overlaps]); one of length 0 may have any offset.
//
// Errors of the View: ErrType, ErrView. Source: MPI 4.1 §5.1.2,
// MPI_Type_indexed.
func Indexed[T any](s []T, blocks ...Block) View[T] {
	if err := Check[T](); err != nil {
		return View[T]{err: err}
	}
	runs := make([]layout.Run, len(blocks))
	size, n := sizeOf[T](), 0
	for i, b := range blocks {
		switch {
		case b.Len < 0:
			return refuse[T]("Indexed: blocks[%d].Len is %d, want 0 or more", i, b.Len)
		case b.Len == 0:
			continue
		case b.Offset < 0 || b.Offset > len(s):
			return refuse[T]("Indexed: blocks[%d].Offset is %d, want 0 to len(s) = %d", i, b.Offset, len(s))
		case b.Len > len(s)-b.Offset:
			return refuse[T]("Indexed: blocks[%d].Len is %d, want at most %d from offset %d of len(s) = %d",
				i, b.Len, len(s)-b.Offset, b.Offset, len(s))
		case b.Len > most[T]()-n:
			return refuse[T]("Indexed: blocks[%d].Len is %d, want at most %d: an int cannot count more", i, b.Len, most[T]()-n)
		}
		n += b.Len
		runs[i] = layout.Run{Offset: b.Offset * size, Len: b.Len * size}
	}
	plan, err := layout.Indexed(runs)
	return build(s, n, plan, err)
}

// Subarray returns the View of a block of an array that lies in s in row-major
// order, the last dimension fastest: shape is that of the array, and the block
// has size[d] elements from start[d] on in dimension d. Without dimensions it is
// the one element s[0].
//
// Errors of the View: ErrType, ErrView. Source: MPI 4.1 §5.1.3,
// MPI_Type_create_subarray with MPI_ORDER_C.
func Subarray[T any](s []T, shape, start, size []int) View[T] {
	if err := Check[T](); err != nil {
		return View[T]{err: err}
	}
	if len(start) != len(shape) || len(size) != len(shape) {
		return refuse[T]("Subarray: shape has %d dimensions, start %d, size %d, want as many of each", len(shape), len(start), len(size))
	}
	n := 1
	for d := range shape {
		switch {
		case shape[d] < 0:
			return refuse[T]("Subarray: shape[%d] is %d, want 0 or more", d, shape[d])
		case start[d] < 0 || start[d] > shape[d]:
			return refuse[T]("Subarray: start[%d] is %d, want 0 to shape[%d] = %d", d, start[d], d, shape[d])
		case size[d] < 0 || size[d] > shape[d]-start[d]:
			return refuse[T]("Subarray: size[%d] is %d, want 0 to %d: shape[%d] is %d, start[%d] is %d",
				d, size[d], shape[d]-start[d], d, shape[d], d, start[d])
		}
		n = min(n, size[d]) // 0 if any is
	}
	if n == 0 {
		return View[T]{}
	}
	// No dimension is 0 now, so whole only grows.
	whole := 1
	for _, extent := range shape {
		if whole > len(s)/extent {
			return refuse[T]("Subarray: shape %v has more elements than len(s) = %d", slices.Clone(shape), len(s))
		}
		whole *= extent
	}
	if whole > len(s) {
		return refuse[T]("Subarray: without dimensions it is one element, len(s) is 0")
	}

	bytes := sizeOf[T]()
	var room [4]layout.Dim // on the stack, so that a View costs one allocation
	dims := room[:]
	if len(shape) > len(room) {
		dims = make([]layout.Dim, len(shape))
	}
	dims = dims[:len(shape)]
	base, stride := 0, bytes
	for d := len(shape) - 1; d >= 0; d-- {
		dims[d] = layout.Dim{Count: size[d], Stride: stride}
		base += start[d] * stride
		stride *= shape[d]
		n *= size[d]
	}
	plan, err := layout.Strided(base, bytes, dims...)
	return build(s, n, plan, err)
}

func sizeOf[T any]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// most returns how many elements of T a View can have: their bytes, and if T
// has none the elements, are counted by an int.
func most[T any]() int { return math.MaxInt / max(1, sizeOf[T]()) }
