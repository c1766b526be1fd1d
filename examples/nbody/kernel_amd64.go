//go:build !noasm

package main

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// hasAVX512 says that processor and system have the vector registers that
// attract8 and potential8 use.
var hasAVX512 = cpu.X86.HasAVX512F

// addAccelerations adds to acc what the sources s give to each body of b. If
// self is set, s are the bodies b themselves, and none attracts itself: without
// softening that term would be 0/0.
func addAccelerations(b *bodies, s sources, self bool, eps2 float64, acc *vectors) {
	if !hasAVX512 {
		addAccelerationsPlain(b, s, self, eps2, acc)
		return
	}
	sweep(b.len(), len(s.x), self, func(i int, lanes, self uint16, from, to int) {
		attract8(lanes, self, &b.x[i], &b.y[i], &b.z[i], eps2,
			&s.x[from], &s.y[from], &s.z[from], &s.m[from], to-from,
			&acc.x[i], &acc.y[i], &acc.z[i])
	})
}

// addPotentials adds to b.phi the potential of the sources s at each body of b;
// self as in addAccelerations.
func addPotentials(b *bodies, s sources, self bool, eps2 float64) {
	if !hasAVX512 {
		addPotentialsPlain(b, s, self, eps2)
		return
	}
	sweep(b.len(), len(s.x), self, func(i int, lanes, self uint16, from, to int) {
		potential8(lanes, self, &b.x[i], &b.y[i], &b.z[i], eps2,
			&s.x[from], &s.y[from], &s.z[from], &s.m[from], to-from, &b.phi[i])
	})
}

const (
	// vectorLanes is the number of float64 in a register.
	vectorLanes = 8
	// sweepSources is how many sources pass by all bodies before the next ones
	// do: 64 KiB of them stay in the second-level cache meanwhile. A multiple of
	// vectorLanes.
	sweepSources = 2048
	// sweepBodies is how many bodies meet such sources, in some 80 µs, before
	// other goroutines of the rank are let in.
	sweepBodies = 64
)

// sweep calls add so that each of n bodies meets each of the sources once, in
// the order of their numbers: the bodies i, i+1, … that bits 0, 1, … of lanes
// name meet the sources from ≤ j < to, but for the body that the bit in the
// call's self names, which does not meet the first source, the one after it the
// second, and so on. If self is set, bodies and sources are the same and body i
// does not meet source i.
//
// A rank often has one thread for all its goroutines, those that send and
// receive its messages included. The scheduler would give them a turn every
// 10 ms, and what was sent just before would stay here as long: with two ranks of
// 2,048 bodies each rank waited until the other had computed. So sweep yields,
// first of all before it begins.
func sweep(n, sources int, self bool, add func(i int, lanes, self uint16, from, to int)) {
	for low := 0; low < sources; low += sweepSources {
		high := min(low+sweepSources, sources)
		for i := 0; i < n; i += vectorLanes {
			if i%sweepBodies == 0 {
				runtime.Gosched()
			}
			all := uint16(1)<<min(vectorLanes, n-i) - 1
			if !self || i < low || i >= high {
				add(i, all, 0, low, high)
				continue
			}
			after := min(i+vectorLanes, high)
			if low < i {
				add(i, all, 0, low, i)
			}
			add(i, all, 1, i, after)
			if after < high {
				add(i, all, 0, after, high)
			}
		}
	}
}

// attract8 adds to (ax, ay, az) the accelerations that n ≥ 1 sources give to the
// bodies at (x, y, z), as attract does. The pointers are to the first of up to
// eight bodies that lie one after the other; those whose bit in lanes is not set
// are neither read nor written. The body whose bit is set in self is left out by
// the first source, the next body by the second, and so on; self may be 0.
//
// # Order
//
// A body has one lane of a register to itself, and its terms are added one after
// the other in the order of the sources. All lanes do the same operations, and
// there is no other loop for the bodies or sources left over. So, as with
// attract, a sum over several calls has the bits of one call over the joined
// sources, and a body's sum is the same in any lane and beside any neighbours.
//
// # Method
//
// The processor's approximation y of 1/r, good to 14 bits, replaces root and
// division, which would take longer than all the rest. With Y = y² as rounded and
// e = 1 − r²Y, |e| < 2⁻¹²·⁹,
//
//	m/r³ = m y Y (1−e)^(−3/2) (1+δ)^(1/2),   Y = y²(1+δ),   |δ| ≤ u = 2⁻⁵³
//
// exactly. The series of the power is cut after e⁴, which leaves 693/256 e⁵ < u/800.
// e comes from one fused multiply-add, so it has a relative error of u.
//
// # Error
//
// To first order in u: a difference of coordinates is off by u, its square by 2u,
// and r² after three fused additions of positive terms by at most 5u; r⁻³ so by
// 7.5u. To this the method adds u/2 for δ, 2u for the products m y Y, u for the
// last addition, and less than u/100 for the rest, all else being multiplied by e.
// With the u of the coordinate difference in front a term is within 12u of the
// exact one; attract's, by the same count, within 17u. So if no intermediate
// result overflows or underflows, each component of a sum of n terms differs from
// attract's by at most
//
//	(29 + 2n) u Σ|tⱼ|                                                     (4)
//
// to first order; for one term it is 29u|t|, on average far less.
//
// # Beyond the range
//
// Where r² overflows the term is 0 as in attract. The result is finite wherever
// attract's is, while that is not within a rounding of overflowing itself: r³,
// which attract overflows or underflows at r = 2^(±340), does not occur here.
// Bodies that meet without softening and coordinates that are NaN or infinite
// give NaN.
//
//go:noescape
func attract8(lanes, self uint16, x, y, z *float64, eps2 float64, sx, sy, sz, sm *float64, n int, ax, ay, az *float64)

// potential8 adds to phi the potentials of n ≥ 1 sources at the bodies at
// (x, y, z). Bodies, order and method are those of attract8, with (1−e)^(−1/2)
// for the power and one factor y. A term is within 5u of the exact one, as
// potential's is, so a sum of n terms differs from potential's by at most
// (10 + 2n) u Σ|tⱼ|.
//
//go:noescape
func potential8(lanes, self uint16, x, y, z *float64, eps2 float64, sx, sy, sz, sm *float64, n int, phi *float64)
