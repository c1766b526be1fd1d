package kernel

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// everySet runs do with each set of leaves in use that this processor can run.
func everySet(t *testing.T, do func(t *testing.T)) {
	eachSet(func(name string) { t.Run(name, do) })
}

func TestEveryElementIsWhatTheDefinitionSays(t *testing.T) {
	everySet(t, func(t *testing.T) {
		everyType(t, func(t *testing.T, c subject) {
			r := rand.New(rand.NewPCG(1, 2))
			for n := range 301 {
				c.agree(t, r, n, [3]int{r.IntN(64), r.IntN(64), r.IntN(64)}, n%4)
			}
			for offset := range 64 { // of dst, which decides where the loops begin
				c.agree(t, r, []int{3, 64, 65, 257}[r.IntN(4)], [3]int{offset, 0, 1}, 0)
			}
		})
	})
}

// TestElementsStayWholeOffTheirAlignment takes float64 that begin at any byte, as
// Go's own slices never do, but bytes seen as numbers may.
func TestElementsStayWholeOffTheirAlignment(t *testing.T) {
	everySet(t, func(t *testing.T) {
		const n = 77
		a := make([]float64, n)
		memory := make([]float64, n+1)
		for i := range a {
			a[i] = float64(i) + 1.0/3
		}
		for offset := range 8 {
			dst := unsafe.Slice((*float64)(unsafe.Add(unsafe.Pointer(&memory[0]), offset)), n)
			copy(dst, a)
			Sum(dst, dst, a)
			for i, x := range dst {
				if x != 2*a[i] {
					t.Fatalf("float64 at an address of %d modulo 8, element %d of %d: %v, want %v", offset, i, n, x, 2*a[i])
				}
			}
		}
	})
}

// TestLongVectors takes lengths around those at which a leaf is called again.
func TestLongVectors(t *testing.T) {
	everySet(t, func(t *testing.T) {
		everyType(t, func(t *testing.T, c subject) {
			lengths := map[string][]int{ // one narrow and one wide type will do
				"int8":    {128<<10 + 1, 192<<10 + 3},
				"float64": {16 << 10, 16<<10 + 1, 24<<10 + 1},
			}
			r := rand.New(rand.NewPCG(3, 4))
			for _, n := range lengths[c.name] {
				c.agree(t, r, n, [3]int{3, 2, 1}, r.IntN(4))
			}
		})
	})
}

// TestAnElementHasTheSameBitsWhereverItIs holds for NaN too: its payload may not
// depend on where a vector is cut, or two ranks could disagree.
func TestAnElementHasTheSameBitsWhereverItIs(t *testing.T) {
	everySet(t, func(t *testing.T) {
		everyType(t, func(t *testing.T, c subject) {
			r := rand.New(rand.NewPCG(5, 6))
			for n := range 200 {
				c.cut(t, r, n)
			}
		})
	})
}

func TestNothingIsAllocated(t *testing.T) {
	everySet(t, func(t *testing.T) {
		everyType(t, func(t *testing.T, c subject) {
			if got := c.allocs(); got != 0 {
				t.Errorf("all operations on %s: %v allocations, want 0", c.name, got)
			}
		})
	})
}

func TestLengthsThatDifferPanic(t *testing.T) {
	everyType(t, func(t *testing.T, c subject) {
		for _, n := range [][3]int{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {4, 4, 5}, {4, 5, 4}, {3, 4, 4}} {
			want := fmt.Sprintf("lengths %d, %d and %d of dst, a and b differ", n[0], n[1], n[2])
			for _, text := range c.mismatch(n[0], n[1], n[2]) {
				if !strings.HasSuffix(text, want) {
					t.Errorf("%s: %q, want %q", c.name, text, want)
				}
			}
		}
	})
}

// FuzzElements takes any bits for the operands, as elements of every type.
func FuzzElements(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\xf0\x7f"), []byte("\x01\x00\x00\x00\x00\x00\xf0\xff"))
	f.Add([]byte(strings.Repeat("\x00\x00\x80\xff\x00\x00\x00\x80", 40)), []byte(strings.Repeat("\x01\x00\x80\x7f\x00\x00\x00\x00", 40)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		eachSet(func(name string) {
			t.Log("leaves:", name)
			for _, c := range subjects() {
				c.bytes(t, a, b)
			}
		})
	})
}
