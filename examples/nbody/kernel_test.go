package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// crowd returns n bodies in memory that begins at an odd multiple of 8 bytes.
// Coordinates and masses of both signs reach from 2^-reach to 2^reach.
func crowd(n, reach int, r *rand.Rand) *bodies {
	b := viewBodies(0, n, make([]float64, stateFields*n+1)[1:])
	number := func() float64 { return math.Ldexp(r.NormFloat64(), r.IntN(2*reach+1)-reach) }
	for i := range n {
		b.set(i, body{m: math.Abs(number()), x: number(), y: number(), z: number()})
	}
	return b
}

// agreement fails t where a sum of terms differs from the plain one by more than
// inequality (4) of attract8, or that of potential8, allows. The bounds hold to
// first order, what is beyond that is covered by one more u.
func agreement(t *testing.T, b *bodies, s sources, self bool, eps2 float64) {
	t.Helper()
	got, want, scale := newVectors(b.len()), newVectors(b.len()), newVectors(b.len())
	before := append([]float64(nil), b.flat...)
	for i := range b.len() {
		got.x[i], got.y[i], got.z[i] = 1, 2, -3 // sums go on from where they are
		want.x[i], want.y[i], want.z[i] = 1, 2, -3
		scale.x[i], scale.y[i], scale.z[i] = 1, 2, 3
	}
	clear(b.phi)
	addAccelerations(b, s, self, eps2, got)
	addPotentials(b, s, self, eps2)
	phi := append([]float64(nil), b.phi...)
	clear(b.phi)
	addAccelerationsPlain(b, s, self, eps2, want)
	addPotentialsPlain(b, s, self, eps2)
	n := float64(len(s.x) + 1) // the numbers above count as a term
	for i := range b.len() {
		for j := range s.x {
			if self && i == j {
				continue
			}
			x, y, z := attract(b.x[i], b.y[i], b.z[i], eps2, s.span(j, j+1), 0, 0, 0)
			scale.x[i] += math.Abs(x)
			scale.y[i] += math.Abs(y)
			scale.z[i] += math.Abs(z)
		}
		for _, c := range []struct {
			what             string
			got, want, bound float64
		}{
			{"ax", got.x[i], want.x[i], (30 + 2*n) * unit * scale.x[i]},
			{"ay", got.y[i], want.y[i], (30 + 2*n) * unit * scale.y[i]},
			{"az", got.z[i], want.z[i], (30 + 2*n) * unit * scale.z[i]},
			{"phi", phi[i], b.phi[i], (11 + 2*n) * unit * math.Abs(b.phi[i])},
		} {
			if !(math.Abs(c.got-c.want) <= c.bound) {
				t.Errorf("%d bodies, %d sources, self %v, ε² %v, body %d: %s is %v, plain %v, differs by %.2g, bound %.2g",
					b.len(), len(s.x), self, eps2, i, c.what, c.got, c.want, c.got-c.want, c.bound)
			}
		}
	}
	for k, v := range before[:7*b.len()] {
		if math.Float64bits(b.flat[k]) != math.Float64bits(v) {
			t.Errorf("%d bodies, %d sources: number %d of the bodies was %v and is %v", b.len(), len(s.x), k, v, b.flat[k])
		}
	}
}

func TestTheKernelAgreesWithItsPlainTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 71 {
		agreement(t, crowd(n, 0, r), sources{}, false, 0)
		for _, eps2 := range []float64{0, 0.01} {
			b := crowd(n, 4, r)
			agreement(t, b, b.sources, true, eps2)
			for _, m := range []int{1, 2, 7, 8, 9, 31, 70} {
				agreement(t, b, crowd(m, 4, r).sources, false, eps2)
			}
		}
	}
}

func TestTheKernelAgreesOverMoreSourcesThanPassAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	b := crowd(2048+8+3, 0, r)
	agreement(t, b, b.sources, true, 0.01)
	agreement(t, crowd(9, 0, r), b.sources, false, 0)
}

// TestTheKernelAgreesOverTheWholeRange takes distances from 2^-300 to 2^300.
func TestTheKernelAgreesOverTheWholeRange(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for exponent := -300; exponent <= 300; exponent += 5 {
		for _, eps2 := range []float64{0, math.Ldexp(1, 2*exponent)} {
			b := crowd(16, 2, r)
			for k := range b.flat[:3*16] {
				b.flat[k] = math.Ldexp(b.flat[k], exponent)
			}
			agreement(t, b, b.sources, true, eps2)
		}
	}
}

func TestASumOverPartsHasTheBitsOfTheWholeInAnyLane(t *testing.T) {
	const n, sources = 11, 41
	r := rand.New(rand.NewPCG(9, 10))
	for _, eps2 := range []float64{0, 0.01} {
		b, s := crowd(n, 2, r), crowd(sources, 2, r).sources
		want := newVectors(n)
		addAccelerations(b, s, false, eps2, want)
		addPotentials(b, s, false, eps2)
		for cut := range sources + 1 {
			got := newVectors(n)
			// Bodies in other lanes, beside other neighbours.
			for first, size := range map[int]int{0: 1, 1: 3, 4: n - 4} {
				part := b.part(first, size)
				acc := &vectors{got.x[first : first+size], got.y[first : first+size], got.z[first : first+size]}
				addAccelerations(part, s.span(0, cut), false, eps2, acc)
				addAccelerations(part, s.span(cut, sources), false, eps2, acc)
				addPotentials(part, s.span(0, cut), false, eps2)
				addPotentials(part, s.span(cut, sources), false, eps2)
				for k, phi := range part.phi {
					if phi != b.phi[first+k] {
						t.Errorf("ε² %v, cut at %d, body %d: potential %v, want %v", eps2, cut, first+k, phi, b.phi[first+k])
					}
				}
			}
			for i := range n {
				if got.x[i] != want.x[i] || got.y[i] != want.y[i] || got.z[i] != want.z[i] {
					t.Errorf("ε² %v, cut at %d, body %d: got %v %v %v, want %v %v %v", eps2, cut, i, got.x[i], got.y[i], got.z[i], want.x[i], want.y[i], want.z[i])
				}
			}
		}
	}
}

