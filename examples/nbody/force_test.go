package main

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// alone is the decomposition of a program without ranks.
type alone struct{}

func (alone) visit(_ context.Context, own *bodies, fn func(sources, bool)) error {
	fn(own.sources, true)
	return nil
}

func (alone) waited() time.Duration { return 0 }

// scattered returns n bodies of unequal mass, drawn from seed.
func scattered(n int, seed uint64) *bodies {
	r := rand.New(rand.NewPCG(seed, 1))
	b := newBodies(0, n)
	for i := range n {
		b.set(i, body{r.Float64() + 0.1, r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()})
	}
	return b
}

// exactForce is the dumb twin of attract and potential: every term in 200 bits.
func exactForce(b *bodies, i int, eps2 float64) (ax, ay, az, phi float64) {
	at := func(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }
	sum := [4]*big.Float{at(0), at(0), at(0), at(0)}
	for j := range b.len() {
		if j == i {
			continue
		}
		d := [3]*big.Float{at(b.x[j]), at(b.y[j]), at(b.z[j])}
		r2 := at(eps2)
		for k, x := range [3]float64{b.x[i], b.y[i], b.z[i]} {
			d[k].Sub(d[k], at(x))
			r2.Add(r2, at(0).Mul(d[k], d[k]))
		}
		r := at(0).Sqrt(r2)
		sum[3].Sub(sum[3], at(0).Quo(at(b.m[j]), r))
		w := at(0).Quo(at(b.m[j]), at(0).Mul(r2, r))
		for k := range d {
			sum[k].Add(sum[k], at(0).Mul(w, d[k]))
		}
	}
	var out [4]float64
	for k := range out {
		out[k], _ = sum[k].Float64()
	}
	return out[0], out[1], out[2], out[3]
}

// termSums returns the sums of the magnitudes of the terms of one acceleration,
// by component.
func termSums(b *bodies, i int, eps2 float64) (sx, sy, sz float64) {
	for j := range b.len() {
		if j != i {
			ax, ay, az := attract(b.x[i], b.y[i], b.z[i], eps2, b.span(j, j+1), 0, 0, 0)
			sx, sy, sz = sx+math.Abs(ax), sy+math.Abs(ay), sz+math.Abs(az)
		}
	}
	return sx, sy, sz
}

const unit = 0x1p-53 // half the distance from 1 to the next float64

func TestForcesAreExactUpToRounding(t *testing.T) {
	t.Run("kernel", func(t *testing.T) { forcesAreExactUpToRounding(t, addAccelerations, addPotentials) })
	t.Run("plain", func(t *testing.T) { forcesAreExactUpToRounding(t, addAccelerationsPlain, addPotentialsPlain) })
}

func forcesAreExactUpToRounding(t *testing.T, accelerations func(*bodies, sources, bool, float64, *vectors), potentials func(*bodies, sources, bool, float64)) {
	for _, eps2 := range []float64{0, 0.01} {
		for _, n := range []int{1, 2, 3, 60} {
			b := scattered(n, uint64(n))
			acc := newVectors(n)
			accelerations(b, b.sources, true, eps2, acc)
			potentials(b, b.sources, true, eps2)
			bound := float64(n+20) * unit
			for i := range n {
				ax, ay, az, phi := exactForce(b, i, eps2)
				sx, sy, sz := termSums(b, i, eps2)
				for _, c := range [][3]float64{{acc.x[i], ax, sx}, {acc.y[i], ay, sy}, {acc.z[i], az, sz}, {b.phi[i], phi, math.Abs(phi)}} {
					if got, want, scale := c[0], c[1], c[2]; math.Abs(got-want) > bound*scale {
						t.Errorf("n %d ε² %v body %d: got %v, want %v within %.1e", n, eps2, i, got, want, bound*scale)
					}
				}
			}
		}
	}
}

func TestASumOverPartsHasTheBitsOfTheWhole(t *testing.T) {
	const n = 41
	b := scattered(n, 3)
	wx, wy, wz := attract(0.5, 0.25, -1, 0.01, b.sources, 0, 0, 0)
	for cut := range n + 1 {
		x, y, z := attract(0.5, 0.25, -1, 0.01, b.span(0, cut), 0, 0, 0)
		x, y, z = attract(0.5, 0.25, -1, 0.01, b.span(cut, n), x, y, z)
		if x != wx || y != wy || z != wz {
			t.Errorf("cut at %d: got %v %v %v, want %v %v %v", cut, x, y, z, wx, wy, wz)
		}
	}
}

func TestBlocksCoverAllBodiesInOrder(t *testing.T) {
	for n := range 40 {
		for p := 1; p < 12; p++ {
			next := 0
			for k := range p {
				first, size := block(n, p, k)
				if first != next || size < n/p || size > n/p+1 {
					t.Fatalf("n %d p %d block %d: first %d size %d, want first %d", n, p, k, first, size, next)
				}
				next += size
			}
			if next != n {
				t.Fatalf("n %d p %d: blocks hold %d", n, p, next)
			}
		}
	}
}

func BenchmarkForces(b *testing.B) {
	for _, n := range []int{256, 2048, 16384} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := plummer(n, 1, 0, n)
			targets := all.part(0, 256)
			acc := newVectors(256)
			for b.Loop() {
				addAccelerations(targets, all.sources, false, 0.0025, acc)
			}
			b.ReportMetric(256*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Minteractions/s")
		})
	}
}
