package collectives

import (
	"reflect"

	"github.com/muster-mpi/muster/datatype"
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

// Sum adds (MPI_SUM).
func Sum[T datatype.Number]() Op[T] {
	if f, ok := plain[T](sums); ok {
		return Op[T]{"Sum", f, true}
	}
	return Op[T]{"Sum", kernelSum[T], true}
}

// Product multiplies (MPI_PROD).
func Product[T datatype.Number]() Op[T] { return Op[T]{"Product", kernelProduct[T], true} }

// Min takes the lesser (MPI_MIN), as the builtin min does: NaN if either is, and −0
// before 0.
func Min[T datatype.Real]() Op[T] { return Op[T]{"Min", kernelMin[T], true} }

// Max takes the greater (MPI_MAX); as Min.
func Max[T datatype.Real]() Op[T] { return Op[T]{"Max", kernelMax[T], true} }

// And is 1 where both are not zero, else 0 (MPI_LAND).
func And[T datatype.Real]() Op[T] { return Op[T]{"And", kernelAnd[T], true} }

// Or is 1 where one is not zero, else 0 (MPI_LOR).
func Or[T datatype.Real]() Op[T] { return Op[T]{"Or", kernelOr[T], true} }

// Xor is 1 where exactly one is not zero, else 0 (MPI_LXOR).
func Xor[T datatype.Real]() Op[T] { return Op[T]{"Xor", kernelXor[T], true} }

// BitAnd is the bitwise and (MPI_BAND).
func BitAnd[T datatype.Integer]() Op[T] { return Op[T]{"BitAnd", kernelBitAnd[T], true} }

// BitOr is the bitwise or (MPI_BOR).
func BitOr[T datatype.Integer]() Op[T] { return Op[T]{"BitOr", kernelBitOr[T], true} }

// BitXor is the bitwise exclusive or (MPI_BXOR).
func BitXor[T datatype.Integer]() Op[T] { return Op[T]{"BitXor", kernelBitXor[T], true} }

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

// exact reports whether reductions of T give the same whatever the brackets: those
// of integers and bools do, those of anything with rounding do not. What a
// function of the program does on integers is its promise.
func exact[T any]() bool {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}
