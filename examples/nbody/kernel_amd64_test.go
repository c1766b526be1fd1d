//go:build !noasm

package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestEveryTermIsExactUpToItsBound holds single terms to 12u and 5u of the exact
// ones. The worst found is logged.
func TestEveryTermIsExactUpToItsBound(t *testing.T) {
	if !hasAVX512 {
		t.Skip("this processor runs the plain kernel")
	}
	r := rand.New(rand.NewPCG(7, 8))
	acc := newVectors(2)
	worst := 0.0
	for range 20000 {
		b := crowd(2, 3, r)
		acc.clear()
		addAccelerations(b, b.sources, true, 0, acc)
		addPotentials(b, b.sources, true, 0)
		ax, ay, az, phi := exactForce(b, 0, 0)
		for _, c := range [][3]float64{{acc.x[0], ax, 12}, {acc.y[0], ay, 12}, {acc.z[0], az, 12}, {b.phi[0], phi, 5}} {
			off := math.Abs(c[0]-c[1]) / (math.Abs(c[1]) * unit)
			if !(off <= c[2]+1) { // the exact one is rounded too
				t.Errorf("bodies %v %v: got %v, want %v, off by %.1f u", b.at(0), b.at(1), c[0], c[1], off)
			}
			worst = max(worst, off)
		}
	}
	t.Logf("the worst term is off by %.2f u", worst)
}

func TestSweepMeetsEveryPairOnceInOrder(t *testing.T) {
	for _, self := range []bool{false, true} {
		for _, n := range []int{0, 1, 2, 7, 8, 9, 17, 2047, 2048, 2049, 2061} {
			next := make([]int, n)
			sources := n
			if !self {
				sources = 2100
			}
			sweep(n, sources, self, func(i int, lanes, alone uint16, from, to int) {
				if from >= to || lanes == 0 {
					t.Fatalf("n %d: an empty call for body %d, lanes %b, sources %d to %d", n, i, lanes, from, to)
				}
				for k := range 16 {
					if lanes&(1<<k) == 0 {
						continue
					}
					for j := from; j < to; j++ {
						leftOut := alone<<(j-from)&(1<<k) != 0
						if next[i+k] != j || leftOut != (self && j == i+k) {
							t.Fatalf("n %d: body %d is at source %d after %d, left out: %v", n, i+k, j, next[i+k], leftOut)
						}
						next[i+k]++
					}
				}
			})
			for i, to := range next {
				if to != sources {
					t.Fatalf("n %d: body %d has met sources up to %d of %d", n, i, to, sources)
				}
			}
		}
	}
}
