package stream

import (
	"hash/crc32"
	"sync"

	"google.golang.org/grpc/mem"
)

// A segment is memory that packets lie in until the peer has acknowledged them.
// Small packets share one, a packet of bulk has one of its own.
//
// gRPC reads a packet from here after SendMsg has returned. Reusing the memory
// is sound without notice from gRPC because it happens after the
// acknowledgement: the peer received the bytes, so the connection's writer has
// read them, once and for all. It is not sound after a reconnect: the writer of
// the broken connection may still be reading what the new one got acknowledged.
// So a broken connection taints every segment in use, and tainted segments are
// left to the garbage collector.
//
// Fields are guarded by the mutex of the link that uses the segment.
type segment struct {
	buf     []byte
	used    int
	packets int // that lie in it
	tainted bool
}

// A packet is built in a segment, waits in its link's queue, is numbered and
// written, and stays until acknowledged.
type packet struct {
	seg      *segment
	from, to int // where in seg.buf it lies, header first
	seq      uint64
	crc      uint32 // of the frames, once written on a link that checks
	summed   bool
	written  bool // the header in seg may not be changed any more
	fin      bool
}

func (p *packet) len() int { return p.to - p.from }

// encode returns p as a gRPC message with the given acknowledgement and flags.
func (p *packet) encode(ack uint64, flags uint8, checks bool) *outgoing {
	if p.fin {
		flags |= flagFin
	}
	frames := p.seg.buf[p.from+packetHead : p.to]
	if checks && !p.summed {
		p.crc, p.summed = crc32.Checksum(frames, castagnoli), true
	}
	h := packetHeader{seq: p.seq, ack: ack, flags: flags}
	head := p.seg.buf[p.from : p.from+packetHead : p.from+packetHead]
	if p.written {
		// The writer of a broken connection may be reading the old header.
		head = make([]byte, packetHead)
	}
	if checks {
		h.seal(head, p.crc)
	} else {
		h.put(head)
	}
	if p.written {
		return &outgoing{mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(frames)}}
	}
	p.written = true
	return &outgoing{mem.BufferSlice{mem.SliceBuffer(p.seg.buf[p.from:p.to])}}
}

// encodeAck returns a packet that only acknowledges.
func encodeAck(ack uint64, checks bool) *outgoing {
	h := packetHeader{ack: ack}
	b := make([]byte, packetHead)
	if checks {
		h.seal(b, 0)
	} else {
		h.put(b)
	}
	return &outgoing{mem.BufferSlice{mem.SliceBuffer(b)}}
}

// segments is a Conn's store of unused segments.
type segments struct {
	size int
	pool sync.Pool
}

func (s *segments) get() *segment {
	if g, ok := s.pool.Get().(*segment); ok {
		return g
	}
	return &segment{buf: make([]byte, s.size)}
}

func (s *segments) put(g *segment) {
	if g.tainted {
		return
	}
	g.used = 0
	s.pool.Put(g)
}

// fifo is a queue that reuses its memory.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int   { return len(q.items) - q.head }
func (q *fifo[T]) at(i int) T { return q.items[q.head+i] }
func (q *fifo[T]) push(v T)   { q.items = append(q.items, v) }

func (q *fifo[T]) pop() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	q.head++
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head >= 64 && q.head >= len(q.items)/2:
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return v
}
