package exact

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// A reference is the dumb twin: a sum in a big.Float with room for every bit.
type reference struct {
	sum                *big.Float
	plus, minus, noNum bool
}

func newReference() *reference { return &reference{sum: new(big.Float).SetPrec(2400)} }

func (r *reference) add(x float64) {
	switch {
	case math.IsNaN(x):
		r.noNum = true
	case math.IsInf(x, 1):
		r.plus = true
	case math.IsInf(x, -1):
		r.minus = true
	default:
		r.sum.Add(r.sum, new(big.Float).SetFloat64(x))
	}
}

func (r *reference) round() (float64, float32) {
	x, _ := r.sum.Float64()
	y, _ := r.sum.Float32()
	switch {
	case r.noNum || r.plus && r.minus:
		x = math.NaN()
	case r.plus:
		x = math.Inf(1)
	case r.minus:
		x = math.Inf(-1)
	case r.sum.Sign() == 0:
		return 0, 0
	default:
		return x, y
	}
	return x, float32(x)
}

func equal(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
}

// agrees fails t where a is not the sum of reference.
func agrees(t *testing.T, a *Accumulator, r *reference, what string) {
	t.Helper()
	x, y := r.round()
	if got := a.Round(); !equal(got, x) {
		t.Fatalf("%s: sum %v (%x), want %v (%x)", what, got, got, x, x)
	}
	if got := a.Round32(); !equal(float64(got), float64(y)) {
		t.Fatalf("%s: sum in float32 %v (%x), want %v (%x)", what, got, got, y, y)
	}
}

// sumOf checks the sum of x, however it is taken together, and returns it.
func sumOf(t *testing.T, x []float64, r *rand.Rand, what string) float64 {
	t.Helper()
	ref := newReference()
	var one, slice Accumulator
	for _, v := range x {
		ref.add(v)
		one.Add(v)
	}
	AddSlice(&slice, x)
	agrees(t, &one, ref, what+", by Add")
	agrees(t, &slice, ref, what+", by AddSlice")

	// Shuffled, over several ranks, merged and as words.
	ranks := make([]Accumulator, 1+r.IntN(9))
	for _, i := range r.Perm(len(x)) {
		ranks[r.IntN(len(ranks))].Add(x[i])
	}
	var merged, added Accumulator
	var sum Words
	for k := range ranks {
		merged.Merge(&ranks[k])
		for i, w := range ranks[k].Words() {
			sum[i] += w
		}
	}
	added.SetWords(&sum)
	agrees(t, &merged, ref, fmt.Sprintf("%s, merged from %d ranks", what, len(ranks)))
	agrees(t, &added, ref, fmt.Sprintf("%s, words of %d ranks", what, len(ranks)))
	for name, a := range map[string]*Accumulator{"AddSlice": &slice, "Merge": &merged, "SetWords": &added} {
		if got, want := a.Words(), one.Words(); got != want {
			t.Fatalf("%s: words by %s\n%v, by Add\n%v", what, name, got, want)
		}
	}
	return one.Round()
}

// shapes are ways to make terms; each is hard in another place.
var shapes = []struct {
	name string
	fill func(r *rand.Rand, x []float64)
}{
	{"normal", each(func(r *rand.Rand) float64 { return r.NormFloat64() })},
	{"any finite bits", each(finite)},
	{"any bits", each(func(r *rand.Rand) float64 { return math.Float64frombits(r.Uint64()) })},
	{"subnormal", each(func(r *rand.Rand) float64 { return math.Float64frombits(r.Uint64() &^ (0x7ff << 52)) })},
	{"around the smallest normal", each(func(r *rand.Rand) float64 {
		return math.Float64frombits(r.Uint64()&^(0x7ff<<52) | r.Uint64N(3)<<52)
	})},
	{"around the smallest float32", each(func(r *rand.Rand) float64 { return math.Ldexp(r.NormFloat64(), -152+r.IntN(8)) })},
	{"around the largest float32", each(func(r *rand.Rand) float64 { return math.MaxFloat32 * float64(r.IntN(3)-1) })},
	{"zeros", each(func(r *rand.Rand) float64 { return math.Copysign(0, r.Float64()-0.5) })},
	{"largest", each(func(r *rand.Rand) float64 { return math.MaxFloat64 })},
	{"most in one limb", each(func(r *rand.Rand) float64 { return 0x1.fffffffffffffp0 })},
	{"most in one limb, negative", each(func(r *rand.Rand) float64 { return -0x1.fffffffffffffp0 })},
	{"beyond the range and back", each(func(r *rand.Rand) float64 { return math.Copysign(math.MaxFloat64, r.Float64()-0.5) })},
	{"cancelling", func(r *rand.Rand, x []float64) {
		for i := range x {
			x[i] = finite(r)
		}
		for i := range len(x) / 2 {
			x[len(x)-1-i] = -x[i]
		}
	}},
	{"near half a unit in the last place", func(r *rand.Rand, x []float64) {
		clear(x)
		e := r.IntN(1900) - 1000
		terms := []float64{math.Ldexp(1+float64(r.IntN(4))*0x1p-52, e), math.Ldexp(1, e-53),
			math.Ldexp(float64(r.IntN(3)-1), -1074), math.Ldexp(float64(r.IntN(3)-1), e-24)}
		for i := range min(len(x), len(terms)) {
			x[i] = terms[i]
		}
		if r.IntN(2) == 0 {
			for i := range x {
				x[i] = -x[i]
			}
		}
	}},
	{"near the largest number", func(r *rand.Rand, x []float64) {
		clear(x)
		terms := []float64{math.MaxFloat64, 0x1p970, math.Ldexp(float64(r.IntN(3)-1), r.IntN(2040)-1074)}
		for i := range min(len(x), len(terms)) {
			x[i] = terms[i]
		}
	}},
}

