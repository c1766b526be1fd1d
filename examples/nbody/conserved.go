package main

import "math"

// conserved holds what the exact motion conserves, and its parts.
type conserved struct {
	kinetic, potential float64
	px, py, pz         float64 // momentum
	lx, ly, lz         float64 // angular momentum about the origin
	stir               float64 // Σ m |v|, the scale of a momentum
	spin               float64 // Σ m |r × v|, the scale of an angular momentum
}

// add adds the bodies of b, with the potentials in b.phi, one after the other:
// sums over blocks taken in the order of the bodies do not depend on where the
// blocks end.
func (s *conserved) add(b *bodies) {
	for i := range b.len() {
		v := b.at(i)
		speed2 := v.vx*v.vx + v.vy*v.vy + v.vz*v.vz
		s.kinetic += v.m * speed2 / 2
		// Each pair is in the potentials of both its bodies.
		s.potential += v.m * b.phi[i] / 2
		s.px += v.m * v.vx
		s.py += v.m * v.vy
		s.pz += v.m * v.vz
		lx, ly, lz := v.y*v.vz-v.z*v.vy, v.z*v.vx-v.x*v.vz, v.x*v.vy-v.y*v.vx
		s.lx += v.m * lx
		s.ly += v.m * ly
		s.lz += v.m * lz
		s.stir += v.m * math.Sqrt(speed2)
		s.spin += v.m * norm(lx, ly, lz)
	}
}

func (s *conserved) energy() float64 { return s.kinetic + s.potential }

// virial is 2T/|W|, which is 1 on average in a bound system at rest.
func (s *conserved) virial() float64 { return 2 * s.kinetic / math.Abs(s.potential) }

func (s *conserved) momentum() float64        { return norm(s.px, s.py, s.pz) }
func (s *conserved) angularMomentum() float64 { return norm(s.lx, s.ly, s.lz) }

// finite reports whether all sums are finite.
func (s *conserved) finite() bool {
	sum := s.kinetic + s.potential + s.momentum() + s.angularMomentum()
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// drift holds how far conserved quantities have moved from those at the start.
type drift struct {
	energy                    float64 // |ΔE| / |E|
	momentum, angularMomentum float64 // |ΔP| / Σ m|v| and |ΔL| / Σ m|r×v|
}

// since returns the drift from start to s. Momentum and angular momentum are
// measured against the sums of their bodies' magnitudes, because the totals may
// be zero.
func (s *conserved) since(start *conserved) drift {
	return drift{
		energy:          ratio(math.Abs(s.energy()-start.energy()), math.Abs(start.energy())),
		momentum:        ratio(norm(s.px-start.px, s.py-start.py, s.pz-start.pz), start.stir),
		angularMomentum: ratio(norm(s.lx-start.lx, s.ly-start.ly, s.lz-start.lz), start.spin),
	}
}

// ratio is change/scale, and the change itself where there is no scale.
func ratio(change, scale float64) float64 {
	if scale == 0 {
		return change
	}
	return change / scale
}

func norm(x, y, z float64) float64 { return math.Sqrt(x*x + y*y + z*z) }
