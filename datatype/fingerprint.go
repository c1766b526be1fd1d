package datatype

import (
	"fmt"
	"math/bits"
	"reflect"
	"sync"
)

// The fingerprints of the basic layouts. They travel in headers, so a number
// once given stays.
const (
	printUntyped uint32 = iota
	printBool
	printInt8
	printInt16
	printInt32
	printInt64
	printUint8
	printUint16
	printUint32
	printUint64
	printFloat32
	printFloat64
	printComplex64
	printComplex128
	printEmpty // types of size 0

	printComposed = 64 // composed layouts have fingerprints from here on
)

// basic lists what a fingerprint below printComposed stands for.
var basic = [...]struct {
	name string
	size uintptr
}{
	printUntyped:    {"untyped", 0},
	printBool:       {"bool", 1},
	printInt8:       {"int8", 1},
	printInt16:      {"int16", 2},
	printInt32:      {"int32", 4},
	printInt64:      {"int64", 8},
	printUint8:      {"uint8", 1},
	printUint16:     {"uint16", 2},
	printUint32:     {"uint32", 4},
	printUint64:     {"uint64", 8},
	printFloat32:    {"float32", 4},
	printFloat64:    {"float64", 8},
	printComplex64:  {"complex64", 8},
	printComplex128: {"complex128", 16},
	printEmpty:      {"struct{}", 0},
}

// names holds the first type of this process that had a composed fingerprint.
var names struct {
	sync.Mutex
	of map[uint32]string
}

// Describe names a fingerprint for a message to a person: as a basic type, as
// the first type of this process that was found to have it, or by its number.
func Describe(fingerprint uint32) string {
	if fingerprint < uint32(len(basic)) {
		return basic[fingerprint].name
	}
	names.Lock()
	defer names.Unlock()
	if name, ok := names.of[fingerprint]; ok {
		return name
	}
	return fmt.Sprintf("layout %#08x", fingerprint)
}

// examine finds out all about t.
func examine(t reflect.Type) *element {
	if where, what := obstacle(t, t.String()); what != "" {
		return &element{err: fmt.Errorf("datatype: %s is %s: %w", where, what, ErrType)}
	}
	for t.Kind() == reflect.Array && t.Len() > 0 {
		t = t.Elem() // a slice of arrays lies as a slice of their elements
	}
	print := fingerprintOf(t)
	if print >= printComposed {
		names.Lock()
		defer names.Unlock()
		if names.of == nil {
			names.of = make(map[uint32]string)
		}
		if _, taken := names.of[print]; !taken {
			names.of[print] = t.String()
		}
	}
	return &element{print: print}
}

// obstacle returns where in a t that is called path something lies that cannot
// travel, and what it is; "" if nothing does. An array of length 0 is no
// obstacle whatever its elements: none of them is in memory.
func obstacle(t reflect.Type, path string) (where, what string) {
	switch t.Kind() {
	case reflect.Array:
		if t.Len() > 0 {
			return obstacle(t.Elem(), path+"[]")
		}
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if where, what = obstacle(f.Type, path+"."+f.Name); what != "" {
				return where, what
			}
		}
	case reflect.Pointer:
		return path, "a pointer"
	case reflect.String, reflect.Slice, reflect.Map, reflect.Func:
		return path, "a " + t.Kind().String()
	case reflect.Chan:
		return path, "a channel"
	case reflect.Interface:
		return path, "an interface"
	case reflect.UnsafePointer:
		return path, "an unsafe.Pointer"
	case reflect.Uintptr:
		return path, "a uintptr"
	}
	return "", ""
}

// fingerprintOf returns the fingerprint of a t without obstacle.
//
// The memory of t is read as a text with a letter for each byte: the
// number of a basic layout where a value of it begins, 0 elsewhere. A slice of
// t is a repetition of that text, so what stands for the layout is the
// shortest text with the same repetition.
func fingerprintOf(t reflect.Type) uint32 {
	period := t.Size()
	if period == 0 {
		return printEmpty
	}
	// The lengths that divide a text and repeat in it are closed under greatest
	// common divisors, so the shortest is found one prime at a time.
	whole := textHash(t, t.Size())
	repeats := func(length uintptr) bool {
		return whole == repeat(textHash(t, length), length, t.Size()/length)
	}
	reduce := func(prime uintptr) {
		for period%prime == 0 && repeats(period/prime) {
			period /= prime
		}
	}
	rest := period
	for prime := uintptr(2); prime <= rest/prime; prime++ {
		if rest%prime == 0 {
			reduce(prime)
		}
		for rest%prime == 0 {
			rest /= prime
		}
	}
	if rest > 1 {
		reduce(rest)
	}

	text := textHash(t, period)
	if text < uint64(len(basic)) && basic[text].size == period {
		return uint32(text)
	}
	// The period goes in as one more letter; multiplying spreads what differs to
	// the high bits, which are the ones kept.
	print := uint32(mulMod(addMod(mulMod(text, hashBase), uint64(period)), hashBase) >> (61 - 32))
	if print < printComposed {
		print += printComposed
	}
	return print
}

// textHash returns the hash of the first n ≤ t.Size() letters of t: the sum of
// letter·hashBase^place in the field of integers modulo 2⁶¹−1. Unlike the text
// it is short for an array of any length.
func textHash(t reflect.Type, n uintptr) uint64 {
	if n == 0 {
		return 0
	}
	switch t.Kind() {
	case reflect.Array:
		size := t.Elem().Size()
		count := n / size
		return addMod(repeat(textHash(t.Elem(), size), size, count),
			mulMod(powMod(uint64(count*size)), textHash(t.Elem(), n-count*size)))
	case reflect.Struct:
		var h uint64
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Offset < n {
				part := textHash(f.Type, min(f.Type.Size(), n-f.Offset))
				h = addMod(h, mulMod(powMod(uint64(f.Offset)), part))
			}
		}
		return h
	}
	return uint64(letter(t))
}

// letter returns the number of the basic layout that t has.
func letter(t reflect.Type) uint32 {
	switch t.Kind() {
	case reflect.Bool:
		return printBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return printInt8 + uint32(bits.TrailingZeros(uint(t.Size())))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return printUint8 + uint32(bits.TrailingZeros(uint(t.Size())))
	case reflect.Float32:
		return printFloat32
	case reflect.Float64:
		return printFloat64
	case reflect.Complex64:
		return printComplex64
	default:
		return printComplex128
	}
}

const (
	hashPrime = 1<<61 - 1
	hashBase  = 0x13b9_79b9_7f4a_7c15 // below hashPrime, otherwise of no meaning
)

func addMod(a, b uint64) uint64 { return (a + b) % hashPrime }

func mulMod(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return bits.Rem64(hi, lo, hashPrime)
}

// powMod returns hashBase^n.
func powMod(n uint64) uint64 {
	result := uint64(1)
	for square := uint64(hashBase); n > 0; n >>= 1 {
		if n&1 != 0 {
			result = mulMod(result, square)
		}
		square = mulMod(square, square)
	}
	return result
}

// repeat returns the hash of count times a text of length n and hash h.
func repeat(h uint64, n, count uintptr) uint64 {
	var result uint64
	for step := powMod(uint64(n)); count > 0; count >>= 1 {
		if count&1 != 0 {
			result = addMod(mulMod(result, step), h)
		}
		h = addMod(h, mulMod(h, step)) // the text twice
		step = mulMod(step, step)
	}
	return result
}
