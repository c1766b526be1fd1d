package plan

import "unsafe"

// alignment of buffers: that of a huge page, so that luck has no part in it.
const alignment = 2 << 20

// Buffer returns n bytes, aligned, that are all there: touched, so that no page is made
// in a timed loop.
func Buffer(n int) []byte {
	b := make([]byte, n+alignment)
	off := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % alignment
	b = b[off : off+uintptr(n) : off+uintptr(n)]
	for i := range b {
		b[i] = 1
	}
	return b
}
