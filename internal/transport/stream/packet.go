package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"google.golang.org/grpc/mem"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// A packet is one gRPC message, little-endian throughout:
//
//	0  u64 sequence number, from 1; 0 in a packet that only acknowledges
//	8  u64 the highest sequence number received in order from the peer
//	16 u32 CRC32C of the frames, continued over this header with the field zero;
//	       zero on links that do not check
//	20 u8  packet flags
//	21     three zero bytes
//	24     frames
//
// and a frame is
//
//	0  u32 n, payload bytes here
//	4  u8  part
//	5      three zero bytes
//	8      wire.Header, in whole and first parts only
//	…      n bytes of payload
const (
	packetHead = 24
	frameHead  = 8

	// maxPacket bounds what this end accepts as one gRPC message.
	maxPacket = 1<<20 + 1<<12
)

const (
	flagAckNow = 1 << iota // the sender wants an acknowledgement without delay
	flagFin                // the sender's last packet: it is closing
)

// The parts of a frame. A Bulk frame is always cut into frames of its own; any
// other frame too long for a packet travels as first, middle …, last.
const (
	partWhole = iota
	partFirst
	partMiddle
	partLast
)

// ErrMalformed is the class of causes of Handler.Lost that blame what the peer
// sent.
var ErrMalformed = errors.New("malformed packet")

// errCorrupt reports bytes changed on the way. It breaks the connection, not
// the link: what was lost is sent again.
var errCorrupt = errors.New("checksum of packet does not match")

// castagnoli returns the table of the checksum. It takes a tenth of a millisecond to
// make, which a rank without gRPC links need not spend at its start.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

type packetHeader struct {
	seq, ack uint64
	crc      uint32
	flags    uint8
}

func (h *packetHeader) put(b []byte) {
	_ = b[packetHead-1]
	binary.LittleEndian.PutUint64(b, h.seq)
	binary.LittleEndian.PutUint64(b[8:], h.ack)
	binary.LittleEndian.PutUint32(b[16:], h.crc)
	b[20], b[21], b[22], b[23] = h.flags, 0, 0, 0
}

// seal fills in the checksum: frames is that of the frames alone, so a packet
// sent again with another acknowledgement is not read again.
func (h *packetHeader) seal(b []byte, frames uint32) {
	h.crc = 0
	h.put(b)
	h.crc = crc32.Update(frames, castagnoli(), b[:packetHead])
	binary.LittleEndian.PutUint32(b[16:], h.crc)
}

func (h *packetHeader) parse(b []byte) error {
	h.seq = binary.LittleEndian.Uint64(b)
	h.ack = binary.LittleEndian.Uint64(b[8:])
	h.crc = binary.LittleEndian.Uint32(b[16:])
	h.flags = b[20]
	if h.flags >= flagFin<<1 || b[21]|b[22]|b[23] != 0 {
		return fmt.Errorf("%w: flags %#x, reserved % x", ErrMalformed, h.flags, b[21:24])
	}
	return nil
}

// putFrame encodes one frame into b, which has room for exactly it. h is nil in
// middle and last parts.
func putFrame(b []byte, part byte, h *wire.Header, payload layout.Buffer) {
	payload.ReadAt(b[putHead(b, part, h, payload.Len()):], 0)
}

// putHead encodes what precedes the payload of n bytes and returns its length.
func putHead(b []byte, part byte, h *wire.Header, n int) int {
	binary.LittleEndian.PutUint32(b, uint32(n))
	b[4], b[5], b[6], b[7] = part, 0, 0, 0
	if h == nil {
		return frameHead
	}
	h.Put(b[frameHead:])
	return frameHead + wire.HeaderBytes
}

// cursor reads a packet where gRPC put it: in pieces of at most 16 KiB.
type cursor struct {
	here []byte          // what is left of the current piece
	rest mem.BufferSlice // the pieces behind it
	left int             // bytes in here and rest
}

func newCursor(bufs mem.BufferSlice) cursor {
	return cursor{rest: bufs, left: bufs.Len()}
}

// window returns up to n of the next bytes, as many as lie in one piece. The
// caller has checked left > 0.
func (c *cursor) window(n int) []byte {
	for len(c.here) == 0 {
		c.here, c.rest = c.rest[0].ReadOnlyData(), c.rest[1:]
	}
	n = min(n, len(c.here))
	w := c.here[:n:n]
	c.here = c.here[n:]
	c.left -= n
	return w
}

