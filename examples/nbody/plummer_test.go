package main

import (
	"math"
	"testing"
)

func TestPlummerSphereDoesNotDependOnTheNumberOfRanks(t *testing.T) {
	const n, seed = 103, 5
	want := plummer(n, seed, 0, n)
	for _, p := range []int{1, 2, 3, 4, 5, 7, 8, 103, 120} {
		for k := range p {
			first, size := block(n, p, k)
			wantSameBits(t, plummer(n, seed, first, size), want.part(first, size))
		}
	}
	if other := plummer(n, seed+1, 0, n); other.x[0] == want.x[0] {
		t.Error("two seeds give the same body")
	}
}

func TestPlummerSphereIsInStandardUnits(t *testing.T) {
	const n = 2000
	b := plummer(n, 11, 0, n)
	c := moving(b, "leapfrog", 1, 0).sums()
	mass, inside := 0.0, 0
	half := 3 * math.Pi / 16 / math.Sqrt(math.Pow(0.5, -2.0/3)-1) // half-mass radius
	for i := range n {
		mass += b.m[i]
		if norm(b.x[i], b.y[i], b.z[i]) < half {
			inside++
		}
	}
	if math.Abs(mass-1) > 1e-12 {
		t.Errorf("mass %v, want 1", mass)
	}
	if c.momentum() > 1e-14 {
		t.Errorf("momentum %v, want 0", c.momentum())
	}
	// Four standard deviations of the sampling; the mass cut makes up 1e-3.
	if math.Abs(c.energy()+0.25) > 0.02 {
		t.Errorf("energy %v, want -1/4", c.energy())
	}
	if math.Abs(c.virial()-1) > 0.05 {
		t.Errorf("2T/|W| = %v, want 1", c.virial())
	}
	if math.Abs(float64(inside)/n-0.5) > 4*0.5/math.Sqrt(n) {
		t.Errorf("%d of %d bodies inside the half-mass radius", inside, n)
	}
}
