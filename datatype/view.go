package datatype

import (
	"errors"
	"fmt"
	"iter"
	"unsafe"

	"github.com/muster-mpi/muster/internal/layout"
)

var (
	// ErrView is the class of errors about a View whose shape does not fit
	// its slice.
	ErrView = errors.New("view does not fit its slice")
	// ErrOverlap is the class of errors about writing to a View in which an
	// element occurs twice.
	ErrOverlap = errors.New("view names an element twice")
)

// View is a selection of the elements of a slice, in an order. It holds the
// slice and no elements of its own: what is sent from a View is read from the
// slice, and what is received into it is written there.
//
// A View is a value, and immutable. The zero View is empty. A View that could
// not be made holds the reason instead, which [View.Err] and every call that
// uses the View return, so that a View can be made in the argument list of the
// call it is for.
type View[T any] struct {
	buffer layout.Buffer
	n      int
	err    error
}

// Contiguous returns the View of all of s. Errors of the View: ErrType.
func Contiguous[T any](s []T) View[T] {
	if err := Check[T](); err != nil {
		return View[T]{err: err}
	}
	return View[T]{buffer: layout.Of(layout.BytesOf(s)), n: len(s)}
}

// build returns the View of n elements where plan finds them in s. The callers
// have checked all that layout checks.
func build[T any](s []T, n int, plan *layout.Plan, err error) View[T] {
	var b layout.Buffer
	if err == nil {
		b, err = layout.WithPlan(layout.BytesOf(s), plan)
	}
	if err != nil {
		return View[T]{err: fmt.Errorf("datatype: %w: %w", ErrView, err)}
	}
	return View[T]{buffer: b, n: n}
}

func refuse[T any](format string, args ...any) View[T] {
	return View[T]{err: fmt.Errorf("datatype: "+format+": %w", append(args, ErrView)...)}
}

// Len returns the number of elements of v.
func (v View[T]) Len() int { return v.n }

// Err returns why v could not be made, or nil. Classes: ErrType, ErrView.
func (v View[T]) Err() error { return v.err }

// Overlaps reports whether some element of the slice occurs in v more than
// once. Such a View can be sent but not received into.
func (v View[T]) Overlaps() bool { return v.buffer.Overlaps() }

// Buffer returns the memory of v. It is for Muster's own packages: its type can
// be used nowhere else.
func (v View[T]) Buffer() layout.Buffer { return v.buffer }

// CopyTo copies the elements of v into dst, as many as both have, and returns
// how many. dst must not share memory with v. Errors: that of v.
func (v View[T]) CopyTo(dst []T) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n := min(len(dst), v.n)
	v.buffer.ReadAt(layout.BytesOf(dst[:n]), 0)
	return n, nil
}

// CopyFrom copies the elements of src to where v names them, as many as both
// have, and returns how many. src must not share memory with v. Errors: that of
// v; ErrOverlap.
func (v View[T]) CopyFrom(src []T) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.Overlaps() {
		return 0, fmt.Errorf("datatype: CopyFrom: %w", ErrOverlap)
	}
	n := min(len(src), v.n)
	v.buffer.WriteAt(layout.BytesOf(src[:n]), 0)
	return n, nil
}

// All yields the elements of v with their places in v; none if v has an error.
func (v View[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		var zero T
		if unsafe.Sizeof(zero) == 0 {
			for i := range v.n {
				if !yield(i, zero) {
					return
				}
			}
			return
		}
		i := 0
		for run := range v.buffer.Runs() {
			// A run is whole elements of the slice that v was made of, so
			// it is aligned as they are.
			for _, e := range unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(run))), len(run)/int(unsafe.Sizeof(zero))) {
				if !yield(i, e) {
					return
				}
				i++
			}
		}
	}
}
