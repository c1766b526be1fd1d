package main

import (
	"context"
	"fmt"
	"math"

	"github.com/muster-mpi/muster/rank"
)

// checkPublished moves the outer solar system for 1,000 steps over the ranks of
// c, and returns an error if its energy is not the published one.
func checkPublished(ctx context.Context, c *rank.Comm, o *options, report *reporter) error {
	const steps = 1000
	check, _, err := parseOptions([]string{"-system", "solar", "-decomposition", o.decomposition})
	if err != nil {
		return err
	}
	own, n, err := load(ctx, c, &check)
	if err != nil {
		return err
	}
	s, err := newSimulation(ctx, c, own, n, &check)
	if err != nil {
		return err
	}
	if err := s.advance(ctx, steps); err != nil {
		return err
	}
	sums, err := s.measure(ctx)
	if err != nil {
		return err
	}
	want := solarEnergies[steps]
	if c.Rank() == 0 && !agrees(sums.energy(), want) {
		err = fmt.Errorf("the check failed: energy of the outer solar system after %d steps is %.9f, published %.9f", steps, sums.energy(), want)
	}
	if err := verdict(ctx, c, err); err != nil {
		return err
	}
	if report != nil {
		report.printf("check: outer solar system, %s steps: energy %.9f, published %.9f\n\n", thousands(steps), sums.energy(), want)
	}
	return nil
}

// agrees reports whether energy, rounded to nine decimals, is the published one.
func agrees(energy, published float64) bool {
	return math.Abs(energy-published) < 0.6e-9
}
