//go:build !noasm

package kernel

import (
	"reflect"
	"testing"

	"golang.org/x/sys/cpu"
)

// eachSet calls do with each set of leaves that the processor can run in use, and
// with none.
func eachSet(do func(name string)) {
	usual := chosen
	defer func() { chosen = usual }()
	chosen = nil
	do("none")
	if cpu.X86.HasAVX2 {
		chosen = &avx2
		do("AVX2")
	}
	if usual == &avx512 {
		chosen = &avx512
		do("AVX-512")
	}
}

// TestTheSetsHaveWhatTheyShould keeps a leaf from being left out of a table: the
// loop would stand in for it unseen.
func TestTheSetsHaveWhatTheyShould(t *testing.T) {
	is := func(k reflect.Kind, of ...reflect.Kind) bool {
		for _, o := range of {
			if k == o {
				return true
			}
		}
		return false
	}
	for name, s := range map[string]*set{"AVX2": &avx2, "AVX-512": &avx512} {
		for op := range operations {
			for kind := reflect.Int; kind <= reflect.Complex128; kind++ {
				float := is(kind, reflect.Float32, reflect.Float64)
				compound := is(kind, reflect.Complex64, reflect.Complex128)
				narrow, wide := is(kind, reflect.Int8, reflect.Uint8), is(kind, reflect.Int, reflect.Uint, reflect.Int64, reflect.Uint64)
				want := !compound && !(float && op >= bitAnd)
				switch {
				case kind == reflect.Uintptr:
					want = false
				case op == sum:
					want = true
				case op == product:
					want = !compound && !narrow && !(wide && s == &avx2)
				}
				if got := s.leaves[op][kind] != nil; got != want {
					t.Errorf("%s, operation %d, %s: there is a leaf: %v, want %v", name, op, kind, got, want)
				}
			}
		}
	}
}
