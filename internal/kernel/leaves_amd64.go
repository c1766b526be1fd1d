//go:build !noasm

package kernel

import (
	"reflect"
	"unsafe"
)

// A leaf is named by what it does and the number of elements in a register. Sums
// of complex numbers are those of their parts; wrapping sums, and products of which
// the lower half is kept, are the same for integers with and without a sign.

var avx512 = set{
	leaves: [operations][reflect.UnsafePointer + 1]leaf{
		sum: {
			reflect.Int8:       sumInt8x64,
			reflect.Uint8:      sumInt8x64,
			reflect.Int16:      sumInt16x32,
			reflect.Uint16:     sumInt16x32,
			reflect.Int32:      sumInt32x16,
			reflect.Uint32:     sumInt32x16,
			reflect.Int64:      sumInt64x8,
			reflect.Uint64:     sumInt64x8,
			reflect.Int:        sumInt64x8,
			reflect.Uint:       sumInt64x8,
			reflect.Float32:    sumFloat32x16,
			reflect.Float64:    sumFloat64x8,
			reflect.Complex64:  sumFloat32x16,
			reflect.Complex128: sumFloat64x8,
		},
		product: {
			reflect.Int16:   productInt16x32,
			reflect.Uint16:  productInt16x32,
			reflect.Int32:   productInt32x16,
			reflect.Uint32:  productInt32x16,
			reflect.Int64:   productInt64x8,
			reflect.Uint64:  productInt64x8,
			reflect.Int:     productInt64x8,
			reflect.Uint:    productInt64x8,
			reflect.Float32: productFloat32x16,
			reflect.Float64: productFloat64x8,
		},
		minimum: {
			reflect.Int8:    minInt8x64,
			reflect.Int16:   minInt16x32,
			reflect.Int32:   minInt32x16,
			reflect.Int64:   minInt64x8,
			reflect.Int:     minInt64x8,
			reflect.Uint8:   minUint8x64,
			reflect.Uint16:  minUint16x32,
			reflect.Uint32:  minUint32x16,
			reflect.Uint64:  minUint64x8,
			reflect.Uint:    minUint64x8,
			reflect.Float32: minFloat32x16,
			reflect.Float64: minFloat64x8,
		},
		maximum: {
			reflect.Int8:    maxInt8x64,
			reflect.Int16:   maxInt16x32,
			reflect.Int32:   maxInt32x16,
			reflect.Int64:   maxInt64x8,
			reflect.Int:     maxInt64x8,
			reflect.Uint8:   maxUint8x64,
			reflect.Uint16:  maxUint16x32,
			reflect.Uint32:  maxUint32x16,
			reflect.Uint64:  maxUint64x8,
			reflect.Uint:    maxUint64x8,
			reflect.Float32: maxFloat32x16,
			reflect.Float64: maxFloat64x8,
		},
		logicalAnd: {
			reflect.Int8:    logicalAndInt8x64,
			reflect.Uint8:   logicalAndInt8x64,
			reflect.Int16:   logicalAndInt16x32,
			reflect.Uint16:  logicalAndInt16x32,
			reflect.Int32:   logicalAndInt32x16,
			reflect.Uint32:  logicalAndInt32x16,
			reflect.Int64:   logicalAndInt64x8,
			reflect.Uint64:  logicalAndInt64x8,
			reflect.Int:     logicalAndInt64x8,
			reflect.Uint:    logicalAndInt64x8,
			reflect.Float32: logicalAndFloat32x16,
			reflect.Float64: logicalAndFloat64x8,
		},
		logicalOr: {
			reflect.Int8:    logicalOrInt8x64,
			reflect.Uint8:   logicalOrInt8x64,
			reflect.Int16:   logicalOrInt16x32,
			reflect.Uint16:  logicalOrInt16x32,
			reflect.Int32:   logicalOrInt32x16,
			reflect.Uint32:  logicalOrInt32x16,
			reflect.Int64:   logicalOrInt64x8,
			reflect.Uint64:  logicalOrInt64x8,
			reflect.Int:     logicalOrInt64x8,
			reflect.Uint:    logicalOrInt64x8,
			reflect.Float32: logicalOrFloat32x16,
			reflect.Float64: logicalOrFloat64x8,
		},
		logicalXor: {
			reflect.Int8:    logicalXorInt8x64,
			reflect.Uint8:   logicalXorInt8x64,
			reflect.Int16:   logicalXorInt16x32,
			reflect.Uint16:  logicalXorInt16x32,
			reflect.Int32:   logicalXorInt32x16,
			reflect.Uint32:  logicalXorInt32x16,
			reflect.Int64:   logicalXorInt64x8,
			reflect.Uint64:  logicalXorInt64x8,
			reflect.Int:     logicalXorInt64x8,
			reflect.Uint:    logicalXorInt64x8,
			reflect.Float32: logicalXorFloat32x16,
			reflect.Float64: logicalXorFloat64x8,
		},
		bitAnd: {
			reflect.Int8:   bitAndx64,
			reflect.Int16:  bitAndx64,
			reflect.Int32:  bitAndx64,
			reflect.Int64:  bitAndx64,
			reflect.Int:    bitAndx64,
			reflect.Uint8:  bitAndx64,
			reflect.Uint16: bitAndx64,
			reflect.Uint32: bitAndx64,
			reflect.Uint64: bitAndx64,
			reflect.Uint:   bitAndx64,
		},
		bitOr: {
			reflect.Int8:   bitOrx64,
			reflect.Int16:  bitOrx64,
			reflect.Int32:  bitOrx64,
			reflect.Int64:  bitOrx64,
			reflect.Int:    bitOrx64,
			reflect.Uint8:  bitOrx64,
			reflect.Uint16: bitOrx64,
			reflect.Uint32: bitOrx64,
			reflect.Uint64: bitOrx64,
			reflect.Uint:   bitOrx64,
		},
		bitXor: {
			reflect.Int8:   bitXorx64,
			reflect.Int16:  bitXorx64,
			reflect.Int32:  bitXorx64,
			reflect.Int64:  bitXorx64,
			reflect.Int:    bitXorx64,
			reflect.Uint8:  bitXorx64,
			reflect.Uint16: bitXorx64,
			reflect.Uint32: bitXorx64,
			reflect.Uint64: bitXorx64,
			reflect.Uint:   bitXorx64,
		},
	},
}

