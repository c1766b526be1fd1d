package wire

import (
	"bytes"
	"errors"
	"testing"
	"unsafe"
)

var example = Header{
	Kind: Eager, Flags: FlagSync | FlagObject, Space: Collective,
	Context: 0x04030201, Source: 0x14131211, Layout: 0x24232221,
	Tag: 0x3837363534333231, Bytes: 0x2847464544434241, ID: 0x5857565554535251, Arg: 0x6867666564636261,
}

// The format is the same on every host: little-endian, without gaps.
func TestHeaderHasOneEncoding(t *testing.T) {
	want := []byte{
		1, 5, 2, 0,
		0x01, 0x02, 0x03, 0x04,
		0x11, 0x12, 0x13, 0x14,
		0x21, 0x22, 0x23, 0x24,
		0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
		0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x28,
		0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
		0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
	}
	got := bytes.Repeat([]byte{0xff}, HeaderBytes+1)
	example.Put(got)
	if !bytes.Equal(got[:HeaderBytes], want) || got[HeaderBytes] != 0xff {
		t.Fatalf("got  % x\nwant % x", got, want)
	}
	var h Header
	if err := h.Parse(want); err != nil || h != example {
		t.Fatalf("parsed %+v, %v\nwant   %+v", h, err, example)
	}
	if unsafe.Sizeof(h) > 64 {
		t.Errorf("a Header takes %d bytes of memory", unsafe.Sizeof(h))
	}
}

// Every kind has its name, and its value on the wire does not move.
func TestKindsKeepTheirNumbers(t *testing.T) {
	for i, want := range []string{
		"invalid", "eager", "offer", "grant", "bulk", "ack", "credit", "withdraw", "withdrawn", "bind", "unbind", "bye", "pulled", "pushed", "kind(14)",
	} {
		if got := Kind(i).String(); got != want {
			t.Errorf("kind %d is called %s, want %s", i, got, want)
		}
	}
	if FirstUser != 32 || Spaces != 8 {
		t.Errorf("FirstUser %d, Spaces %d", FirstUser, Spaces)
	}
}

func TestMalformedHeadersAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(h *Header)
		raw  func(b []byte)
	}{
		{name: "kind 0", edit: func(h *Header) { h.Kind = Invalid }},
		{name: "kind behind the last", edit: func(h *Header) { h.Kind = Pushed + 1 }},
		{name: "kind before the first of users", edit: func(h *Header) { h.Kind = FirstUser - 1 }},
		{name: "unknown flag", edit: func(h *Header) { h.Flags |= FlagObject << 1 }},
		{name: "space behind the last", edit: func(h *Header) { h.Space = Spaces }},
		{name: "reserved byte", raw: func(b []byte) { b[3] = 1 }},
		{name: "negative tag", edit: func(h *Header) { h.Tag = -1 }},
		{name: "too many bytes", edit: func(h *Header) { h.Bytes = 1<<62 + 1 }},
		{name: "bulk too far out", edit: func(h *Header) { h.Kind, h.Arg = Bulk, 1<<62+1 }},
	} {
		h, b := example, make([]byte, HeaderBytes)
		if c.edit != nil {
			c.edit(&h)
		}
		h.Put(b)
		if c.raw != nil {
			c.raw(b)
		}
		if err := h.Parse(b); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for n := range HeaderBytes {
		if err := new(Header).Parse(make([]byte, n)); !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Whatever Parse accepts, Put gives back byte for byte.
func FuzzHeaderRoundTrip(f *testing.F) {
	b := make([]byte, HeaderBytes)
	example.Put(b)
	f.Add(bytes.Clone(b))
	h := Header{Kind: FirstUser, Tag: -1}
	h.Put(b)
	f.Add(bytes.Clone(b))
	f.Add(b[:HeaderBytes-1])
	f.Add(append(bytes.Clone(b), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var h Header
		err := h.Parse(b)
		if !bytes.Equal(b, before) {
			t.Fatal("Parse has written")
		}
		if err != nil {
			if !errors.Is(err, ErrShort) && !errors.Is(err, ErrHeader) || errors.Is(err, ErrShort) != (len(b) < HeaderBytes) {
				t.Fatalf("%d bytes: %v", len(b), err)
			}
			return
		}
		out := make([]byte, HeaderBytes)
		h.Put(out)
		if !bytes.Equal(out, b[:HeaderBytes]) {
			t.Fatalf("% x\nbecomes % x", b[:HeaderBytes], out)
		}
	})
}

func TestHeadersDoNotAllocate(t *testing.T) {
	b := make([]byte, HeaderBytes)
	var h Header
	if n := testing.AllocsPerRun(100, func() {
		example.Put(b)
		if h.Parse(b) != nil {
			t.Fail()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPut(b *testing.B) {
	buf := make([]byte, HeaderBytes)
	b.ReportAllocs()
	for b.Loop() {
		example.Put(buf)
	}
}

func BenchmarkParse(b *testing.B) {
	buf := make([]byte, HeaderBytes)
	example.Put(buf)
	var h Header
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Parse(buf); err != nil {
			b.Fatal(err)
		}
	}
}
