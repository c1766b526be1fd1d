package stream

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// rawCodec passes the bytes of a packet through gRPC untouched: out is sent
// where it lies, in receives gRPC's own buffers.
type rawCodec struct{}

// outgoing is what SendMsg is given. gRPC reads the memory until it has written
// it; see segment for why no notice of that is needed.
type outgoing struct {
	bufs mem.BufferSlice
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
