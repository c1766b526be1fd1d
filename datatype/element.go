package datatype

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// ErrType is the class of errors about an element type that cannot travel.
var ErrType = errors.New("element type cannot travel as memory")

// Check returns nil if elements of type T can travel between processes as they
// lie in memory: T is a boolean or a number, or an array or struct of such.
// Pointers, strings, slices, maps, channels, functions, interfaces and uintptrs
// mean nothing to another process; the error names the field that is one, blank
// fields included. A type is examined once in the life of a process. Errors:
// ErrType. Cost: a few nanoseconds, no allocation.
func Check[T any]() error {
	return find((*T)(nil)).err
}

// Fingerprint returns a number for the memory layout of T: two types have the
// same one if their elements, side by side in a slice, lie alike. So a
// struct{X, Y, Z float64} and a [3]float64 have that of float64, and on a 64-bit
// machine an int has that of an int64; names play no part. It is never 0, which
// messages without an element type carry. Layouts that differ have equal numbers
// with a probability of 2⁻³². The same layout has the same number in every
// process. Errors: ErrType. Cost: as Check.
func Fingerprint[T any]() (uint32, error) {
	e := find((*T)(nil))
	return e.print, e.err
}

// element is what is known of a type.
type element struct {
	key   uintptr // see address
	print uint32
	err   error
}

var (
	// known holds every *element ever made, by reflect.Type.
	known sync.Map

	// recent finds those in use without a lock and without hashing an
	// interface: a type has one slot, and types that share one take turns. An
	// element is complete before its Store and never changes, so that a Load
	// may use whatever it gets.
	recent [1 << recentBits]atomic.Pointer[element]
)

const recentBits = 8

// find returns what is known of the type that p, a nil pointer, points to, and
// examines it if nothing is.
func find(p any) *element {
	key := address(p)
	slot := &recent[slotOf(key)]
	if e := slot.Load(); e != nil && e.key == key {
		return e
	}
	return findSlow(p, slot)
}

// address returns the address of the descriptor of p's type, the first word of
// every interface. It identifies the type: one that is written in a program has
// one descriptor, in its read-only data. The same from package reflect costs
// three times as much as all the rest of find.
func address(p any) uintptr { return *(*uintptr)(unsafe.Pointer(&p)) }

// slotOf spreads addresses, which have equal low bits, by Fibonacci hashing.
func slotOf(key uintptr) uint64 { return uint64(key) * 0x9e3779b97f4a7c15 >> (64 - recentBits) }

func findSlow(p any, slot *atomic.Pointer[element]) *element {
	t := reflect.TypeOf(p).Elem()
	found, ok := known.Load(t)
	if !ok {
		e := examine(t)
		e.key = address(p)
		found, _ = known.LoadOrStore(t, e)
	}
	e := found.(*element)
	slot.Store(e)
	return e
}
