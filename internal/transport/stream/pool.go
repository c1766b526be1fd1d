package stream

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// buffers is where gRPC takes the memory from into which it reads: HTTP/2 frames
// of at most 16 KiB. gRPC's own pool clears what it hands out, which was one part
// in twenty of the processor time of a long transfer; here whoever takes a buffer
// overwrites it.
var buffers mem.BufferPool = new(pool)

type pool struct {
	small, large sync.Pool // of *[]byte of exactly these capacities
}

const (
	smallBuffer = 4 << 10
	largeBuffer = 16 << 10
)

// Get implements mem.BufferPool.
func (p *pool) Get(n int) *[]byte {
	var free *sync.Pool
	size := n
	switch {
	case n <= smallBuffer:
		free, size = &p.small, smallBuffer
	case n <= largeBuffer:
		free, size = &p.large, largeBuffer
	}
	if free != nil {
		if b, ok := free.Get().(*[]byte); ok {
			*b = (*b)[:n]
			return b
		}
	}
	b := make([]byte, n, size)
	return &b
}

// Put implements mem.BufferPool.
func (p *pool) Put(b *[]byte) {
	switch cap(*b) {
	case smallBuffer:
		p.small.Put(b)
	case largeBuffer:
		p.large.Put(b)
	}
}
