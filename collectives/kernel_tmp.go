package collectives

import "github.com/muster-mpi/muster/datatype"

func kernelSum[T datatype.Number](dst, a, b []T) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}
func kernelProduct[T datatype.Number](dst, a, b []T) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}
func kernelMin[T datatype.Real](dst, a, b []T) {
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}
func kernelMax[T datatype.Real](dst, a, b []T) {
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}
func truth[T datatype.Real](b bool) T {
	if b {
		return 1
	}
	return 0
}
func kernelAnd[T datatype.Real](dst, a, b []T) {
	for i := range dst {
		dst[i] = truth[T](a[i] != 0 && b[i] != 0)
	}
}
func kernelOr[T datatype.Real](dst, a, b []T) {
	for i := range dst {
		dst[i] = truth[T](a[i] != 0 || b[i] != 0)
	}
}
func kernelXor[T datatype.Real](dst, a, b []T) {
	for i := range dst {
		dst[i] = truth[T]((a[i] != 0) != (b[i] != 0))
	}
}
func kernelBitAnd[T datatype.Integer](dst, a, b []T) {
	for i := range dst {
		dst[i] = a[i] & b[i]
	}
}
func kernelBitOr[T datatype.Integer](dst, a, b []T) {
	for i := range dst {
		dst[i] = a[i] | b[i]
	}
}
func kernelBitXor[T datatype.Integer](dst, a, b []T) {
	for i := range dst {
		dst[i] = a[i] ^ b[i]
	}
}
