package main

import "math"

// attract returns (ax, ay, az) plus the accelerations that the sources s give
// to a body at (x, y, z), with G = 1 and Plummer softening:
//
//	Σⱼ mⱼ (rⱼ − r) / (|rⱼ − r|² + ε²)^(3/2)
//
// The terms are added one after the other in the order of s, so a sum taken
// over several calls has the bits of one call over the joined sources. Every
// acceleration of a run comes from this one loop, or every one from attract8
// where the processor has what that needs: a second, unrolled copy could be fused
// differently on machines with multiply-add, and then the bits would depend on
// which copy a body met.
func attract(x, y, z, eps2 float64, s sources, ax, ay, az float64) (float64, float64, float64) {
	sx := s.x
	sy, sz, sm := s.y[:len(sx)], s.z[:len(sx)], s.m[:len(sx)]
	for j := range sx {
		dx, dy, dz := sx[j]-x, sy[j]-y, sz[j]-z
		// Without a further use of its square, the root replaces it in its
		// register. On amd64 a root put into another one waits for what that
		// held, here the previous turn's root: half the speed.
		r := math.Sqrt(dx*dx + dy*dy + dz*dz + eps2)
		w := sm[j] / (r * r * r)
		ax += w * dx
		ay += w * dy
		az += w * dz
	}
	return ax, ay, az
}

// potential returns phi plus the potential −Σⱼ mⱼ / √(|rⱼ − r|² + ε²) of the
// sources s at (x, y, z), added in the order of s.
func potential(x, y, z, eps2 float64, s sources, phi float64) float64 {
	sx := s.x
	sy, sz, sm := s.y[:len(sx)], s.z[:len(sx)], s.m[:len(sx)]
	for j := range sx {
		dx, dy, dz := sx[j]-x, sy[j]-y, sz[j]-z
		phi -= sm[j] / math.Sqrt(dx*dx+dy*dy+dz*dz+eps2)
	}
	return phi
}

// span returns sources i to j−1 of s.
func (s sources) span(i, j int) sources {
	return sources{s.x[i:j], s.y[i:j], s.z[i:j], s.m[i:j]}
}

// addAccelerationsPlain is addAccelerations in Go: what other processors run, and
// the oracle of the vector kernel.
func addAccelerationsPlain(b *bodies, s sources, self bool, eps2 float64, acc *vectors) {
	for i := range b.x {
		x, y, z := b.x[i], b.y[i], b.z[i]
		ax, ay, az := acc.x[i], acc.y[i], acc.z[i]
		after := s
		if self {
			ax, ay, az = attract(x, y, z, eps2, s.span(0, i), ax, ay, az)
			after = s.span(i+1, len(s.x))
		}
		acc.x[i], acc.y[i], acc.z[i] = attract(x, y, z, eps2, after, ax, ay, az)
	}
}

// addPotentialsPlain is addPotentials in Go.
func addPotentialsPlain(b *bodies, s sources, self bool, eps2 float64) {
	for i := range b.x {
		x, y, z := b.x[i], b.y[i], b.z[i]
		phi := b.phi[i]
		after := s
		if self {
			phi = potential(x, y, z, eps2, s.span(0, i), phi)
			after = s.span(i+1, len(s.x))
		}
		b.phi[i] = potential(x, y, z, eps2, after, phi)
	}
}
