package plan

import (
	"testing"
	"unsafe"
)

func TestBuffersAreAligned(t *testing.T) {
	for _, n := range []int{1, 5000} {
		b := Buffer(n)
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(b))); len(b) != n || at%alignment != 0 {
			t.Errorf("%d bytes: %d at %#x", n, len(b), at)
		}
	}
}
