package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/muster-mpi/muster/datatype"
)

// A twin is one operation in three forms: as exported, as plain loop, and as
// what an element becomes by the definition.
type twin[T any] struct {
	op     operation
	name   string
	vector func(dst, a, b []T)
	plain  func(dst, a, b []T)
	one    func(a, b T) T
}

func arithmetic[T datatype.Number]() []twin[T] {
	return []twin[T]{
		{sum, "Sum", Sum[T], sumPlain[T], func(a, b T) T { return a + b }},
		{product, "Product", Product[T], productPlain[T], func(a, b T) T { return a * b }},
	}
}

func truthOf(t bool) int8 {
	if t {
		return 1
	}
	return 0
}

func ordered[T datatype.Real]() []twin[T] {
	return append(arithmetic[T](), []twin[T]{
		{minimum, "Min", Min[T], minPlain[T], func(a, b T) T { return extreme(a, b, a < b, -1) }},
		{maximum, "Max", Max[T], maxPlain[T], func(a, b T) T { return extreme(a, b, a > b, 1) }},
		{logicalAnd, "LogicalAnd", LogicalAnd[T], logicalAndPlain[T], func(a, b T) T { return T(truthOf(a != 0 && b != 0)) }},
		{logicalOr, "LogicalOr", LogicalOr[T], logicalOrPlain[T], func(a, b T) T { return T(truthOf(a != 0 || b != 0)) }},
		{logicalXor, "LogicalXor", LogicalXor[T], logicalXorPlain[T], func(a, b T) T { return T(truthOf((a != 0) != (b != 0))) }},
	}...)
}

// extreme is a if first, b if not; of two zeros that with the sign, and of NaN and
// anything math.NaN().
func extreme[T datatype.Real](a, b T, first bool, sign float64) T {
	switch {
	case a != a || b != b:
		return T(math.NaN())
	case a == 0 && b == 0 && math.Signbit(float64(a)) != math.Signbit(float64(b)):
		return T(math.Copysign(0, sign))
	case first:
		return a
	}
	return b
}

func bitwise[T datatype.Integer]() []twin[T] {
	return append(ordered[T](), []twin[T]{
		{bitAnd, "BitAnd", BitAnd[T], bitAndPlain[T], func(a, b T) T { return a & b }},
		{bitOr, "BitOr", BitOr[T], bitOrPlain[T], func(a, b T) T { return a | b }},
		{bitXor, "BitXor", BitXor[T], bitXorPlain[T], func(a, b T) T { return a ^ b }},
	}...)
}

// withSpecial fills x with random bits, in every third element something special.
func withSpecial[T any](x []T, r *rand.Rand, special []T) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(T))))
	for i := 0; i < len(bytes); i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], r.Uint64())
		copy(bytes[i:], word[:])
	}
	for i := range x {
		if r.IntN(3) == 0 {
			x[i] = special[r.IntN(len(special))]
		}
	}
}

func specialInts[T datatype.Integer]() []T {
	highest := T(1) << (8*unsafe.Sizeof(T(0)) - 1)
	return []T{0, 1, 2, ^T(0), highest, highest - 1, highest + 1}
}

func specialFloats[T datatype.Float](largest, smallest, signalling T) []T {
	inf, zero := T(math.Inf(1)), T(0)
	return []T{0, -zero, T(math.Copysign(0, -1)), 1, -1, 0.5, inf, -inf, T(math.NaN()), -T(math.NaN()),
		largest, -largest, smallest, -smallest, signalling}
}

func specialComplex[T datatype.Complex, F datatype.Float](join func(re, im F) T, parts []F) []T {
	var all []T
	for _, re := range parts {
		for _, im := range parts {
			all = append(all, join(re, im))
		}
	}
	return all
}

type kelvin float64 // a type of a user's
type flags uint8

