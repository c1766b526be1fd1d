package stream

import (
	"hash/crc32"
	"sync"
)

// A segment is memory that packets lie in until the peer has acknowledged them.
// Small packets share one.
//
// gRPC reads a packet after SendMsg has returned, and says nothing when it is
// done. Reusing the memory is sound all the same. Within a connection, because
// the acknowledgement says that the peer received the bytes: they were read,
// once and for all. Across connections, because session.close returns only once
// gRPC's writer has ended. The same holds for user memory that a packet refers
// to, which is free after the acknowledgement.
//
// Fields are guarded by the mutex of the link that uses the segment.
type segment struct {
	buf     []byte
	used    int
	packets int // that lie in it
}

// A packet is built in a segment, waits in its link's queue, is numbered and
// written, and stays until acknowledged.
type packet struct {
	seg      *segment
	from, to int    // where in seg.buf it lies, header first
	user     []byte // what follows there is the caller's, or nil
	last     *held  // of this frame it is the last part
	seq      uint64
	crc      uint32 // of the frames, once written on a link that checks
	summed   bool
	fin      bool
}

func (p *packet) len() int { return p.to - p.from + len(p.user) }

// encode returns p as a gRPC message with the given acknowledgement and flags.
func (p *packet) encode(ack uint64, flags uint8, checks bool) *outgoing {
	if p.fin {
		flags |= flagFin
	}
	b := p.seg.buf[p.from:p.to]
	h := packetHeader{seq: p.seq, ack: ack, flags: flags}
	if checks {
		if !p.summed {
			p.crc = crc32.Update(crc32.Checksum(b[packetHead:], castagnoli()), castagnoli(), p.user)
			p.summed = true
		}
		h.seal(b, p.crc)
	} else {
		h.put(b)
	}
	return newOutgoing(b, p.user)
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
	return newOutgoing(b, nil)
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
