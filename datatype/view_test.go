package datatype

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The dumb twin of a View is the list of the places of its elements.

func subarrayPlaces(shape, start, size []int) []int {
	if len(shape) == 0 {
		return []int{0}
	}
	inner, below := subarrayPlaces(shape[1:], start[1:], size[1:]), 1
	for _, n := range shape[1:] {
		below *= n
	}
	var all []int
	for i := range size[0] {
		for _, p := range inner {
			all = append(all, (start[0]+i)*below+p)
		}
	}
	return all
}

// randomView returns a View of a slice of at most n elements, with its twin.
func randomView[T any](rng *rand.Rand, s []T) (v View[T], places []int, name string) {
	n := len(s)
	switch rng.IntN(3) {
	case 0:
		count, block := rng.IntN(6), rng.IntN(5)
		stride := rng.IntN(2 * (block + 1))
		for i := range count {
			for j := range block {
				places = append(places, i*stride+j)
			}
		}
		return Vector(s, count, block, stride), places, fmt.Sprintf("Vector(%d, %d, %d)", count, block, stride)
	case 1:
		blocks := make([]Block, rng.IntN(6))
		for i := range blocks {
			blocks[i] = Block{Offset: rng.IntN(n), Len: rng.IntN(8)}
			if blocks[i].Len = min(blocks[i].Len, n-blocks[i].Offset); blocks[i].Len == 0 {
				blocks[i].Offset = rng.IntN(3*n) - n
			}
			for j := range blocks[i].Len {
				places = append(places, blocks[i].Offset+j)
			}
		}
		return Indexed(s, blocks...), places, fmt.Sprintf("Indexed(%v)", blocks)
	default:
		d := rng.IntN(5)
		shape, start, size := make([]int, d), make([]int, d), make([]int, d)
		for i := range d {
			shape[i] = 1 + rng.IntN(4)
			start[i] = rng.IntN(shape[i])
			size[i] = rng.IntN(shape[i] - start[i] + 1)
			if rng.IntN(2) == 0 {
				start[i], size[i] = 0, shape[i]
			}
		}
		return Subarray(s, shape, start, size), subarrayPlaces(shape, start, size), fmt.Sprintf("Subarray(%v, %v, %v)", shape, start, size)
	}
}

func verifyView[T comparable](t *testing.T, seed uint64, element func(i int) T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	s := make([]T, 256)
	for i := range s {
		s[i] = element(i)
	}
	v, places, name := randomView(rng, s)
	if err := v.Err(); err != nil {
		t.Fatalf("seed %d: %s: %v", seed, name, err)
	}
	want := make([]T, len(places))
	for i, p := range places {
		want[i] = s[p]
	}
	var all []T
	for i, e := range v.All() {
		if i != len(all) {
			t.Fatalf("seed %d: %s: All yields place %d after %d elements", seed, name, i, len(all))
		}
		all = append(all, e)
	}
	got := make([]T, rng.IntN(len(places)+3))
	n, err := v.CopyTo(got)
	if v.Len() != len(want) || !slices.Equal(all, want) || err != nil || n != min(len(got), len(want)) || !slices.Equal(got[:n], want[:n]) {
		t.Fatalf("seed %d: %s: Len %d, All %v, CopyTo %d %v (%v); want %v", seed, name, v.Len(), all, n, got, err, want)
	}

	sorted := slices.Sorted(slices.Values(places))
	twice := len(slices.Compact(sorted)) < len(places)
	if v.Overlaps() != twice && v.Buffer().Len() > 0 {
		t.Fatalf("seed %d: %s: Overlaps %v, want %v", seed, name, v.Overlaps(), twice)
	}
	model := slices.Clone(s)
	for i := range got {
		got[i] = element(1000 + i)
	}
	n, err = v.CopyFrom(got)
	if v.Overlaps() {
		if !errors.Is(err, ErrOverlap) {
			t.Fatalf("seed %d: %s: CopyFrom into overlapping elements: %v", seed, name, err)
		}
	} else if err != nil || n != min(len(got), len(places)) {
		t.Fatalf("seed %d: %s: CopyFrom = %d, %v, want %d", seed, name, n, err, min(len(got), len(places)))
	} else {
		for i := range n {
			model[places[i]] = got[i]
		}
	}
	if !slices.Equal(s, model) {
		t.Fatalf("seed %d: %s: CopyFrom(%v) leaves\n%v, want\n%v", seed, name, got, s, model)
	}
}