func each(term func(r *rand.Rand) float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, x []float64) {
		for i := range x {
			x[i] = term(r)
		}
	}
}

func finite(r *rand.Rand) float64 {
	for {
		if x := math.Float64frombits(r.Uint64()); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return x
		}
	}
}

func TestSumsAreThoseOfBigNumbers(t *testing.T) {
	for _, shape := range shapes {
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(1, seed))
			x := make([]float64, r.IntN(60))
			if seed == 0 {
				x = make([]float64, 5*adds+1) // carries must be done meanwhile
			}
			shape.fill(r, x)
			sumOf(t, x, r, fmt.Sprintf("%s, seed %d, %d terms", shape.name, seed, len(x)))
		}
	}
}

func TestSumsThatOneCanSee(t *testing.T) {
	inf, max := math.Inf(1), math.MaxFloat64
	for _, c := range []struct {
		terms []float64
		want  float64
	}{
		{nil, 0},
		{[]float64{math.Copysign(0, -1), math.Copysign(0, -1)}, 0},
		{[]float64{1e100, 1, -1e100}, 1},
		{[]float64{max, max, -max}, max},
		{[]float64{max, max}, inf},
		{[]float64{-max, -max}, -inf},
		{[]float64{max, 0x1p969}, max},
		{[]float64{max, 0x1p970}, inf},
		{[]float64{max, 0x1p970, -5e-324}, max},
		{[]float64{1, 0x1p-53}, 1},
		{[]float64{1, 0x1p-53, 5e-324}, 1 + 0x1p-52},
		{[]float64{1 + 0x1p-52, 0x1p-53}, 1 + 0x1p-51},
		{[]float64{5e-324, 5e-324}, 1e-323},
		{[]float64{5e-324, -5e-324}, 0},
		{[]float64{0x1p-1022, -5e-324}, 0x0.fffffffffffffp-1022},
		{[]float64{inf, -max, -max}, inf},
		{[]float64{-inf, 1}, -inf},
		{[]float64{inf, -inf}, math.NaN()},
		{[]float64{1, math.NaN()}, math.NaN()},
		{[]float64{inf, math.NaN(), 1}, math.NaN()},
	} {
		if got := sumOf(t, c.terms, rand.New(rand.NewPCG(2, 3)), fmt.Sprint(c.terms)); !equal(got, c.want) {
			t.Errorf("%v: sum %v, want %v", c.terms, got, c.want)
		}
	}
}

func TestAFloat32IsRoundedOnce(t *testing.T) {
	var a Accumulator
	AddSlice(&a, []float32{1, 0x1p-24, 0x1p-80})
	if got := a.Round32(); got != 1+0x1p-23 { // through float64 it would be 1
		t.Errorf("1 + 2^-24 + 2^-80 is %x, want %x", got, float32(1+0x1p-23))
	}
}

// TestHugeCounts merges an accumulator with itself until it has as many terms as
// it may have.
func TestHugeCounts(t *testing.T) {
	for _, x := range []float64{math.MaxFloat64, -math.MaxFloat64, 5e-324, -5e-324, 1.0 / 3, -0x1.fffffffffffffp-991} {
		var a Accumulator
		ref := newReference()
		a.Add(x)
		ref.add(x)
		for doubled := range 62 {
			a.Merge(&a)
			ref.sum.Add(ref.sum, ref.sum)
			agrees(t, &a, ref, fmt.Sprintf("2^%d times %x", doubled+1, x))
		}
		// And back into the range, but for one term.
		for doubled := 61; doubled >= 0; doubled-- {
			var less Accumulator
			less.Add(-x)
			for range doubled {
				less.Merge(&less)
			}
			a.Merge(&less)
		}
		if got := a.Round(); got != x {
			t.Errorf("2^62 times %x less all but one: %x", x, got)
		}
	}
}

