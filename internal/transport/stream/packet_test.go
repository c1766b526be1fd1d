package stream

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/grpc/mem"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

type got struct {
	h       wire.Header
	payload []byte
}

// pieces cuts b as gRPC might have received it.
func pieces(b []byte, rnd *rand.Rand) mem.BufferSlice {
	var s mem.BufferSlice
	for len(b) > 0 {
		n := 1 + rnd.IntN(min(len(b), 1+rnd.IntN(200)))
		s = append(s, mem.SliceBuffer(b[:n]))
		b = b[n:]
	}
	return append(s, mem.SliceBuffer(nil))
}

// decodeSlowly is the dumb twin of decoder.frames, for packets that begin and
// end no frame of an earlier or later one. Bulk comes whole.
func decodeSlowly(b []byte) (frames []got, ok bool) {
	var open *got
	for len(b) > 0 {
		if len(b) < frameHead || !bytes.Equal(b[5:8], []byte{0, 0, 0}) {
			return frames, false
		}
		n, part := uint64(binary.LittleEndian.Uint32(b)), b[4]
		b = b[frameHead:]
		switch {
		case part == partWhole && open == nil, part == partFirst && open == nil:
			var h wire.Header
			if len(b) < wire.HeaderBytes || h.Parse(b[:wire.HeaderBytes]) != nil || h.Kind == wire.Bulk && part == partFirst {
				return frames, false
			}
			b = b[wire.HeaderBytes:]
			open = &got{h: h}
		case part == partMiddle && open != nil, part == partLast && open != nil:
		default:
			return frames, false
		}
		if n > uint64(len(b)) {
			return frames, false
		}
		open.payload = append(open.payload, b[:n]...)
		b = b[n:]
		if part == partWhole || part == partLast {
			if open.h.Kind == wire.Bulk {
				open.h.Bytes = uint64(len(open.payload))
			}
			frames = append(frames, *open)
			open = nil
		}
	}
	return frames, true
}

// decode runs the decoder and puts the pieces of Bulk frames together again.
func decode(d *decoder, bufs mem.BufferSlice) (frames []got, err error) {
	c := newCursor(bufs)
	var due uint64 // where the next piece of a Bulk frame would begin
	err = d.frames(&c, func(h *wire.Header, payload []byte) {
		if n := len(frames); h.Kind == wire.Bulk && n > 0 && len(payload) > 0 && due == h.Arg {
			if last := &frames[n-1]; last.h.Kind == wire.Bulk && last.h.ID == h.ID && len(last.payload) > 0 {
				last.payload = append(last.payload, payload...)
				last.h.Bytes += h.Bytes
				due += h.Bytes
				return
			}
		}
		frames = append(frames, got{*h, bytes.Clone(payload)})
		due = h.Arg + h.Bytes
	})
	return frames, err
}

func same(a, b got) bool { return a.h == b.h && bytes.Equal(a.payload, b.payload) }

func TestPacketsDecodeToWhatWasEncoded(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var want []got
		var packet []byte
		add := func(part byte, h *wire.Header, payload []byte) {
			n := frameHead + len(payload)
			if h != nil {
				n += wire.HeaderBytes
			}
			b := make([]byte, n)
			putFrame(b, part, h, layout.Of(payload))
			packet = append(packet, b...)
		}
		for id := range uint64(1 + rnd.IntN(20)) {
			payload := make([]byte, rnd.IntN(500))
			for i := range payload {
				payload[i] = byte(rnd.Uint32())
			}
			h := wire.Header{Kind: wire.Eager, ID: id, Tag: rnd.Int64(), Context: rnd.Uint32(), Bytes: uint64(len(payload))}
			if rnd.IntN(2) == 0 {
				h = wire.Header{Kind: wire.Bulk, ID: id, Arg: rnd.Uint64() >> 3, Bytes: uint64(len(payload))}
			}
			want = append(want, got{h, payload})
			if h.Kind == wire.Bulk || rnd.IntN(2) == 0 {
				add(partWhole, &h, payload)
				continue
			}
			a, b := rnd.IntN(len(payload)+1), rnd.IntN(len(payload)+1)
			a, b = min(a, b), max(a, b)
			add(partFirst, &h, payload[:a])
			add(partMiddle, nil, payload[a:b])
			add(partLast, nil, payload[b:])
		}
		var d decoder
		have, err := decode(&d, pieces(packet, rnd))
		if err != nil || !slices.EqualFunc(have, want, same) {
			t.Fatalf("seed %d: %v\n got %v\nwant %v", seed, err, have, want)
		}
		if slow, ok := decodeSlowly(packet); !ok || !slices.EqualFunc(slow, want, same) {
			t.Fatalf("seed %d: the twin is wrong: %v", seed, slow)
		}
	}
}