func TestViewIsItsListOfPlaces(t *testing.T) {
	for seed := range uint64(3000) {
		verifyView(t, seed, func(i int) float64 { return float64(i) })
		verifyView(t, seed, func(i int) int8 { return int8(i) })
		verifyView(t, seed, func(i int) [3]int16 { return [3]int16{int16(i), 0, int16(-i)} })
		verifyView(t, seed, func(i int) body { return body{Mass: float64(i), ID: int32(i)} })
		verifyView(t, seed, func(int) struct{} { return struct{}{} })
	}
}

// FuzzViewsFromUserArguments makes views from arbitrary numbers: an error or a
// View that can be used, never a panic.
func FuzzViewsFromUserArguments(f *testing.F) {
	f.Add(2, 2, 3, 1, 0, 4)
	f.Add(math.MaxInt, math.MaxInt, math.MaxInt, 1, math.MaxInt, math.MinInt)
	f.Add(3, 4, 0, 1, 2, 3)
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g int) {
		fuzzViews[float32](t, a, b, c, d, e, g)
		fuzzViews[struct{}](t, a, b, c, d, e, g)
	})
}

func fuzzViews[T any](t *testing.T, a, b, c, d, e, g int) {
	s := make([]T, 24)
	for _, v := range []View[T]{
		Vector(s, a, b, c),
		Indexed(s, Block{a, b}, Block{c, d}, Block{e, g}),
		Subarray(s, []int{a, b}, []int{c, d}, []int{e, g}),
	} {
		if err := v.Err(); err != nil {
			if !errors.Is(err, ErrView) || v.Len() != 0 || v.Buffer().Len() != 0 {
				t.Fatalf("%v: Len %d, %d bytes", err, v.Len(), v.Buffer().Len())
			}
			continue
		}
		dst := make([]T, 30)
		if n, err := v.CopyTo(dst); err != nil || n != min(v.Len(), 30) {
			t.Fatalf("%d, %d, %d, %d, %d, %d: CopyTo = %d, %v; Len %d", a, b, c, d, e, g, n, err, v.Len())
		}
	}
}

func TestShapesThatDoNotFitSayWhatWould(t *testing.T) {
	s := make([]float64, 20)
	three := []int{3, 4, 2}
	for _, c := range []struct {
		v    View[float64]
		want string
	}{
		{Vector(s, -1, 2, 3), "Vector: count is -1, want 0 or more"},
		{Vector(s, 1, -2, 3), "Vector: block is -2, want 0 or more"},
		{Vector(s, 1, 2, -3), "Vector: stride is -3, want 0 or more"},
		{Vector(s, 1, 21, 3), "Vector: block is 21, want at most len(s) = 20"},
		{Vector(s, 5, 2, 5), "Vector: count is 5, want at most 4: that many blocks of 2 at stride 5 fit len(s) = 20"},
		{Vector(s, 3, 2, math.MaxInt), "Vector: count is 3, want at most 1"},
		{Vector(s, math.MaxInt, 2, 0), "Vector: count is"},
		{Indexed(s, Block{0, 1}, Block{3, -1}), "Indexed: blocks[1].Len is -1, want 0 or more"},
		{Indexed(s, Block{-1, 1}), "Indexed: blocks[0].Offset is -1, want 0 to len(s) = 20"},
		{Indexed(s, Block{18, 3}), "Indexed: blocks[0].Len is 3, want at most 2 from offset 18 of len(s) = 20"},
		{Subarray(s, three, three[:2], three), "Subarray: shape has 3 dimensions, start 2, size 3, want as many of each"},
		{Subarray(s, []int{-1}, []int{0}, []int{0}), "Subarray: shape[0] is -1, want 0 or more"},
		{Subarray(s, []int{4, 5}, []int{0, 6}, []int{1, 1}), "Subarray: start[1] is 6, want 0 to shape[1] = 5"},
		{Subarray(s, []int{4, 5}, []int{0, 2}, []int{1, 4}), "Subarray: size[1] is 4, want 0 to 3: shape[1] is 5, start[1] is 2"},
		{Subarray(s, three, make([]int, 3), three), "Subarray: shape [3 4 2] has more elements than len(s) = 20"},
		{Subarray(s[:0], nil, nil, nil), "Subarray: without dimensions it is one element, len(s) is 0"},
	} {
		err := c.v.Err()
		if !errors.Is(err, ErrView) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want ErrView and %q", err, c.want)
		}
		if _, err2 := c.v.CopyTo(s); err2 != err {
			t.Errorf("CopyTo: %v, want %v", err2, err)
		}
		if _, err2 := c.v.CopyFrom(s); err2 != err {
			t.Errorf("CopyFrom: %v, want %v", err2, err)
		}
		for range c.v.All() {
			t.Errorf("%v: All yields an element", err)
		}
	}
}