// everyType calls do with what a test needs for each element type.
func everyType(t *testing.T, do func(t *testing.T, c subject)) {
	for _, c := range subjects() {
		t.Run(c.name, func(t *testing.T) { do(t, c) })
	}
}

func subjects() []subject {
	f64 := specialFloats(math.MaxFloat64, math.SmallestNonzeroFloat64, math.Float64frombits(0x7ff0000000000123))
	f32 := specialFloats[float32](math.MaxFloat32, math.SmallestNonzeroFloat32, math.Float32frombits(0xff800123))
	return []subject{
		of("int", bitwise[int](), specialInts[int]()), of("uint", bitwise[uint](), specialInts[uint]()),
		of("int8", bitwise[int8](), specialInts[int8]()), of("uint8", bitwise[uint8](), specialInts[uint8]()),
		of("int16", bitwise[int16](), specialInts[int16]()), of("uint16", bitwise[uint16](), specialInts[uint16]()),
		of("int32", bitwise[int32](), specialInts[int32]()), of("uint32", bitwise[uint32](), specialInts[uint32]()),
		of("int64", bitwise[int64](), specialInts[int64]()), of("uint64", bitwise[uint64](), specialInts[uint64]()),
		of("float32", ordered[float32](), f32), of("float64", ordered[float64](), f64),
		of("complex64", arithmetic[complex64](), specialComplex(func(a, b float32) complex64 { return complex(a, b) }, f32)),
		of("complex128", arithmetic[complex128](), specialComplex(func(a, b float64) complex128 { return complex(a, b) }, f64)),
		of("kelvin", ordered[kelvin](), specialFloats[kelvin](math.MaxFloat64, math.SmallestNonzeroFloat64, kelvin(math.Float64frombits(0xfff4000000000000)))),
		of("flags", bitwise[flags](), specialInts[flags]()),
	}
}

// A subject is an element type with its operations and what can be done with them,
// the type itself forgotten.
type subject struct {
	name string
	// agree compares one operation with its definition, or plain loop, for
	// vectors of n elements that begin at elements offsets of their memory, dst
	// being a where alias is 1 and b where it is 2.
	agree func(t *testing.T, r *rand.Rand, n int, offsets [3]int, alias int)
	// bytes does so for vectors with the bytes given.
	bytes func(t *testing.T, a, b []byte)
	// cut compares one call with two over the same elements elsewhere in memory.
	cut func(t *testing.T, r *rand.Rand, n int)
	// allocs is how many allocations one run of all operations takes.
	allocs func() float64
	// mismatch is what the operations panic with where lengths differ.
	mismatch func(dst, a, b int) []string
}

