package layout

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func mustStrided(t testing.TB, base, block int, dims ...Dim) *Plan {
	t.Helper()
	p, err := Strided(base, block, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestImpossiblePlansAreErrors(t *testing.T) {
	const big = math.MaxInt/2 + 1
	strided := func(base, block int, dims ...Dim) error { _, err := Strided(base, block, dims...); return err }
	indexed := func(runs ...Run) error { _, err := Indexed(runs); return err }
	for name, err := range map[string]error{
		"negative block":         strided(0, -1),
		"negative count":         strided(0, 1, Dim{2, 1}, Dim{-1, 1}),
		"negative count, empty":  strided(0, 0, Dim{-1, 1}),
		"size too large":         strided(0, 4, Dim{big, 0}),
		"span too large":         strided(0, 4, Dim{3, big}),
		"span too far below":     strided(0, 4, Dim{4, -big}),
		"base and block":         strided(math.MaxInt-3, 4),
		"base and span":          strided(big, 1, Dim{2, big}),
		"smallest int as stride": strided(-1, 1, Dim{2, math.MinInt}),
		"negative run":           indexed(Run{0, 1}, Run{3, -1}),
		"run past an int":        indexed(Run{math.MaxInt, 1}),
		"runs too many":          indexed(Run{0, math.MaxInt}, Run{1, 1}),
	} {
		if !errors.Is(err, ErrPlan) {
			t.Errorf("%s: error %v, want ErrPlan", name, err)
		}
	}
}

func TestPlanOutsideItsMemoryIsRefused(t *testing.T) {
	mem := make([]byte, 100)
	for _, c := range []struct {
		plan *Plan
		want string // "" for none
	}{
		{mustStrided(t, 0, 10, Dim{10, 10}), ""},
		{mustStrided(t, 0, 10, Dim{2, 90}), ""},
		{mustStrided(t, 0, 10, Dim{2, 91}), "[0, 101)"},
		{mustStrided(t, 90, 10, Dim{10, -10}), ""},
		{mustStrided(t, 80, 10, Dim{10, -10}), "[-10, 90)"},
		{mustStrided(t, 5000, 0), ""},
		{&Plan{}, ""},
	} {
		_, err := WithPlan(mem, c.plan)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("bytes of %+v in 100: error %v, want %q", c.plan, err, c.want)
		}
	}
}

// A block over the full width of its array is one run, however many dimensions
// it was named with.
func TestDimensionsWithoutGapsBecomeOneRun(t *testing.T) {
	mem := make([]byte, 1000)
	for i := range mem {
		mem[i] = byte(i)
	}
	buf, err := WithPlan(mem, mustStrided(t, 200, 1, Dim{1, 7}, Dim{3, 100}, Dim{10, 10}, Dim{1, -4}, Dim{5, 2}, Dim{2, 1}))
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := buf.Contiguous(); !ok || len(b) != 300 || &b[0] != &mem[200] {
		t.Fatalf("Contiguous = %d bytes, %v; want 300, true", len(b), ok)
	}
	p := mustStrided(t, 0, 8, Dim{3, 1000}, Dim{4, 80}, Dim{5, 16})
	if p.count() != 60 || p.block != 8 || p.inner != (Dim{20, 16}) || p.mid != (Dim{3, 1000}) || p.outer != nil {
		t.Fatalf("not joined: %+v", p)
	}
}

func TestPartInsideOneRunIsContiguous(t *testing.T) {
	mem := make([]byte, 100)
	buf, err := WithPlan(mem, mustStrided(t, 0, 10, Dim{5, 20}))
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := buf.Slice(12, 20).Contiguous(); !ok || len(b) != 8 || &b[0] != &mem[22] {
		t.Fatalf("[12:20] = %d bytes, %v; want the 8 bytes from 22 on", len(b), ok)
	}
	if _, ok := buf.Slice(12, 21).Contiguous(); ok {
		t.Fatal("[12:21] spans two runs and claims to be one")
	}
}

func TestSlicesOutOfRangePanic(t *testing.T) {
	strided, err := WithPlan(make([]byte, 100), mustStrided(t, 0, 10, Dim{5, 20}))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []Buffer{Of(make([]byte, 50, 200)), strided} {
		for _, r := range [][2]int{{-1, 3}, {3, 2}, {0, 51}, {51, 51}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("[%d:%d] of 50 bytes did not panic", r[0], r[1])
					}
				}()
				b.Slice(r[0], r[1])
			}()
		}
	}
}

// A plan may pack to more bytes than its memory has: a block sent many times.
func TestOneBlockCanBeSentManyTimes(t *testing.T) {
	const times = math.MaxInt / 4
	mem := []byte("abcd")
	buf, err := WithPlan(mem, mustStrided(t, 1, 2, Dim{times, 0}))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if n := buf.ReadAt(got, 2*times-5); n != 5 || string(got) != "cbcbc" || !buf.Overlaps() {
		t.Fatalf("last bytes %q (%d), overlaps %v", got, n, buf.Overlaps())
	}
}

func TestBuffersDoNotAllocate(t *testing.T) {
	indexed, err := Indexed([]Run{{0, 8}, {100, 30}, {50, 8}, {200, 400}})
	if err != nil {
		t.Fatal(err)
	}
	packed := make([]byte, 100)
	mem, other := make([]byte, 10_000), make([]byte, 10_000)
	total := 0
	for _, p := range []*Plan{
		mustStrided(t, 0, 8, Dim{40, 24}),
		mustStrided(t, 0, 300, Dim{2, 5000}, Dim{2, 1000}, Dim{2, 400}),
		mustStrided(t, 0, 8, Dim{2, 2000}, Dim{2, 400}, Dim{2, 100}, Dim{3, 16}),
		indexed,
	} {
		if n := testing.AllocsPerRun(100, func() {
			dst, _ := WithPlan(mem, p)
			src, _ := WithPlan(other, p)
			total += dst.Slice(3, 90).ReadAt(packed, 1) + dst.WriteAt(packed, 5)
			total += Copy(dst, 0, src, 3) + Copy(dst, 3, Of(packed), 0) + len(dst.Run(50))
			for run := range dst.Runs() {
				total += len(run)
			}
		}); n != 0 {
			t.Errorf("plan %+v: %v allocations", p, n)
		}
	}
}

func TestBytesOfIsTheMemoryOfTheSlice(t *testing.T) {
	s := make([]struct{ a, b int32 }, 3, 10)
	b := BytesOf(s)
	if len(b) != 24 || cap(b) != 24 {
		t.Fatalf("3 elements of 8 bytes: len %d, cap %d", len(b), cap(b))
	}
	b[20] = 1
	if s[2].b == 0 {
		t.Fatal("writing byte 20 did not change s[2].b")
	}
	if len(BytesOf([]float64(nil))) != 0 || len(BytesOf(make([]struct{}, 5))) != 0 {
		t.Fatal("bytes of nothing")
	}
}