func TestViewsOfTypesThatCannotTravel(t *testing.T) {
	s := make([]string, 4)
	for i, v := range []View[string]{Contiguous(s), Vector(s, 1, 1, 1), Indexed(s), Subarray(s, nil, nil, nil)} {
		if !errors.Is(v.Err(), ErrType) || v.Len() != 0 {
			t.Errorf("view %d: error %v, want ErrType", i, v.Err())
		}
	}
}

// A block as wide as its matrix lies side by side, and links may know it.
func TestFullWidthBlocksAreContiguous(t *testing.T) {
	s := make([]float64, 60)
	for name, v := range map[string]View[float64]{
		"vector":   Vector(s, 3, 10, 10),
		"subarray": Subarray(s, []int{3, 4, 5}, []int{1, 0, 0}, []int{2, 4, 5}),
		"indexed":  Indexed(s, Block{10, 5}, Block{15, 5}, Block{Offset: 50}),
	} {
		if b, ok := v.Buffer().Contiguous(); !ok || len(b) != 8*v.Len() || v.Overlaps() {
			t.Errorf("%s: %d bytes in one run: %v", name, len(b), ok)
		}
	}
}

func TestZeroViewIsEmpty(t *testing.T) {
	var v View[float64]
	n, err := v.CopyTo(make([]float64, 3))
	if v.Len() != 0 || v.Err() != nil || v.Overlaps() || v.Buffer().Len() != 0 || n != 0 || err != nil {
		t.Errorf("zero View: Len %d, Err %v, CopyTo %d, %v", v.Len(), v.Err(), n, err)
	}
}

// A View is made in the argument list of a call, so it must be cheap: its plan
// is the one allocation, and using it makes none.
func TestViewsAllocateTheirPlanAtMost(t *testing.T) {
	s, dst := make([]float64, 1000), make([]float64, 200)
	var sum float64
	for _, c := range []struct {
		name string
		most float64
		view func() View[float64]
	}{
		{"contiguous", 0, func() View[float64] { return Contiguous(s) }},
		{"vector", 1, func() View[float64] { return Vector(s, 10, 2, 100) }},
		{"subarray", 1, func() View[float64] {
			return Subarray(s, []int{10, 10, 10}, []int{1, 1, 1}, []int{5, 5, 5})
		}},
	} {
		if n := testing.AllocsPerRun(100, func() {
			v := c.view()
			if n, err := v.CopyTo(dst); n == 0 || err != nil {
				t.Fatal(n, err)
			}
			for _, x := range v.All() {
				sum += x
			}
		}); n > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, n, c.most)
		}
	}
}
