package transporttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// frame is one message of the suite. Its header and bytes follow from who
// sends it to whom as the how-manieth, so the receiver needs no copy to compare
// it with, and a frame lost, doubled or overtaken shows as one out of turn.
type frame struct {
	from, to int
	index    uint64
	kind     wire.Kind
	size     int
	stride   int // 0: contiguous; else runs of this many bytes with gaps

	data layout.Buffer // to be sent, once the sender has made it
	mem  []byte        // where it lies; cleared once it is free again
}

// pattern is the endless text that payloads are cut from. Its length is prime,
// so that a piece at a wrong offset shows.
var pattern = func() []byte {
	rnd := rand.NewChaCha8([32]byte{'m', 'u', 's', 't', 'e', 'r'})
	b := make([]byte, 65521)
	rnd.Read(b)
	return b
}()

// start returns where in pattern the payload of f begins.
func (f *frame) start() int {
	x := uint64(f.from)<<48 ^ uint64(f.to)<<32 ^ f.index
	x ^= x >> 31
	x *= 0x9e3779b97f4a7c15
	return int((x >> 16) % uint64(len(pattern)))
}

func (f *frame) header() wire.Header {
	h := wire.Header{
		Kind: f.kind, Context: uint32(f.from)<<8 | uint32(f.to), Source: uint32(f.from),
		Tag: int64(f.index * 3), Bytes: uint64(f.size), ID: f.index,
	}
	switch {
	case f.kind == wire.Bulk:
		h.Arg = 7 * f.index // the offset it begins at
	default:
		h.Flags, h.Space, h.Layout, h.Arg = wire.FlagSync, wire.Collective, 0xfeedface, ^f.index
	}
	return h
}

// payload returns the bytes of f in fresh memory, and that memory.
func (f *frame) payload() (layout.Buffer, []byte) {
	if f.stride == 0 {
		mem := make([]byte, f.size)
		f.fill(layout.Of(mem))
		return layout.Of(mem), mem
	}
	mem, plan := strided(f.size, f.stride)
	b, err := layout.WithPlan(mem, plan)
	if err != nil {
		panic(err) // only for sizes of the suite's own making
	}
	f.fill(b)
	return b, mem
}

func (f *frame) fill(b layout.Buffer) {
	for at, off := f.start(), 0; off < f.size; {
		n := b.WriteAt(pattern[at:min(len(pattern), at+f.size-off)], off)
		off += n
		at = (at + n) % len(pattern)
	}
}

// check compares bytes that arrived from offset off with what was sent.
func (f *frame) check(got layout.Buffer, off int) error {
	for n := 0; n < got.Len(); {
		run := got.Run(n)
		at := (f.start() + off + n) % len(pattern)
		run = run[:min(len(run), len(pattern)-at)]
		if !bytes.Equal(run, pattern[at:at+len(run)]) {
			i := 0
			for run[i] == pattern[at+i] {
				i++
			}
			return fmt.Errorf("byte %d is %#x, want %#x", off+n+i, run[i], pattern[at+i])
		}
		n += len(run)
	}
	return nil
}

func (f *frame) String() string {
	return fmt.Sprintf("frame %d from rank %d to %d (%v, %d bytes, stride %d)", f.index, f.from, f.to, f.kind, f.size, f.stride)
}

// strided returns memory for size bytes in runs of run with gaps, and its plan.
func strided(size, run int) ([]byte, *layout.Plan) {
	n, gap := size/run, run/2+3
	rows, err := layout.Strided(5, run, layout.Dim{Count: n, Stride: run + gap})
	if size%run != 0 {
		runs := make([]layout.Run, 0, n+1)
		for i := range n {
			runs = append(runs, layout.Run{Offset: 5 + i*(run+gap), Len: run})
		}
		rows, err = layout.Indexed(append(runs, layout.Run{Offset: 5 + n*(run+gap), Len: size % run}))
	}
	if err != nil {
		panic(err) // only for sizes of the suite's own making
	}
	return make([]byte, 5+(n+1)*(run+gap)), rows
}
