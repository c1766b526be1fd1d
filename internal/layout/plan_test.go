package layout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The dumb twin of a plan is the list of the memory offsets of its packed bytes.

func stridedOffsets(base, block int, dims []Dim) []int {
	if len(dims) == 0 {
		var all []int
		for i := range block {
			all = append(all, base+i)
		}
		return all
	}
	var all []int
	for i := range dims[0].Count {
		all = append(all, stridedOffsets(base+i*dims[0].Stride, block, dims[1:])...)
	}
	return all
}

func indexedOffsets(runs []Run) []int {
	var all []int
	for _, r := range runs {
		all = append(all, stridedOffsets(r.Offset, r.Len, nil)...)
	}
	return all
}

func hasTwice(offsets []int) bool {
	sorted := slices.Sorted(slices.Values(offsets))
	return len(slices.Compact(sorted)) < len(offsets)
}

// shape is a random plan with its twin; String is what a failure prints.
type shape struct {
	base, block int
	dims        []Dim
	runs        []Run // indexed if not nil
	plan        *Plan
	offsets     []int
}

func (s shape) String() string {
	if s.runs != nil {
		return fmt.Sprintf("Indexed(%v)", s.runs)
	}
	return fmt.Sprintf("Strided(%d, %d, %v)", s.base, s.block, s.dims)
}

// randomShape returns a shape of at most a few thousand bytes that begins at or
// after offset 0, and the memory it needs.
func randomShape(rng *rand.Rand) (shape, int) {
	var s shape
	var err error
	if rng.IntN(3) == 0 {
		s.runs = []Run{}
		for range rng.IntN(12) {
			r := Run{Offset: rng.IntN(200), Len: rng.IntN(20)}
			if n := len(s.runs); n > 0 && rng.IntN(4) == 0 {
				r.Offset = s.runs[n-1].Offset + s.runs[n-1].Len // no gap
			}
			s.runs = append(s.runs, r)
		}
		s.plan, err = Indexed(s.runs)
		s.offsets = indexedOffsets(s.runs)
	} else {
		s.block = []int{0, 1, 2, 3, 4, 7, 8, 16, 24, 32, 100}[rng.IntN(11)]
		reach := s.block
		for range rng.IntN(5) {
			d := Dim{Count: rng.IntN(6)}
			if rng.IntN(8) > 0 {
				d.Count = max(d.Count, 1)
			}
			switch rng.IntN(4) {
			case 0:
				d.Stride = reach // no gap
			case 1:
				d.Stride = -reach - rng.IntN(5)
			case 2:
				d.Stride = rng.IntN(20) // may overlap
			default:
				d.Stride = reach + rng.IntN(9)
			}
			reach = max(reach, d.Count*max(d.Stride, -d.Stride))
			s.dims = append([]Dim{d}, s.dims...)
		}
		low := 0
		for _, d := range s.dims {
			low += min(0, d.Stride*max(0, d.Count-1))
		}
		s.base = rng.IntN(10) - low
		s.plan, err = Strided(s.base, s.block, s.dims...)
		s.offsets = stridedOffsets(s.base, s.block, s.dims)
	}
	if err != nil {
		panic(fmt.Sprint(s, err))
	}
	need := 0
	if len(s.offsets) > 0 {
		need = slices.Max(s.offsets) + 1
	}
	return s, need + rng.IntN(3)
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// verify compares everything that a Buffer of s can do with its twin.
func verify(t *testing.T, rng *rand.Rand, s shape, need int) {
	t.Helper()
	mem := noise(rng, need)
	buf, err := WithPlan(mem, s.plan)
	if err != nil {
		t.Fatalf("%v in %d bytes: %v", s, need, err)
	}
	if buf.Len() != len(s.offsets) || s.plan.Len() != len(s.offsets) {
		t.Fatalf("%v: Len %d, plan's %d, want %d", s, buf.Len(), s.plan.Len(), len(s.offsets))
	}
	if lo, hi := s.plan.Bounds(); len(s.offsets) > 0 && (lo != slices.Min(s.offsets) || hi != slices.Max(s.offsets)+1) {
		t.Fatalf("%v: Bounds %d, %d, want %d, %d", s, lo, hi, slices.Min(s.offsets), slices.Max(s.offsets)+1)
	}
	// Cautious: never false where two runs meet, and exact where the doc says.
	twice := hasTwice(s.offsets)
	exact := s.runs != nil || len(s.dims) < 2
	if got := s.plan.Overlaps(); twice && !got || exact && got != twice {
		t.Fatalf("%v: Overlaps %v, want %v", s, got, twice)
	}

	from := rng.IntN(buf.Len() + 1)
	end := from + rng.IntN(buf.Len()-from+1)
	part, offsets := buf.Slice(from, end), s.offsets[from:end]
	want := make([]byte, len(offsets))
	for i, at := range offsets {
		want[i] = mem[at]
	}

	var runs []byte
	for run := range part.Runs() {
		runs = append(runs, run...)
	}
	if !bytes.Equal(runs, want) {
		t.Fatalf("%v[%d:%d]: Runs give %x, want %x", s, from, end, runs, want)
	}
	if all, ok := part.Contiguous(); ok && !bytes.Equal(all, want) {
		t.Fatalf("%v[%d:%d]: Contiguous %x, want %x", s, from, end, all, want)
	} else if ok != (len(part.Run(0)) == len(want)) {
		t.Fatalf("%v[%d:%d]: Contiguous %v, first run %d of %d bytes", s, from, end, ok, len(part.Run(0)), len(want))
	}
	straight := true
	for i, at := range s.offsets {
		straight = straight && at == s.offsets[0]+i
	}
	if _, ok := buf.Contiguous(); ok != straight {
		t.Fatalf("%v: Contiguous %v, want %v", s, ok, straight)
	}

	off := rng.IntN(len(want) + 3)
	size := rng.IntN(len(want) + 3)
	rest := want[min(off, len(want)):]
	dst := make([]byte, size)
	if n := part.ReadAt(dst, off); n != min(size, len(rest)) || !bytes.Equal(dst[:n], rest[:n]) {
		t.Fatalf("%v[%d:%d].ReadAt(%d bytes, %d) = %d %x, want %x", s, from, end, size, off, n, dst, rest)
	}
	if run := part.Run(off); !bytes.HasPrefix(rest, run) || len(run) == 0 && len(rest) > 0 {
		t.Fatalf("%v[%d:%d].Run(%d) = %x, want a prefix of %x", s, from, end, off, run, rest)
	}

	src := noise(rng, size)
	model := slices.Clone(mem)
	for i, c := range src[:min(size, len(rest))] {
		model[offsets[off+i]] = c
	}
	if n := part.WriteAt(src, off); n != min(size, len(rest)) || !bytes.Equal(mem, model) {
		t.Fatalf("%v[%d:%d].WriteAt(%x, %d) = %d leaves\n%x, want\n%x", s, from, end, src, off, n, mem, model)
	}
}

func verifySeed(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("seed %d: %v", seed, p)
		}
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	s, need := randomShape(rng)
	verify(t, rng, s, need)
	d, more := randomShape(rng)
	verifyCopy(t, rng, d, s, max(need, more))
}

