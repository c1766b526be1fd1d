package engine

import (
	"math/bits"
	"sync"
)

// Payloads of unexpected messages come from pools by powers of two, 64 bytes
// to the largest eager message anyone sets.
var pools [25]sync.Pool

// getBytes returns n bytes of any content; nil for none.
func getBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	class := bits.Len(uint(max(n, 64) - 1))
	if class >= len(pools) {
		return make([]byte, n)
	}
	if b, ok := pools[class].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return make([]byte, n, 1<<class)
}

// putBytes gives back what getBytes returned.
func putBytes(b []byte) {
	if class := bits.Len(uint(max(cap(b), 1) - 1)); cap(b) >= 64 && class < len(pools) && cap(b) == 1<<class {
		pools[class].Put(&b)
	}
}
