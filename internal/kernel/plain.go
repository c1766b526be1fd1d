package kernel

import (
	"math"

	"github.com/muster-mpi/muster/datatype"
)

// The loops below carry out what has no assembly, and are what its tests compare
// it with. Cutting a and b to len(dst) lets the compiler leave out the checks of
// indices.

func sumPlain[T datatype.Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func productPlain[T datatype.Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func minPlain[T datatype.Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		m := min(a[i], b[i])
		if m != m { // whose NaN it is the language leaves open
			m = T(math.NaN())
		}
		dst[i] = m
	}
}

func maxPlain[T datatype.Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		m := max(a[i], b[i])
		if m != m {
			m = T(math.NaN())
		}
		dst[i] = m
	}
}

func logicalAndPlain[T datatype.Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = T(truth(a[i]) & truth(b[i]))
	}
}

func logicalOrPlain[T datatype.Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = T(truth(a[i]) | truth(b[i]))
	}
}

func logicalXorPlain[T datatype.Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = T(truth(a[i]) ^ truth(b[i]))
	}
}

// truth is 1 for what is not zero, found without a branch: flags are often random.
func truth[T datatype.Real](x T) uint8 {
	var t uint8
	if x != 0 {
		t = 1
	}
	return t
}

func bitAndPlain[T datatype.Integer](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] & b[i]
	}
}

func bitOrPlain[T datatype.Integer](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] | b[i]
	}
}

func bitXorPlain[T datatype.Integer](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] ^ b[i]
	}
}