// TestAsManyWordsAsAllowed multiplies words by MaxSum, which is what that many ranks
// with the same words add up to.
func TestAsManyWordsAsAllowed(t *testing.T) {
	for name, x := range map[string][]float64{
		"all limbs at their largest": {-5e-324},
		"the largest":                {math.MaxFloat64},
		"and the other way":          {-math.MaxFloat64},
		"of both":                    {math.MaxFloat64, -5e-324, 1},
	} {
		var a Accumulator
		ref := newReference()
		for _, v := range x {
			a.Add(v)
			ref.add(v)
		}
		w := a.Words()
		for i := range w {
			product := new(big.Int).Mul(big.NewInt(w[i]), big.NewInt(MaxSum))
			if !product.IsInt64() {
				t.Fatalf("%s: word %d, %d, overflows in the sum of %d", name, i, w[i], MaxSum)
			}
			w[i] *= MaxSum
		}
		a.SetWords(&w)
		ref.sum.Mul(ref.sum, new(big.Float).SetInt64(MaxSum))
		agrees(t, &a, ref, name)
	}
}

// TestLimbsHaveRoom holds the constants to the bounds their comments give.
func TestLimbsHaveRoom(t *testing.T) {
	one := big.NewInt(1)
	power := func(n uint) *big.Int { return new(big.Int).Lsh(one, n) }
	term := new(big.Int).Add(power(52), power(32))
	all := new(big.Int).Add(power(limbBits+1), term.Mul(term, big.NewInt(adds)))
	if !all.IsInt64() {
		t.Errorf("two limbs of %d bits and %d terms need %d bits", limbBits, adds, all.BitLen())
	}
	if limb := new(big.Int).Mul(power(limbBits), big.NewInt(MaxSum)); !limb.IsInt64() {
		t.Errorf("%d limbs of %d bits need %d", MaxSum, limbBits, limb.BitLen())
	}
	if highest := 2*1024 + 1075 - 1024 + 63 - (limbs-1)*limbBits; highest > 62 {
		t.Errorf("the last of %d limbs needs %d bits", limbs, highest)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	x := make([]float64, 5000)
	var a, b Accumulator
	if got := testing.AllocsPerRun(10, func() {
		AddSlice(&a, x)
		b.Merge(&a)
		w := a.Words()
		b.SetWords(&w)
		b.Round()
		b.Round32()
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// FuzzSum takes any bits for the terms.
func FuzzSum(f *testing.F) {
	word := func(values ...float64) []byte {
		var out []byte
		for _, v := range values {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
		return out
	}
	f.Add(word(1, 0x1p-53, 5e-324), uint64(1))
	f.Add(word(math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, -1e-310), uint64(2))
	f.Add(word(math.Inf(1), math.Inf(-1), math.NaN(), 0), uint64(3))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		var x []float64
		for ; len(data) >= 8; data = data[8:] {
			x = append(x, math.Float64frombits(binary.LittleEndian.Uint64(data)))
		}
		sumOf(t, x, rand.New(rand.NewPCG(4, seed)), fmt.Sprintf("%x, seed %d", x, seed))
	})
}

// BenchmarkAddSlice compares the cost of a term with that in a plain loop.
func BenchmarkAddSlice(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, shape := range []struct {
		name string
		term func(r *rand.Rand) float64
	}{
		{"normal", (*rand.Rand).NormFloat64},
		{"wide", finite},
		{"half-zero", func(r *rand.Rand) float64 { return float64(r.IntN(2)) }},
	} {
		x := make([]float64, 1<<12)
		each(shape.term)(r, x)
		for name, add := range map[string]func(a *Accumulator){
			"exact": func(a *Accumulator) { AddSlice(a, x) },
			"plain": func(a *Accumulator) { a.room += int(plainSum(x)) & 1 },
		} {
			b.Run(shape.name+"/"+name, func(b *testing.B) {
				var a Accumulator
				for b.Loop() {
					add(&a)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/term")
			})
		}
	}
}

//go:noinline
func plainSum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

func BenchmarkRound(b *testing.B) {
	var a Accumulator
	AddSlice(&a, []float64{1, 0x1p-53, -1e-300})
	for b.Loop() {
		a.Round()
	}
}