// take returns the next n bytes in one run, gathered in scratch if they lie in
// several pieces. The caller has checked n ≤ left.
func (c *cursor) take(n int, scratch *[]byte) []byte {
	if n <= len(c.here) {
		w := c.here[:n:n]
		c.here = c.here[n:]
		c.left -= n
		return w
	}
	w := c.window(n)
	if len(w) == n {
		return w
	}
	s := append((*scratch)[:0], w...)
	for len(s) < n {
		s = append(s, c.window(n-len(s))...)
	}
	*scratch = s
	return s
}

// checksum returns the CRC32C of what is left and leaves c where it was.
func (c cursor) checksum() uint32 {
	sum := uint32(0)
	for c.left > 0 {
		sum = crc32.Update(sum, castagnoli(), c.window(c.left))
	}
	return sum
}

// decoder turns the packets of one link into frames. It outlives connections:
// a frame in parts may begin on one and end on the next.
type decoder struct {
	scratch []byte      // a frame head or payload that lies in two pieces
	now     wire.Header // of the frame in hand; here, so that it is not allocated for each
	parts   bool        // a first part has come, its last has not
	header  wire.Header
	whole   []byte // payload of the parts so far; grows with what arrives
}

// keepScratch is the most memory a decoder keeps between frames.
const keepScratch = 256 << 10

// frames hands every frame of a packet to deliver, which must not keep header
// or payload. Frames before a malformed one have been delivered when it returns
// the error.
func (d *decoder) frames(c *cursor, deliver func(h *wire.Header, payload []byte)) error {
	for c.left > 0 {
		if c.left < frameHead {
			return fmt.Errorf("%w: %d bytes behind the last frame, want at least %d", ErrMalformed, c.left, frameHead)
		}
		b := c.take(frameHead, &d.scratch)
		n, part := int64(binary.LittleEndian.Uint32(b)), b[4]
		if part > partLast || b[5]|b[6]|b[7] != 0 {
			return fmt.Errorf("%w: frame part %d, reserved % x", ErrMalformed, part, b[5:8])
		}
		if begins := part == partWhole || part == partFirst; begins == d.parts {
			return fmt.Errorf("%w: frame part %d, but an unfinished frame before it: %t", ErrMalformed, part, d.parts)
		}
		h := &d.now
		if !d.parts {
			if c.left < wire.HeaderBytes {
				return fmt.Errorf("%w: %d bytes left for a frame header of %d", ErrMalformed, c.left, wire.HeaderBytes)
			}
			if err := h.Parse(c.take(wire.HeaderBytes, &d.scratch)); err != nil {
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			}
		}
		if n > int64(c.left) {
			return fmt.Errorf("%w: frame of %d bytes in a packet with %d left", ErrMalformed, n, c.left)
		}
		if err := d.frame(c, part, h, int(n), deliver); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) frame(c *cursor, part byte, h *wire.Header, n int, deliver func(h *wire.Header, payload []byte)) error {
	switch {
	case part == partWhole && h.Kind == wire.Bulk:
		return bulk(c, h, n, deliver)
	case part == partWhole:
		deliver(h, c.take(n, &d.scratch))
	case part == partFirst && h.Kind == wire.Bulk:
		return fmt.Errorf("%w: bulk frame in parts", ErrMalformed)
	default:
		if part == partFirst {
			d.parts, d.header = true, *h
		}
		for n > 0 {
			w := c.window(n)
			d.whole = append(d.whole, w...)
			n -= len(w)
		}
		if part == partLast {
			deliver(&d.header, d.whole)
			d.parts = false
			d.whole = d.whole[:0]
		}
	}
	if cap(d.whole) > keepScratch && !d.parts {
		d.whole = nil
	}
	if cap(d.scratch) > keepScratch {
		d.scratch = nil
	}
	return nil
}

// bulk delivers a Bulk payload from where gRPC received it, piece by piece.
func bulk(c *cursor, h *wire.Header, n int, deliver func(h *wire.Header, payload []byte)) error {
	if h.Arg > 1<<62 {
		return fmt.Errorf("%w: bulk offset %d", ErrMalformed, h.Arg)
	}
	for first := true; n > 0 || first; first = false {
		var w []byte
		if n > 0 {
			w = c.window(n)
		}
		h.Bytes = uint64(len(w))
		deliver(h, w)
		h.Arg += uint64(len(w))
		n -= len(w)
	}
	return nil
}
