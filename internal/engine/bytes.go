package engine

import "math/bits"

// bytePool keeps memory for the payloads of unexpected messages, by powers of
// two. Engine.mu guards it.
type bytePool [25][][]byte

const (
	smallestClass = 6       // 64 bytes
	spareBytes    = 1 << 20 // kept in each class after a burst
)

func class(n int) int { return max(smallestClass, bits.Len(uint(n-1))) }

// get returns n bytes of any content; nil for none.
func (p *bytePool) get(n int) []byte {
	if n == 0 {
		return nil
	}
	c := class(n)
	if c >= len(p) {
		return make([]byte, n)
	}
	if k := len(p[c]); k > 0 {
		b := p[c][k-1]
		p[c] = p[c][:k-1]
		return b[:n]
	}
	return make([]byte, n, 1<<c)
}

// put takes back what get returned.
func (p *bytePool) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	if c := class(cap(b)); c < len(p) && (len(p[c])+1)<<c <= spareBytes {
		p[c] = append(p[c], b)
	}
}
