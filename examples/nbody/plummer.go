package main

import (
	"math"
	"math/rand/v2"
)

// plummerMass is the fraction of the infinite model's mass from which radii are
// drawn: its last thousandth reaches from 22 scale lengths to infinity.
const plummerMass = 0.999

// plummer returns bodies first to first+size−1 of a Plummer sphere of n bodies
// of equal mass in standard units (G = M = 1, E = −1/4; Heggie & Mathieu 1986),
// in its centre-of-mass frame. They follow from (n, seed) alone: every caller
// walks the whole sequence of random numbers, which costs O(n) time against the
// O(n²) of a single step, and keeps what it asked for, in O(size) memory.
//
// The sampling is that of Aarseth, Hénon & Wielen 1974, Astronomy and
// Astrophysics 37, 183, appendix.
func plummer(n int, seed uint64, first, size int) *bodies {
	b := newBodies(first, size)
	random := rand.New(rand.NewPCG(seed, 0))
	var mean body
	for i := range n {
		v := plummerBody(random)
		v.m = 1 / float64(n)
		if k := i - first; k >= 0 && k < size {
			b.set(k, v)
		}
		mean.x += v.x
		mean.y += v.y
		mean.z += v.z
		mean.vx += v.vx
		mean.vy += v.vy
		mean.vz += v.vz
	}
	count := float64(n)
	for i := range size {
		b.x[i] -= mean.x / count
		b.y[i] -= mean.y / count
		b.z[i] -= mean.z / count
		b.vx[i] -= mean.vx / count
		b.vy[i] -= mean.vy / count
		b.vz[i] -= mean.vz / count
	}
	return b
}

// plummerBody draws position and velocity of one body.
func plummerBody(random *rand.Rand) body {
	// The paper's model has G = M = scale length = 1 and so E = −3π/64.
	const length = 3 * math.Pi / 16
	speed := 1 / math.Sqrt(length)

	// M(r) = r³ (1+r²)^(−3/2), inverted.
	mass := plummerMass * random.Float64()
	r := 1 / math.Sqrt(math.Pow(mass, -2.0/3)-1)
	x, y, z := onSphere(random, length*r)

	// The speed in units of that of escape has the density q²(1−q²)^(7/2),
	// which stays below 0.1.
	q := 0.0
	for {
		q = random.Float64()
		if 0.1*random.Float64() < q*q*math.Pow(1-q*q, 3.5) {
			break
		}
	}
	escape := math.Sqrt2 * math.Pow(1+r*r, -0.25)
	vx, vy, vz := onSphere(random, speed*q*escape)
	return body{x: x, y: y, z: z, vx: vx, vy: vy, vz: vz}
}

// onSphere returns a point drawn evenly from the sphere of the given radius.
func onSphere(random *rand.Rand, radius float64) (x, y, z float64) {
	z = radius * (1 - 2*random.Float64())
	flat := math.Sqrt(max(radius*radius-z*z, 0))
	sin, cos := math.Sincos(2 * math.Pi * random.Float64())
	return flat * cos, flat * sin, z
}
