package collectives

import (
	"reflect"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/internal/kernel"
)

// Op combines elements of several ranks (MPI_Op, MPI 4.1 §6.9). It must be
// associative.
type Op[T any] struct {
	Name string // the same on all ranks, which is checked
	// Apply sets dst[i] = a[i] ⊕ b[i]; a comes from lower ranks than b. The three are
	// of the same length, and dst may be a or b. It is called on pieces of the vector,
	// by several goroutines where several operations are under way.
	Apply    func(dst, a, b []T)
	Commutes bool // a ⊕ b is b ⊕ a
}

// Operation makes an Op. It is what collectives take, so that an operation is
// passed by its name alone: AllReduce(ctx, c, x, Sum).
type Operation[T any] func() Op[T]

// Each makes an Operation of a function on elements (MPI_Op_create). name must be
// the same on all ranks. With commutes the function's operands may be swapped.
func Each[T any](name string, commutes bool, f func(a, b T) T) Operation[T] {
	if f == nil {
		return func() Op[T] { return Op[T]{Name: name} } // which the call refuses
	}
	op := Op[T]{name, func(dst, a, b []T) {
		for i := range dst {
			dst[i] = f(a[i], b[i])
		}
	}, commutes}
	return func() Op[T] { return op }
}

// Slices makes an Operation of a function on slices; as Each. f must do what
// Op.Apply is to do.
func Slices[T any](name string, commutes bool, f func(dst, a, b []T)) Operation[T] {
	op := Op[T]{name, f, commutes}
	return func() Op[T] { return op }
}

// Sum adds (MPI_SUM). Integers wrap around.
func Sum[T datatype.Number]() Op[T] {
	if op, ok := predefined[T]("Sum", sums); ok {
		return op
	}
	return Op[T]{"Sum", kernel.Sum[T], true}
}

// Product multiplies (MPI_PROD). Integers wrap around.
func Product[T datatype.Number]() Op[T] {
	if op, ok := predefined[T]("Product", products); ok {
		return op
	}
	return Op[T]{"Product", kernel.Product[T], true}
}

// Min takes the lesser (MPI_MIN), as the builtin min does: NaN if either is, and −0
// before 0.
func Min[T datatype.Real]() Op[T] {
	if op, ok := predefined[T]("Min", minima); ok {
		return op
	}
	return Op[T]{"Min", kernel.Min[T], true}
}

// Max takes the greater (MPI_MAX); as Min.
func Max[T datatype.Real]() Op[T] {
	if op, ok := predefined[T]("Max", maxima); ok {
		return op
	}
	return Op[T]{"Max", kernel.Max[T], true}
}

// And is 1 where both are not zero, else 0 (MPI_LAND).
func And[T datatype.Real]() Op[T] {
	if op, ok := predefined[T]("And", ands); ok {
		return op
	}
	return Op[T]{"And", kernel.LogicalAnd[T], true}
}

// Or is 1 where one is not zero, else 0 (MPI_LOR).
func Or[T datatype.Real]() Op[T] {
	if op, ok := predefined[T]("Or", ors); ok {
		return op
	}
	return Op[T]{"Or", kernel.LogicalOr[T], true}
}

// Xor is 1 where exactly one is not zero, else 0 (MPI_LXOR).
func Xor[T datatype.Real]() Op[T] {
	if op, ok := predefined[T]("Xor", xors); ok {
		return op
	}
	return Op[T]{"Xor", kernel.LogicalXor[T], true}
}

// BitAnd is the bitwise and (MPI_BAND).
func BitAnd[T datatype.Integer]() Op[T] {
	if op, ok := predefined[T]("BitAnd", bitAnds); ok {
		return op
	}
	return Op[T]{"BitAnd", kernel.BitAnd[T], true}
}

// BitOr is the bitwise or (MPI_BOR).
func BitOr[T datatype.Integer]() Op[T] {
	if op, ok := predefined[T]("BitOr", bitOrs); ok {
		return op
	}
	return Op[T]{"BitOr", kernel.BitOr[T], true}
}

// BitXor is the bitwise exclusive or (MPI_BXOR).
func BitXor[T datatype.Integer]() Op[T] {
	if op, ok := predefined[T]("BitXor", bitXors); ok {
		return op
	}
	return Op[T]{"BitXor", kernel.BitXor[T], true}
}

