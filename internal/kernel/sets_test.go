package kernel

import (
	"testing"
	"unsafe"
)

// BenchmarkSets has the sets of leaves and the loops combine vectors of 64 KiB, in
// bytes of one vector.
func BenchmarkSets(b *testing.B) {
	eachSet(func(set string) {
		b.Run(set, func(b *testing.B) {
			b.Run("Sum/float64", combine(Sum[float64]))
			b.Run("Product/float64", combine(Product[float64]))
			b.Run("Min/float64", combine(Min[float64]))
			b.Run("Max/float32", combine(Max[float32]))
			b.Run("Sum/int32", combine(Sum[int32]))
			b.Run("Min/int64", combine(Min[int64]))
			b.Run("Max/uint8", combine(Max[uint8]))
			b.Run("BitXor/uint8", combine(BitXor[uint8]))
			b.Run("LogicalAnd/uint8", combine(LogicalAnd[uint8]))
		})
	})
}

func combine[T float32 | float64 | int32 | int64 | uint8](op func(dst, a, b []T)) func(*testing.B) {
	return func(b *testing.B) {
		const bytes = 64 << 10
		n := bytes / int(unsafe.Sizeof(T(0)))
		d, s := make([]T, n), make([]T, n)
		for i := range s {
			d[i], s[i] = T(i%3), T(i%2)
		}
		b.SetBytes(bytes)
		for b.Loop() {
			op(d, d, s)
		}
	}
}
