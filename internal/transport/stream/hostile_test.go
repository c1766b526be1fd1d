package stream_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/socketpair"
	"github.com/muster-mpi/muster/internal/transport/stream"
	"github.com/muster-mpi/muster/internal/wire"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frame is one of HTTP/2's.
func frame(kind, flags byte, id uint32, payload []byte) []byte {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, id), payload...)
}

const (
	headersFrame, resetFrame, settingsFrame, continuationFrame = 1, 3, 4, 9
	endHeaders                                                 = 4
)

// field is a header without compression.
func field(name, value string) []byte {
	b := append([]byte{0, byte(len(name))}, name...)
	if len(value) < 127 {
		return append(append(b, byte(len(value))), value...)
	}
	b = append(b, 127)
	n := len(value) - 127
	for ; n >= 128; n /= 128 {
		b = append(b, byte(n%128)|128)
	}
	return append(append(b, byte(n)), value...)
}

// call is the head of a call of the service between ranks.
func call() (b []byte) {
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/muster.Link/Frames"}, {":authority", "peer"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		b = append(b, field(f[0], f[1])...)
	}
	return b
}

// S14: a peer that is who it should be, and floods this end with streams that it resets,
// costs its own link only: others' frames arrive, and memory stays bounded.
func TestS14FloodOfStreamsCostsItsOwnLinkOnly(t *testing.T) {
	ranks, s := start(t, unix(), 3)
	send(t, ranks[2], s.Conns[2], 1, wire.Header{Kind: wire.Ack}, nil) // ranks 1 and 2 are linked
	receive(t, "the frame", ranks[1].delivered)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	first := true
	flood := func(conn net.Conn) {
		defer conn.Close()
		go io.Copy(io.Discard, conn)
		io.WriteString(conn, preface)
		conn.Write(frame(settingsFrame, 0, 0, nil))
		head, canceled := call(), binary.BigEndian.AppendUint32(nil, 8)
		var batch []byte
		for id := uint32(1); id < 200_000; id += 2 {
			batch = append(batch, frame(headersFrame, endHeaders, id, head)...)
			if id > 1 || !first { // the first stream of a connection may stay, as if it were a link
				batch = append(batch, frame(resetFrame, 0, id, canceled)...)
			}
			if len(batch) > 32<<10 {
				conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
				if _, err := conn.Write(batch); err != nil {
					return
				}
				batch = batch[:0]
			}
		}
	}
	var floods atomic.Int32
	over := make(chan struct{})
	go func() {
		defer close(over)
		for number := uint32(10); number < 12; number++ { // as its agent would hand out
			mine, theirs, err := socketpair.Unix()
			if err != nil {
				t.Error(err)
				return
			}
			s.Conns[1].Attach(0, number, theirs)
			flood(mine)
			floods.Add(1)
			first = !first
		}
	}()
	slowest, frames := time.Duration(0), 0
	for id := uint64(1); ; id++ {
		begin := time.Now()
		send(t, ranks[2], s.Conns[2], 1, wire.Header{Kind: wire.Eager, ID: id}, []byte("x"))
		if h := receive(t, "a frame of the other link", ranks[1].delivered); h.ID != id {
			t.Fatalf("frame %d, want %d", h.ID, id)
		}
		slowest, frames = max(slowest, time.Since(begin)), frames+1
		select {
		case <-over:
		default:
			continue
		}
		break
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("the heap has grown by %d bytes, want 16 MiB at most", grown)
	}
	if slowest > 2*time.Second {
		t.Errorf("a frame of another link took %v", slowest)
	}
	t.Logf("%d floods; %d frames of another link, the slowest took %v", floods.Load(), frames, slowest)
	if floods.Load() != 2 {
		t.Errorf("%d floods, want 2", floods.Load())
	}
}

// S14: the head of a call is short.
func TestS14HeadersAreBounded(t *testing.T) {
	h := newRank()
	c := stream.New(stream.Config{Self: 1, Size: 2, Timeout: 5 * time.Second}, h)
	defer c.Close()
	mine, theirs, err := socketpair.Unix()
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	c.Attach(0, 0, theirs)
	io.WriteString(mine, preface)
	mine.Write(frame(settingsFrame, 0, 0, nil))
	mine.Write(frame(headersFrame, 0, 1, call()))
	big := field("x", strings.Repeat("a", 1<<20))
	go func() {
		for len(big) > 0 {
			n := min(len(big), 16<<10)
			flags := byte(0)
			if n == len(big) {
				flags = endHeaders
			}
			if _, err := mine.Write(frame(continuationFrame, flags, 1, big[:n])); err != nil {
				return
			}
			big = big[n:]
		}
	}()
	// It says that it takes a few KiB, and that this stream is refused or the connection
	// is over.
	mine.SetReadDeadline(time.Now().Add(5 * time.Second))
	limit, refused := uint32(0), false
	head := make([]byte, 9)
	for !refused {
		if _, err := io.ReadFull(mine, head); err != nil {
			refused = !errors.Is(err, os.ErrDeadlineExceeded)
			break
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(mine, payload); err != nil {
			break
		}
		const maxHeaderListSize, goAway = 6, 7
		for i := 0; head[3] == settingsFrame && i+6 <= len(payload); i += 6 {
			if binary.BigEndian.Uint16(payload[i:]) == maxHeaderListSize {
				limit = binary.BigEndian.Uint32(payload[i+2:])
			}
		}
		refused = head[3] == resetFrame || head[3] == goAway || head[3] == headersFrame
	}
	if limit == 0 || limit > 64<<10 || !refused {
		t.Errorf("it takes headers of %d bytes, and 1 MiB is refused: %v; want some KiB and true", limit, refused)
	}
}