// avx2 has no products of 64-bit integers: put together from three of 32 bits they
// gain nothing over the loop.
var avx2 = set{
	narrow: 32,
	leaves: [operations][reflect.UnsafePointer + 1]leaf{
		sum: {
			reflect.Int8:       sumInt8x32,
			reflect.Uint8:      sumInt8x32,
			reflect.Int16:      sumInt16x16,
			reflect.Uint16:     sumInt16x16,
			reflect.Int32:      sumInt32x8,
			reflect.Uint32:     sumInt32x8,
			reflect.Int64:      sumInt64x4,
			reflect.Uint64:     sumInt64x4,
			reflect.Int:        sumInt64x4,
			reflect.Uint:       sumInt64x4,
			reflect.Float32:    sumFloat32x8,
			reflect.Float64:    sumFloat64x4,
			reflect.Complex64:  sumFloat32x8,
			reflect.Complex128: sumFloat64x4,
		},
		product: {
			reflect.Int16:   productInt16x16,
			reflect.Uint16:  productInt16x16,
			reflect.Int32:   productInt32x8,
			reflect.Uint32:  productInt32x8,
			reflect.Float32: productFloat32x8,
			reflect.Float64: productFloat64x4,
		},
		minimum: {
			reflect.Int8:    minInt8x32,
			reflect.Int16:   minInt16x16,
			reflect.Int32:   minInt32x8,
			reflect.Int64:   minInt64x4,
			reflect.Int:     minInt64x4,
			reflect.Uint8:   minUint8x32,
			reflect.Uint16:  minUint16x16,
			reflect.Uint32:  minUint32x8,
			reflect.Uint64:  minUint64x4,
			reflect.Uint:    minUint64x4,
			reflect.Float32: minFloat32x8,
			reflect.Float64: minFloat64x4,
		},
		maximum: {
			reflect.Int8:    maxInt8x32,
			reflect.Int16:   maxInt16x16,
			reflect.Int32:   maxInt32x8,
			reflect.Int64:   maxInt64x4,
			reflect.Int:     maxInt64x4,
			reflect.Uint8:   maxUint8x32,
			reflect.Uint16:  maxUint16x16,
			reflect.Uint32:  maxUint32x8,
			reflect.Uint64:  maxUint64x4,
			reflect.Uint:    maxUint64x4,
			reflect.Float32: maxFloat32x8,
			reflect.Float64: maxFloat64x4,
		},
		logicalAnd: {
			reflect.Int8:    logicalAndInt8x32,
			reflect.Uint8:   logicalAndInt8x32,
			reflect.Int16:   logicalAndInt16x16,
			reflect.Uint16:  logicalAndInt16x16,
			reflect.Int32:   logicalAndInt32x8,
			reflect.Uint32:  logicalAndInt32x8,
			reflect.Int64:   logicalAndInt64x4,
			reflect.Uint64:  logicalAndInt64x4,
			reflect.Int:     logicalAndInt64x4,
			reflect.Uint:    logicalAndInt64x4,
			reflect.Float32: logicalAndFloat32x8,
			reflect.Float64: logicalAndFloat64x4,
		},
		logicalOr: {
			reflect.Int8:    logicalOrInt8x32,
			reflect.Uint8:   logicalOrInt8x32,
			reflect.Int16:   logicalOrInt16x16,
			reflect.Uint16:  logicalOrInt16x16,
			reflect.Int32:   logicalOrInt32x8,
			reflect.Uint32:  logicalOrInt32x8,
			reflect.Int64:   logicalOrInt64x4,
			reflect.Uint64:  logicalOrInt64x4,
			reflect.Int:     logicalOrInt64x4,
			reflect.Uint:    logicalOrInt64x4,
			reflect.Float32: logicalOrFloat32x8,
			reflect.Float64: logicalOrFloat64x4,
		},
		logicalXor: {
			reflect.Int8:    logicalXorInt8x32,
			reflect.Uint8:   logicalXorInt8x32,
			reflect.Int16:   logicalXorInt16x16,
			reflect.Uint16:  logicalXorInt16x16,
			reflect.Int32:   logicalXorInt32x8,
			reflect.Uint32:  logicalXorInt32x8,
			reflect.Int64:   logicalXorInt64x4,
			reflect.Uint64:  logicalXorInt64x4,
			reflect.Int:     logicalXorInt64x4,
			reflect.Uint:    logicalXorInt64x4,
			reflect.Float32: logicalXorFloat32x8,
			reflect.Float64: logicalXorFloat64x4,
		},
		bitAnd: {
			reflect.Int8:   bitAndx32,
			reflect.Int16:  bitAndx32,
			reflect.Int32:  bitAndx32,
			reflect.Int64:  bitAndx32,
			reflect.Int:    bitAndx32,
			reflect.Uint8:  bitAndx32,
			reflect.Uint16: bitAndx32,
			reflect.Uint32: bitAndx32,
			reflect.Uint64: bitAndx32,
			reflect.Uint:   bitAndx32,
		},
		bitOr: {
			reflect.Int8:   bitOrx32,
			reflect.Int16:  bitOrx32,
			reflect.Int32:  bitOrx32,
			reflect.Int64:  bitOrx32,
			reflect.Int:    bitOrx32,
			reflect.Uint8:  bitOrx32,
			reflect.Uint16: bitOrx32,
			reflect.Uint32: bitOrx32,
			reflect.Uint64: bitOrx32,
			reflect.Uint:   bitOrx32,
		},
		bitXor: {
			reflect.Int8:   bitXorx32,
			reflect.Int16:  bitXorx32,
			reflect.Int32:  bitXorx32,
			reflect.Int64:  bitXorx32,
			reflect.Int:    bitXorx32,
			reflect.Uint8:  bitXorx32,
			reflect.Uint16: bitXorx32,
			reflect.Uint32: bitXorx32,
			reflect.Uint64: bitXorx32,
			reflect.Uint:   bitXorx32,
		},
	},
}

//go:noescape
func sumFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func bitAndx64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func bitOrx64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func bitXorx64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumFloat64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func sumInt64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productFloat64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func productInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minFloat64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxFloat64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func bitAndx32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func bitOrx32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func bitXorx32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minInt64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func minUint64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxInt64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func maxUint64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt8x64(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt16x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorFloat32x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorFloat64x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndInt64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalAndFloat64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrInt64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalOrFloat64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt8x32(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt16x16(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorInt64x4(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorFloat32x8(dst, a, b unsafe.Pointer, bytes int)

//go:noescape
func logicalXorFloat64x4(dst, a, b unsafe.Pointer, bytes int)
