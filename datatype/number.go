package datatype

// Signed is the constraint of the signed integers.
type Signed interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64
}

// Unsigned is the constraint of the unsigned integers that travel; a uintptr
// does not.
type Unsigned interface {
	~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Integer is the constraint of the types that have bitwise operations and
// whose sums do not depend on their order.
type Integer interface{ Signed | Unsigned }

// Float is the constraint of the floating-point types.
type Float interface{ ~float32 | ~float64 }

// Complex is the constraint of the complex types.
type Complex interface{ ~complex64 | ~complex128 }

// Real is the constraint of the types that have an order, and so a minimum and
// a maximum.
type Real interface{ Integer | Float }

// Number is the constraint of the types that can be added and multiplied.
type Number interface{ Integer | Float | Complex }
