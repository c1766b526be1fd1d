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
// anywhere. Nor does it depend on the instructions that the processor has, but for
// two things: which NaN the sum or product of two NaNs is, and products of complex
// numbers where Go fuses multiplication and addition, as it does for arm64, and for
// amd64 with GOAMD64=v3.
//
// # Speed
//
// On amd64 with AVX-512 or AVX2, assembly does sums, products of what has 16 bits or
// more and is not complex (with AVX2 nor integers of 64), minima, maxima, logical and
// bitwise operations. All else, other architectures, and everything under the build
// tag noasm are loops over elements. BenchmarkAgainstC compares with C, BenchmarkSets
// the ways with each other.
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
	logicalAnd
	logicalOr
	logicalXor
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
	if !vectorised(logicalAnd, dst, a, b) {
		logicalAndPlain(dst, a, b)
	}
}

// LogicalOr sets dst[i] to 1 where a[i] or b[i] or both are not zero, and else
// to 0.
func LogicalOr[T datatype.Real](dst, a, b []T) {
	check("LogicalOr", len(dst), len(a), len(b))
	if !vectorised(logicalOr, dst, a, b) {
		logicalOrPlain(dst, a, b)
	}
}

// LogicalXor sets dst[i] to 1 where just one of a[i] and b[i] is not zero, and
// else to 0.
func LogicalXor[T datatype.Real](dst, a, b []T) {
	check("LogicalXor", len(dst), len(a), len(b))
	if !vectorised(logicalXor, dst, a, b) {
		logicalXorPlain(dst, a, b)
	}
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
