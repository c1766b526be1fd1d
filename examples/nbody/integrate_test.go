package main

import (
	"context"
	"math"
	"testing"
)

// moving returns the simulation of b without ranks.
func moving(b *bodies, scheme string, dt, softening float64) *simulation {
	s := &simulation{n: b.len(), own: b, acc: newVectors(b.len()), forces: alone{}, eps2: softening * softening, dt: dt}
	for _, i := range integrators {
		if i.name == scheme {
			s.integrator = i
		}
	}
	return s
}

// sums measures s without ranks.
func (s *simulation) sums() *conserved {
	clear(s.own.phi)
	addPotentials(s.own, s.own.sources, true, s.eps2)
	c := new(conserved)
	c.add(s.own)
	return c
}

func advance(t *testing.T, s *simulation, steps int) {
	t.Helper()
	if err := s.advance(context.Background(), steps); err != nil {
		t.Fatal(err)
	}
}

// ellipse returns two bodies on a bound orbit of eccentricity 0.5 and period 2π.
func ellipse() *bodies {
	b := newBodies(0, 2)
	v := math.Sqrt(1.0/3) / 2 // at the far end: √((1−e)/(1+e)), shared by both
	b.set(0, body{m: 0.5, x: 0.75, vy: v})
	b.set(1, body{m: 0.5, x: -0.75, vy: -v})
	return b
}

// worst returns the largest relative energy error over the time 2π in so many steps.
func worst(t *testing.T, scheme string, steps int) float64 {
	s := moving(ellipse(), scheme, 2*math.Pi/float64(steps), 0)
	start, most := s.sums(), 0.0
	for range steps {
		advance(t, s, 1)
		most = max(most, s.sums().since(start).energy)
	}
	return most
}

func TestHalvingTheStepDividesTheEnergyErrorByTwoToTheOrder(t *testing.T) {
	for _, c := range []struct {
		scheme string
		want   float64
	}{{"leapfrog", 4}, {"euler", 2}} {
		for _, steps := range []int{1000, 2000} {
			ratio := worst(t, c.scheme, steps) / worst(t, c.scheme, 2*steps)
			if math.Abs(ratio-c.want) > 0.1*c.want {
				t.Errorf("%s: %d steps have %.3f times the error of %d, want %v", c.scheme, steps, ratio, 2*steps, c.want)
			}
		}
	}
}

func TestLeapfrogFollowsAnEllipse(t *testing.T) {
	const steps = 4000
	s := moving(ellipse(), "leapfrog", 2*math.Pi/steps, 0)
	advance(t, s, steps)
	want := ellipse()
	for i := range 2 {
		got := norm(s.own.x[i]-want.x[i], s.own.y[i]-want.y[i], s.own.z[i]-want.z[i])
		if got > 1e-4 {
			t.Errorf("body %d is %.1e from where it was a period ago", i, got)
		}
	}
}

func TestLeapfrogRunsBackwards(t *testing.T) {
	const n, steps = 50, 100
	start := plummer(n, 4, 0, n)
	s := moving(plummer(n, 4, 0, n), "leapfrog", 1.0/64, 0.1)
	advance(t, s, steps)
	for _, v := range [][]float64{s.own.vx, s.own.vy, s.own.vz} {
		for i := range v {
			v[i] = -v[i]
		}
	}
	advance(t, s, steps)
	for i := range n {
		got := norm(s.own.x[i]-start.x[i], s.own.y[i]-start.y[i], s.own.z[i]-start.z[i])
		if got > 1e-11 {
			t.Errorf("body %d came back %.1e from its start", i, got)
		}
	}
}

func TestMomentaAreConserved(t *testing.T) {
	for _, scheme := range []string{"leapfrog", "euler"} {
		s := moving(scattered(40, 9), scheme, 1.0/128, 0.1)
		start := s.sums()
		advance(t, s, 200)
		if d := s.sums().since(start); d.momentum > 1e-13 || d.angularMomentum > 1e-13 {
			t.Errorf("%s: momentum drifts by %.1e, angular momentum by %.1e", scheme, d.momentum, d.angularMomentum)
		}
	}
}

func TestPublishedEnergiesOfTheOuterSolarSystem(t *testing.T) {
	s := moving(solar(), "euler", solarStep, 0)
	done := 0
	for _, steps := range []int{0, 1000, 10000} {
		advance(t, s, steps-done)
		done = steps
		if got, want := s.sums().energy(), solarEnergies[steps]; !agrees(got, want) {
			t.Errorf("after %d steps: got %.9f, want %.9f", steps, got, want)
		}
	}
}