// verifyCopy copies between two shapes; both may be of any kind.
func verifyCopy(t *testing.T, rng *rand.Rand, d, s shape, need int) {
	t.Helper()
	dstMem, srcMem := noise(rng, need), noise(rng, need)
	dst, err := WithPlan(dstMem, d.plan)
	if err != nil {
		t.Fatal(err)
	}
	src, err := WithPlan(srcMem, s.plan)
	if err != nil {
		t.Fatal(err)
	}
	to, from := rng.IntN(dst.Len()+2), rng.IntN(src.Len()+2)
	want := max(0, min(dst.Len()-to, src.Len()-from))
	model := slices.Clone(dstMem)
	for i := range want {
		model[d.offsets[to+i]] = srcMem[s.offsets[from+i]]
	}
	if n := Copy(dst, to, src, from); n != want || !bytes.Equal(dstMem, model) {
		t.Fatalf("Copy(%v, %d, %v, %d) = %d, want %d, leaves\n%x, want\n%x", d, to, s, from, n, want, dstMem, model)
	}
	if want == 0 || dst.plan == nil || src.plan == nil {
		return
	}
	// Either loop must be right for every shape, whichever Copy prefers.
	for name, loop := range map[string]func(Buffer, int, Buffer, int, int){"copySmall": copySmall, "copyRuns": copyRuns} {
		clear(dstMem)
		clear(model)
		for i := range want {
			model[d.offsets[to+i]] = srcMem[s.offsets[from+i]]
		}
		if loop(dst, to, src, from, want); !bytes.Equal(dstMem, model) {
			t.Fatalf("%s(%v, %d, %v, %d) leaves\n%x, want\n%x", name, d, to, s, from, dstMem, model)
		}
	}
}

func TestBufferIsItsListOfOffsets(t *testing.T) {
	for seed := range uint64(5_000) {
		verifySeed(t, seed)
	}
}

func FuzzBufferIsItsListOfOffsets(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { verifySeed(t, seed) })
}

// FuzzPlansFromUserArguments builds plans from arbitrary numbers: an error or a
// plan whose bounds hold, never a panic and never a byte outside the memory.
func FuzzPlansFromUserArguments(f *testing.F) {
	words := func(ns ...int64) (b []byte) {
		for _, n := range ns {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
		return b
	}
	f.Add(words(0, 8, 3, 16))
	f.Add(words(math.MaxInt64, 8, 3, 16))
	f.Add(words(0, 1, 2, math.MinInt64, 2, 1<<62))
	f.Add(words(64, 4, 3, -8, 2, 24, 2, 1, 2, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		var n []int
		for ; len(data) >= 8 && len(n) < 20; data = data[8:] {
			n = append(n, int(int64(binary.LittleEndian.Uint64(data))))
		}
		if len(n) < 2 {
			return
		}
		var dims []Dim
		var runs []Run
		for i := 2; i+1 < len(n); i += 2 {
			dims = append(dims, Dim{n[i], n[i+1]})
			runs = append(runs, Run{n[i], n[i+1]})
		}
		mem := make([]byte, 256)
		strided, err := Strided(n[0], n[1], dims...)
		check(t, mem, strided, err)
		indexed, err := Indexed(runs)
		check(t, mem, indexed, err)
	})
}

func check(t *testing.T, mem []byte, p *Plan, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, ErrPlan) {
			t.Fatalf("error %v is not ErrPlan", err)
		}
		return
	}
	b, err := WithPlan(mem, p)
	if lo, hi := p.Bounds(); (err == nil) != (p.Len() == 0 || lo >= 0 && hi <= len(mem)) {
		t.Fatalf("bounds [%d, %d) in %d bytes: %v", lo, hi, len(mem), err)
	}
	if err != nil {
		return
	}
	out := make([]byte, min(b.Len(), 4096)) // overlapping plans may pack to any size
	for _, off := range []int{0, b.Len() / 2, b.Len() - len(out)} {
		if n := b.ReadAt(out, off); n != min(len(out), b.Len()-off) {
			t.Fatalf("ReadAt(%d bytes, %d) of %d = %d", len(out), off, b.Len(), n)
		}
		b.WriteAt(out, off)
	}
}