// The functions of the element types that most programs reduce. A function value made
// of a generic function within another is a new one each time; these are made once.
var (
	sums     = []any{kernel.Sum[int], kernel.Sum[int64], kernel.Sum[int32], kernel.Sum[uint64], kernel.Sum[uint8], kernel.Sum[float64], kernel.Sum[float32], kernel.Sum[complex128]}
	products = []any{kernel.Product[int], kernel.Product[int64], kernel.Product[int32], kernel.Product[uint64], kernel.Product[uint8], kernel.Product[float64], kernel.Product[float32], kernel.Product[complex128]}
	minima   = []any{kernel.Min[int], kernel.Min[int64], kernel.Min[int32], kernel.Min[uint64], kernel.Min[uint8], kernel.Min[float64], kernel.Min[float32]}
	maxima   = []any{kernel.Max[int], kernel.Max[int64], kernel.Max[int32], kernel.Max[uint64], kernel.Max[uint8], kernel.Max[float64], kernel.Max[float32]}
	ands     = []any{kernel.LogicalAnd[int], kernel.LogicalAnd[int64], kernel.LogicalAnd[int32], kernel.LogicalAnd[uint64], kernel.LogicalAnd[uint8], kernel.LogicalAnd[float64], kernel.LogicalAnd[float32]}
	ors      = []any{kernel.LogicalOr[int], kernel.LogicalOr[int64], kernel.LogicalOr[int32], kernel.LogicalOr[uint64], kernel.LogicalOr[uint8], kernel.LogicalOr[float64], kernel.LogicalOr[float32]}
	xors     = []any{kernel.LogicalXor[int], kernel.LogicalXor[int64], kernel.LogicalXor[int32], kernel.LogicalXor[uint64], kernel.LogicalXor[uint8], kernel.LogicalXor[float64], kernel.LogicalXor[float32]}
	bitAnds  = []any{kernel.BitAnd[int], kernel.BitAnd[int64], kernel.BitAnd[int32], kernel.BitAnd[uint64], kernel.BitAnd[uint8]}
	bitOrs   = []any{kernel.BitOr[int], kernel.BitOr[int64], kernel.BitOr[int32], kernel.BitOr[uint64], kernel.BitOr[uint8]}
	bitXors  = []any{kernel.BitXor[int], kernel.BitXor[int64], kernel.BitXor[int32], kernel.BitXor[uint64], kernel.BitXor[uint8]}
)

// predefined returns the Op called name whose function is the one of ready for T, if
// there is one.
func predefined[T any](name string, ready []any) (Op[T], bool) {
	for _, f := range ready {
		if f, ok := f.(func(dst, a, b []T)); ok {
			return Op[T]{name, f, true}, true
		}
	}
	return Op[T]{}, false
}

// Located is a value and where it is, for MinLoc and MaxLoc.
type Located[T datatype.Real] struct {
	Value T
	Index int64
}

// MinLoc takes the lesser value with its index, of equal ones the smaller index
// (MPI_MINLOC). A NaN is less than all else.
func MinLoc[T datatype.Real]() Op[Located[T]] {
	return Op[Located[T]]{"MinLoc", func(dst, a, b []Located[T]) {
		for i := range dst {
			dst[i] = prior(a[i], b[i], a[i].Value < b[i].Value)
		}
	}, true}
}

// MaxLoc takes the greater value with its index, of equal ones the smaller index
// (MPI_MAXLOC). A NaN is greater than all else.
func MaxLoc[T datatype.Real]() Op[Located[T]] {
	return Op[Located[T]]{"MaxLoc", func(dst, a, b []Located[T]) {
		for i := range dst {
			dst[i] = prior(a[i], b[i], a[i].Value > b[i].Value)
		}
	}, true}
}

// prior returns a if its value wins or the values are equal, or both NaN, and its
// index is the smaller; else b.
func prior[T datatype.Real](a, b Located[T], wins bool) Located[T] {
	aNaN, bNaN := a.Value != a.Value, b.Value != b.Value
	switch {
	case aNaN != bNaN:
		wins = aNaN
	case aNaN || a.Value == b.Value:
		wins = a.Index < b.Index
	}
	if wins {
		return a
	}
	return b
}

// isExact reports whether reductions of T give the same whatever the brackets: those
// of integers and bools do, those of anything with rounding do not. What a
// function of the program does on integers is its promise.
func isExact[T any]() bool {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}