// ignorer is a Handler that ignores.
type ignorer struct{ delivered []got }

func (i *ignorer) Deliver(_ int, h *wire.Header, payload layout.Buffer) {
	b, _ := payload.Contiguous()
	i.delivered = append(i.delivered, got{*h, bytes.Clone(b)})
}
func (*ignorer) Sent(int, uint64) {}
func (*ignorer) Writable(int)     {}
func (*ignorer) Lost(int, error)  {}
func (*ignorer) Idle()            {}

// FuzzPacket gives the reader what a peer could send: with and without
// checksum, cut anywhere.
func FuzzPacket(f *testing.F) {
	whole := func(n int) []byte {
		b := make([]byte, packetHead+frameHead+wire.HeaderBytes+n)
		h := packetHeader{seq: 1}
		h.put(b)
		putFrame(b[packetHead:], partWhole, &wire.Header{Kind: wire.Bulk}, layout.Of(make([]byte, n)))
		return b
	}
	f.Add(whole(0), false, uint64(1))
	f.Add(whole(100), true, uint64(2))
	first := whole(20)
	first[packetHead+frameHead] = byte(wire.Eager)
	first[packetHead+4] = partFirst
	f.Add(slices.Concat(first, []byte{4, 0, 0, 0, partLast, 0, 0, 0, 1, 2, 3, 4}), false, uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, checks bool, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		h := &ignorer{}
		l, err := New(Config{Self: 1, Size: 2}, h).link(0)
		if err != nil {
			t.Fatal(err)
		}
		if checks && len(b) >= packetHead && seed%2 == 0 {
			var ph packetHeader
			if ph.parse(b) == nil {
				c := newCursor(mem.BufferSlice{mem.SliceBuffer(b[packetHead:])})
				ph.seal(b, c.checksum())
			}
		}
		s := &session{a: newAttachment(nil), checks: checks}
		err = l.packet(s, pieces(b, rnd))
		if l.ackTimer != nil {
			l.ackTimer()
		}
		if n := cap(l.decoder.whole) + cap(l.decoder.scratch); n > 16*len(b)+1<<20 {
			t.Errorf("%d bytes kept for a packet of %d", n, len(b))
		}
		if len(b) >= packetHead && !checks && err == nil && binary.LittleEndian.Uint64(b) == 1 && !l.decoder.parts {
			want, ok := decodeSlowly(b[packetHead:])
			if !ok || !bytes.Equal(flat(h.delivered), flat(want)) {
				t.Errorf("delivered %v, the twin says %t %v", h.delivered, ok, want)
			}
		}
	})
}

// flat is all payload there is, the same whether Bulk came in pieces or not.
func flat(frames []got) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.payload...)
	}
	return b
}

func FuzzHandshake(f *testing.F) {
	mine := hello{protocol: wire.Protocol, from: 1, to: 2, size: 3, job: [16]byte{4}, incarnation: 5, received: 6, checks: true}
	f.Add(mine.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		var h hello
		if h.parse(b) == nil && h.protocol == wire.Protocol {
			if again := h.encode(); !bytes.Equal(again[:57], b[:57]) {
				t.Errorf("parsed % x, encodes as % x", b, again)
			}
		}
	})
}
