package stream

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// rawCodec passes the bytes of a packet through gRPC untouched: out is sent
// where it lies, in receives gRPC's own buffers.
type rawCodec struct{}

// outgoing is what SendMsg is given. gRPC reads the memory until it has written
// it; see segment for why no notice of that is needed. It holds on to the
// outgoing itself for a moment longer, so that is never used twice; but all of
// it is one allocation.
type outgoing struct {
	bufs  mem.BufferSlice
	array [2]mem.Buffer
	parts [2]mem.SliceBuffer
}

// newOutgoing returns a message of head, and behind it rest unless that is nil.
func newOutgoing(head, rest []byte) *outgoing {
	m := &outgoing{parts: [2]mem.SliceBuffer{head, rest}}
	m.array[0] = &m.parts[0]
	m.bufs = m.array[:1]
	if rest != nil {
		m.array[1] = &m.parts[1]
		m.bufs = m.array[:2]
	}
	return m
}

// incoming is what RecvMsg fills. Its holder frees bufs.
type incoming struct {
	bufs mem.BufferSlice
}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	out, ok := v.(*outgoing)
	if !ok {
		return nil, fmt.Errorf("stream: codec given %T to send", v)
	}
	return out.bufs, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*incoming)
	if !ok {
		return fmt.Errorf("stream: codec given %T to receive into", v)
	}
	data.Ref()
	in.bufs = append(in.bufs[:0], data...)
	return nil
}

func (rawCodec) Name() string { return "muster-packet" }