func of[T comparable](name string, twins []twin[T], special []T) subject {
	size := int(unsafe.Sizeof(*new(T)))
	compare := func(t *testing.T, w twin[T], dst, a0, b0 []T, where string) {
		t.Helper()
		plain := make([]T, len(a0))
		w.plain(plain, a0, b0)
		for i := range dst {
			want := w.one(a0[i], b0[i])
			same := same[T]
			if w.op == minimum || w.op == maximum {
				same = identical[T] // their NaN is always the same one
			}
			if !same(dst[i], want) || !same(plain[i], want) {
				t.Fatalf("%s of %v, %s, element %d of %d: %v ⊕ %v is %v, plain %v, want %v",
					w.name, name, where, i, len(dst), a0[i], b0[i], dst[i], plain[i], want)
			}
		}
	}
	s := subject{name: name}
	s.agree = func(t *testing.T, r *rand.Rand, n int, offsets [3]int, alias int) {
		t.Helper()
		var memory [3][]T
		for k := range memory {
			memory[k] = make([]T, n+2*64)
		}
		for _, w := range twins {
			withSpecial(memory[0], r, special)
			withSpecial(memory[1], r, special)
			withSpecial(memory[2], r, special)
			part := func(k int) []T { return memory[k][offsets[k] : offsets[k]+n] }
			dst, a, b := part(0), part(1), part(2)
			into := 0
			switch alias {
			case 1:
				dst, into = a, 1
			case 2:
				dst, into = b, 2
			case 3:
				dst, b, into = a, a, 1
			}
			before := [3][]T{clone(memory[0]), clone(memory[1]), clone(memory[2])}
			a0, b0 := clone(a), clone(b)
			w.vector(dst, a, b)
			where := fmt.Sprintf("elements from %v on, alias %d", offsets, alias)
			compare(t, w, dst, a0, b0, where)
			for k := range memory {
				for i, x := range memory[k] {
					inside := k == into && i >= offsets[k] && i < offsets[k]+n
					if !inside && !identical(x, before[k][i]) {
						t.Fatalf("%s of %s, %s: element %d of vector %d, outside of the %d that dst has, was %v and is %v",
							w.name, name, where, i-offsets[k], k, n, before[k][i], x)
					}
				}
			}
		}
	}
	s.bytes = func(t *testing.T, x, y []byte) {
		n := min(len(x), len(y)) / size
		a, b, dst := make([]T, n), make([]T, n), make([]T, n)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a))), n*size), x)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b))), n*size), y)
		for _, w := range twins {
			w.vector(dst, a, b)
			compare(t, w, dst, a, b, "fuzzed")
		}
	}
	s.cut = func(t *testing.T, r *rand.Rand, n int) {
		a, b, whole := make([]T, n), make([]T, n), make([]T, n)
		for _, w := range twins {
			withSpecial(a, r, special)
			withSpecial(b, r, special)
			w.vector(whole, a, b)
			at := r.IntN(n + 1)
			for _, part := range [][2]int{{0, at}, {at, n}} {
				lead := r.IntN(64)
				m := part[1] - part[0]
				dst := make([]T, lead+m)[lead:]
				w.vector(dst, clone(a[part[0]:part[1]]), clone(b[part[0]:part[1]]))
				for i, x := range dst {
					if want := whole[part[0]+i]; bits(x) != bits(want) {
						t.Fatalf("%s of %s, elements %d to %d of %d, the first at %d: %v ⊕ %v has bits %x, in the whole %x",
							w.name, name, part[0], part[1], n, lead, a[part[0]+i], b[part[0]+i], bits(x), bits(want))
					}
				}
			}
		}
	}
	s.allocs = func() float64 {
		a, b := make([]T, 100), make([]T, 100)
		return testing.AllocsPerRun(10, func() {
			for _, w := range twins {
				w.vector(a, a, b)
			}
		})
	}
	s.mismatch = func(dst, a, b int) []string {
		var texts []string
		for _, w := range twins {
			func() {
				defer func() { texts = append(texts, fmt.Sprint(recover())) }()
				w.vector(make([]T, dst), make([]T, a), make([]T, b))
			}()
			if text := texts[len(texts)-1]; !strings.Contains(text, "kernel."+w.name+":") {
				return []string{text + " without the name " + w.name}
			}
		}
		return texts
	}
	return s
}

func clone[T any](x []T) []T { return append([]T(nil), x...) }

// bits is x as text of its memory.
func bits[T any](x T) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(&x)), unsafe.Sizeof(x)))
}

func identical[T any](x, y T) bool { return bits(x) == bits(y) }

// same reports whether x and y have the same bits, any NaN from arithmetic being as
// good as another.
func same[T comparable](x, y T) bool {
	if bits(x) == bits(y) {
		return true
	}
	nan := func(a, b float64) bool { return a != a && b != b || math.Float64bits(a) == math.Float64bits(b) }
	switch x := any(x).(type) {
	case complex64:
		y := any(y).(complex64)
		return nan(float64(real(x)), float64(real(y))) && nan(float64(imag(x)), float64(imag(y)))
	case complex128:
		y := any(y).(complex128)
		return nan(real(x), real(y)) && nan(imag(x), imag(y))
	}
	return x != x && y != y
}
