package stream

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/internal/wire"
)

// ErrRefused is the class of causes of Handler.Lost that say why the two ends
// of a connection do not belong together.
var ErrRefused = errors.New("link refused")

// hello is the first gRPC message each way on every connection.
type hello struct {
	protocol    uint32
	from, to    uint32
	size        uint32
	job         [16]byte
	incarnation uint64 // of the sender
	received    uint64 // highest sequence number it has received in order
	checks      bool   // its packets carry a checksum
}

const (
	helloBytes = 64
	helloMagic = "mstrlink"
)

func (h *hello) encode() []byte {
	b := make([]byte, helloBytes)
	copy(b, helloMagic)
	binary.LittleEndian.PutUint32(b[8:], h.protocol)
	binary.LittleEndian.PutUint32(b[12:], h.from)
	binary.LittleEndian.PutUint32(b[16:], h.to)
	binary.LittleEndian.PutUint32(b[20:], h.size)
	copy(b[24:40], h.job[:])
	binary.LittleEndian.PutUint64(b[40:], h.incarnation)
	binary.LittleEndian.PutUint64(b[48:], h.received)
	if h.checks {
		b[56] = 1
	}
	return b
}

// parse decodes b. Of another protocol version nothing but the number is read.
func (h *hello) parse(b []byte) error {
	if len(b) < 12 || string(b[:8]) != helloMagic {
		return fmt.Errorf("%w: first message of %d bytes is no handshake", ErrMalformed, len(b))
	}
	h.protocol = binary.LittleEndian.Uint32(b[8:])
	if h.protocol != wire.Protocol {
		return nil
	}
	if len(b) != helloBytes || b[56] > 1 {
		return fmt.Errorf("%w: handshake of %d bytes, want %d", ErrMalformed, len(b), helloBytes)
	}
	h.from = binary.LittleEndian.Uint32(b[12:])
	h.to = binary.LittleEndian.Uint32(b[16:])
	h.size = binary.LittleEndian.Uint32(b[20:])
	copy(h.job[:], b[24:40])
	h.incarnation = binary.LittleEndian.Uint64(b[40:])
	h.received = binary.LittleEndian.Uint64(b[48:])
	h.checks = b[56] == 1
	return nil
}

// agrees compares what the peer said with what this end knows of it. mine is
// what this end says.
func (h *hello) agrees(mine *hello) error {
	differ := func(what string, theirs, ours any) error {
		return fmt.Errorf("%w: rank %d says %s %v, rank %d has %v", ErrRefused, mine.to, what, theirs, mine.from, ours)
	}
	switch {
	case h.protocol != mine.protocol:
		return differ("protocol version", h.protocol, mine.protocol)
	case h.job != mine.job:
		return differ("job", hex.EncodeToString(h.job[:]), hex.EncodeToString(mine.job[:]))
	case h.size != mine.size:
		return differ("size", h.size, mine.size)
	case h.from != mine.to:
		return differ("it is rank", h.from, fmt.Sprint("a link to rank ", mine.to))
	case h.to != mine.from:
		return differ("it wants rank", h.to, fmt.Sprint("rank ", mine.from))
	}
	return nil
}