func TestTheKernelAtAndBeyondTheEndsOfTheRange(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name    string
		m, x, y float64 // of the source; the body is at the origin
		eps2    float64
		finite  bool
		ax      float64 // if finite
	}{
		{"a massless source", 0, 3, 4, 0, true, 0},
		{"the same place without softening", 1, 0, 0, 0, false, 0},
		{"the same place with softening", 1, 0, 0, 0.01, true, 0},
		{"a massless source in the same place", 0, 0, 0, 0, false, 0},
		{"a distance whose square overflows", 1, 1e200, 1e200, 0, true, 0},
		{"the largest distance", 1e300, math.MaxFloat64, -math.MaxFloat64, 0, true, 0},
		{"infinite softening", 1, 3, 4, inf, true, 0},
		{"a distance whose square underflows", 1, 1e-200, 0, 0, false, 0},
		{"one coordinate's square underflows", 125, 5, 1e-200, 0, true, 5},
		{"an infinite coordinate", 1, inf, 0, 0, false, 0},
		{"a coordinate that is no number", 1, nan, 0, 0, false, 0},
		{"an infinite mass", inf, 3, 4, 0, false, 0},
	} {
		// Alone among bodies to which the source does nothing unusual.
		for lane := range 9 {
			b := newBodies(0, 9)
			for i := range 9 {
				b.x[i], b.z[i] = -1, 2
			}
			b.x[lane], b.z[lane] = 0, 0
			s := newBodies(0, 1)
			s.set(0, body{m: c.m, x: c.x, y: c.y})
			for name, add := range map[string]func(*bodies, sources, bool, float64, *vectors){"the kernel": addAccelerations, "the twin": addAccelerationsPlain} {
				acc := newVectors(9)
				add(b, s.sources, false, c.eps2, acc)
				got := acc.x[lane]
				finite := !math.IsNaN(got) && !math.IsInf(got, 0)
				if finite != c.finite || finite && math.Abs(got-c.ax) > 20*unit*math.Abs(c.ax) {
					t.Errorf("%s, lane %d, %s: %v, want %v (finite: %v)", c.name, lane, name, got, c.ax, c.finite)
				}
			}
		}
	}
}

// FuzzKernel takes any bits for coordinates, masses and ε². The result is finite
// where the twin's is, and within the bound where nothing leaves the range.
func FuzzKernel(f *testing.F) {
	word := func(values ...float64) []byte {
		var out []byte
		for _, v := range values {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
		return out
	}
	f.Add(word(0.01, 1, 0, 0, 0, 1, 3, 4, 5))
	f.Add(word(0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1e200, 1e200, 1))
	f.Add(word(math.Inf(1), math.NaN(), -1, 1e-320, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v []float64
		for len(data) >= 8 && len(v) < 1+4*40 {
			v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(data)))
			data = data[8:]
		}
		if len(v) < 5 {
			return
		}
		eps2, n := math.Abs(v[0]), (len(v)-1)/4
		b := newBodies(0, n)
		for i := range n {
			b.set(i, body{m: math.Abs(v[1+4*i]), x: v[2+4*i], y: v[3+4*i], z: v[4+4*i]})
		}
		if within(b, eps2) {
			agreement(t, b, b.sources, true, eps2)
			return
		}
		got, want := newVectors(n), newVectors(n)
		addAccelerations(b, b.sources, true, eps2, got)
		addAccelerationsPlain(b, b.sources, true, eps2, want)
		for i := range n {
			for _, c := range [][2]float64{{got.x[i], want.x[i]}, {got.y[i], want.y[i]}, {got.z[i], want.z[i]}} {
				if math.Abs(c[1]) < 1e300 && !(math.Abs(c[0]) < math.Inf(1)) {
					t.Errorf("body %d: got %v, the twin's is %v", i, c[0], c[1])
				}
			}
		}
	})
}

// within reports whether nothing overflows or underflows on the way to the
// forces among the bodies of b.
func within(b *bodies, eps2 float64) bool {
	in := func(v, reach float64) bool {
		return v == 0 || math.Abs(v) > 1/reach && math.Abs(v) < reach
	}
	for i := range b.len() {
		if !in(b.m[i], 0x1p100) {
			return false
		}
		for j := range i {
			dx, dy, dz := b.x[j]-b.x[i], b.y[j]-b.y[i], b.z[j]-b.z[i]
			r2 := dx*dx + dy*dy + dz*dz + eps2
			if !in(dx, 0x1p200) || !in(dy, 0x1p200) || !in(dz, 0x1p200) || !in(eps2, 0x1p400) || r2 == 0 {
				return false
			}
		}
	}
	return true
}

// BenchmarkPotentials is for the other kernel what BenchmarkForces is.
func BenchmarkPotentials(b *testing.B) {
	for _, n := range []int{256, 2048, 16384} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := plummer(n, 1, 0, n)
			targets := all.part(0, 256)
			for b.Loop() {
				addPotentials(targets, all.sources, false, 0.0025)
			}
			b.ReportMetric(256*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Minteractions/s")
		})
	}
}
