//go:build !noasm

package kernel

import (
	"reflect"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// A leaf sets the elements in bytes bytes at dst to a ⊕ b. bytes is a multiple of
// the element's size, and not 0. Nothing need be aligned. dst may be a or b.
type leaf func(dst, a, b unsafe.Pointer, bytes int)

// A set has the leaves of one extension of the instructions, by operation and by
// kind of element, nil where it lacks one.
type set struct {
	leaves [operations][reflect.UnsafePointer + 1]leaf
	// narrow is how many bytes a leaf wants at least where an element has fewer
	// than four of them.
	narrow int
}

// chosen is the set for this processor, or nil.
var chosen = choose()

func choose() *set {
	switch x := &cpu.X86; {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ:
		return &avx512
	case x.HasAVX2:
		return &avx2
	}
	return nil
}

// pieceBytes is half of the most that a leaf is given at once. The scheduler and the garbage
// collector cannot interrupt assembly, and would wait some 10 ms for a vector of
// 64 MiB; for a piece they wait some microseconds.
const pieceBytes = 64 << 10

// vectorised carries out op by a leaf and returns true, or returns false if there
// is none.
func vectorised[T any](op operation, dst, a, b []T) bool {
	if chosen == nil {
		return false
	}
	return chosen.run(op, reflect.TypeFor[T]().Kind(), int(unsafe.Sizeof(dst[0])), len(dst),
		unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(a)), unsafe.Pointer(unsafe.SliceData(b)))
}

// run is vectorised for n elements of the kind, which have size bytes each.
func (s *set) run(op operation, kind reflect.Kind, size, n int, dst, a, b unsafe.Pointer) bool {
	apply, bytes := s.leaves[op][kind], n*size
	if apply == nil || size < 4 && bytes < s.narrow {
		return false
	}
	from := 0
	for ; bytes-from > 2*pieceBytes; from += pieceBytes { // so that the last is no small one
		apply(unsafe.Add(dst, from), unsafe.Add(a, from), unsafe.Add(b, from), pieceBytes)
	}
	if from < bytes {
		apply(unsafe.Add(dst, from), unsafe.Add(a, from), unsafe.Add(b, from), bytes-from)
	}
	return true
}
