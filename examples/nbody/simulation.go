package main

import (
	"context"
	"errors"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// simulation is one rank's part of a system in motion. Its methods are called by
// every rank, in the same order.
type simulation struct {
	c          *rank.Comm
	n          int // bodies of the whole system
	own        *bodies
	acc        *vectors
	forces     decomposition
	eps2, dt   float64
	integrator integrator
	stepping   time.Duration // spent in steps so far
	waiting    time.Duration // of that, waiting for messages
	fields     int           // evaluations of all forces in steps so far
}

// newSimulation returns the simulation of n bodies of which own is this rank's block.
func newSimulation(ctx context.Context, c *rank.Comm, own *bodies, n int, o *options) (*simulation, error) {
	s := &simulation{
		c: c, n: n, own: own, acc: newVectors(own.len()),
		eps2: o.softening * o.softening, dt: o.dt, integrator: o.integrator,
	}
	if o.decomposition == "ring" {
		s.forces = newRing(c, n)
		return s, nil
	}
	r, err := newReplicated(ctx, c, own, n)
	s.forces = r
	return s, err
}

// advance makes so many steps. An error is that of a message, or of ctx.
func (s *simulation) advance(ctx context.Context, steps int) error {
	began, idle := time.Now(), s.forces.waited()
	defer func() {
		s.stepping += time.Since(began)
		s.waiting += s.forces.waited() - idle
	}()
	field := func() error { return s.accelerate(ctx) }
	if steps > 0 && s.integrator.primed && s.fields == 0 {
		if err := field(); err != nil {
			return err
		}
	}
	for range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.integrator.step(s.own, s.acc, s.dt, field); err != nil {
			return err
		}
	}
	return nil
}

// accelerate fills acc for the positions that the bodies have now.
func (s *simulation) accelerate(ctx context.Context) error {
	s.fields++
	s.acc.clear()
	return s.forces.visit(ctx, s.own, func(src sources, self bool) {
		addAccelerations(s.own, src, self, s.eps2, s.acc)
	})
}

// errNotFinite is what a collision of unsoftened bodies ends in.
var errNotFinite = errors.New("the energy is not a finite number: bodies met or numbers are too large, give a -softening or a smaller -dt")

// measure returns the conserved quantities, at rank 0 only. Where they are not
// finite, every rank gets errNotFinite or an error with its text.
func (s *simulation) measure(ctx context.Context) (*conserved, error) {
	clear(s.own.phi)
	err := s.forces.visit(ctx, s.own, func(src sources, self bool) {
		addPotentials(s.own, src, self, s.eps2)
	})
	if err != nil {
		return nil, err
	}
	sums := new(conserved)
	err = s.collect(ctx, func(b *bodies) error {
		sums.add(b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !sums.finite() {
		err = errNotFinite
	}
	return sums, verdict(ctx, s.c, err)
}

// collect calls take at rank 0 for each block in the order of the bodies; see
// the function collect.
func (s *simulation) collect(ctx context.Context, take func(*bodies) error) error {
	return collect(ctx, s.c, s.own, s.n, take)
}

// rate returns interactions per second over the steps so far, and the part of
// the time that this rank waited for messages.
func (s *simulation) rate() (perSecond, waited float64) {
	seconds := s.stepping.Seconds()
	if seconds == 0 {
		return 0, 0
	}
	n := float64(s.n)
	return n * (n - 1) * float64(s.fields) / seconds, s.waiting.Seconds() / seconds
}
