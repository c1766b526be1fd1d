// Package kernel combines vectors element by element: the arithmetic of
// reductions.
//
// Every function sets dst[i] = a[i] ⊕ b[i] for all i and returns when that is
// done. The three slices have equal lengths, else it panics. dst may be a or b
// itself, in one piece; what overlaps otherwise has no defined result. Nothing is
// allocated.
//
// # The same bits
//
// What an element becomes depends on its two operands alone: not on its place, on
// the length or on where in memory the vectors begin. So vectors may be cut
// anywhere. It does not depend either on which instructions the processor has,
// but for one thing: the sum or product of two NaNs is a NaN, and the bits of
// its payload are the processor's business.
//
// # Speed
//
// On amd64, sums, products of all but 8-bit and complex elements, minima, maxima
// and bitwise operations use AVX-512 or AVX2 where the processor has them (but
// AVX2 for products of 64-bit integers); everything else, other architectures, and
// all with the build tag noasm, are loops over elements, which have the same
// results. In the first-level cache of a core that can store 64 bytes a cycle a
// vector grows by some 80 GB/s, from memory by the bandwidth of that: see
// BenchmarkAgainstC.
package kernel

import (
	"fmt"

	"github.com/muster-mpi/muster/datatype"
)

// operation names what the elements go through, to look it up by.
type operation uint8

const (
	sum operation = iota
	product
	minimum
	maximum
	bitAnd
	bitOr
	bitXor
	operations // how many there are
)

// Sum sets dst[i] = a[i] + b[i]. Integers wrap around.
func Sum[T datatype.Number](dst, a, b []T) {
	check("Sum", len(dst), len(a), len(b))
	if !vectorised(sum, dst, a, b) {
		sumPlain(dst, a, b)
	}
}

// Product sets dst[i] = a[i] · b[i]. Integers wrap around.
func Product[T datatype.Number](dst, a, b []T) {
	check("Product", len(dst), len(a), len(b))
	if !vectorised(product, dst, a, b) {
		productPlain(dst, a, b)
	}
}

// Min sets dst[i] = min(a[i], b[i]), with −0 < +0 and NaN where a[i] or b[i] is
// one, always math.NaN(). So it is associative and commutes to the last bit.
func Min[T datatype.Real](dst, a, b []T) {
	check("Min", len(dst), len(a), len(b))
	if !vectorised(minimum, dst, a, b) {
		minPlain(dst, a, b)
	}
}

// Max sets dst[i] = max(a[i], b[i]); zeros and NaN as in Min.
func Max[T datatype.Real](dst, a, b []T) {
	check("Max", len(dst), len(a), len(b))
	if !vectorised(maximum, dst, a, b) {
		maxPlain(dst, a, b)
	}
}

// LogicalAnd sets dst[i] to 1 where a[i] and b[i] are not zero, and else to 0. A
// NaN is not zero.
func LogicalAnd[T datatype.Real](dst, a, b []T) {
	check("LogicalAnd", len(dst), len(a), len(b))
	logicalAndPlain(dst, a, b)
}

// LogicalOr sets dst[i] to 1 where a[i] or b[i] or both are not zero, and else
// to 0.
func LogicalOr[T datatype.Real](dst, a, b []T) {
	check("LogicalOr", len(dst), len(a), len(b))
	logicalOrPlain(dst, a, b)
}

// LogicalXor sets dst[i] to 1 where just one of a[i] and b[i] is not zero, and
// else to 0.
func LogicalXor[T datatype.Real](dst, a, b []T) {
	check("LogicalXor", len(dst), len(a), len(b))
	logicalXorPlain(dst, a, b)
}

// BitAnd sets dst[i] = a[i] & b[i].
func BitAnd[T datatype.Integer](dst, a, b []T) {
	check("BitAnd", len(dst), len(a), len(b))
	if !vectorised(bitAnd, dst, a, b) {
		bitAndPlain(dst, a, b)
	}
}

// BitOr sets dst[i] = a[i] | b[i].
func BitOr[T datatype.Integer](dst, a, b []T) {
	check("BitOr", len(dst), len(a), len(b))
	if !vectorised(bitOr, dst, a, b) {
		bitOrPlain(dst, a, b)
	}
}

// BitXor sets dst[i] = a[i] ^ b[i].
func BitXor[T datatype.Integer](dst, a, b []T) {
	check("BitXor", len(dst), len(a), len(b))
	if !vectorised(bitXor, dst, a, b) {
		bitXorPlain(dst, a, b)
	}
}

func check(name string, dst, a, b int) {
	if a != dst || b != dst {
		panic(fmt.Sprintf("kernel.%s: lengths %d, %d and %d of dst, a and b differ", name, dst, a, b))
	}
}
