package main

import (
	"context"
	"math"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/topology"
)

// solution is how a computation went.
type solution struct {
	steps   int
	change  float64 // largest of the last step
	steady  bool    // change is at most the tolerance
	elapsed time.Duration
	waiting time.Duration // of that, for neighbours
}

// solve makes steps until no point of any rank changes by more than o.tol, or o.most are
// made. Every rank calls it. When it returns the result is in p.u, and it has the same
// bits for any number of ranks: each new temperature is one expression of four or six old
// ones, and the largest change is exact.
func solve(ctx context.Context, cart *topology.Cart, p *part, o *options, report *reporter) (s solution, err error) {
	halo, err := topology.NewHalo(ctx, cart, p.layers(), p.u, p.next)
	if err != nil {
		return s, err
	}
	began := time.Now()
	var change [1]float64
	for s.steps < o.most && !s.steady {
		if change[0], err = step(ctx, halo, p, &s); err != nil {
			return s, err
		}
		s.steps++
		if s.steps%o.every == 0 || s.steps == o.most {
			if err := collectives.AllReduce(ctx, cart.Comm(), change[:], collectives.Max); err != nil {
				return s, err
			}
			s.change, s.steady = change[0], change[0] <= o.tol
			report.row(&s)
		}
	}
	s.elapsed = time.Since(began)
	return s, halo.Free()
}

// step makes one step, and returns the largest change of this rank's points. While the
// edges travel, it computes what lies further inside.
func step(ctx context.Context, halo *topology.Halo[float64], p *part, s *solution) (float64, error) {
	if err := halo.Start(p.u); err != nil {
		return 0, err
	}
	inside := p.sweep(p.inside)
	began := time.Now()
	if err := halo.Wait(ctx); err != nil {
		return 0, err
	}
	s.waiting += time.Since(began)
	rim := p.sweep(p.rim)
	p.u, p.next = p.next, p.u
	return max(inside, rim), nil
}

// sweep sets next at runs to the mean of what u has around each point, and returns the
// largest change.
func (p *part) sweep(runs []run) (change float64) {
	for _, r := range runs {
		// around(d) is what lies beside the run in a dimension, on either side.
		around := func(d int) (before, after []float64) {
			s := p.strides[d]
			return p.u[r.at-s:][:r.n], p.u[r.at+s:][:r.n]
		}
		a, b := around(0)
		c, d := around(1)
		if len(p.strides) == 2 {
			change = max(change, mean4(p.next[r.at:][:r.n], p.u[r.at:][:r.n], a, b, c, d))
			continue
		}
		e, f := around(2)
		change = max(change, mean6(p.next[r.at:][:r.n], p.u[r.at:][:r.n], a, b, c, d, e, f))
	}
	return change
}

// mean4 sets dst to the means of a, b, c and d, and returns how far that is from old at
// most. All are of one length.
func mean4(dst, old, a, b, c, d []float64) (change float64) {
	n := len(dst)
	old, a, b, c, d = old[:n], a[:n], b[:n], c[:n], d[:n]
	for i := range dst {
		v := (a[i] + b[i] + (c[i] + d[i])) / 4
		if by := math.Abs(v - old[i]); by > change {
			change = by
		}
		dst[i] = v
	}
	return change
}

// mean6 is mean4 of six.
func mean6(dst, old, a, b, c, d, e, f []float64) (change float64) {
	n := len(dst)
	old, a, b, c, d, e, f = old[:n], a[:n], b[:n], c[:n], d[:n], e[:n], f[:n]
	for i := range dst {
		v := (a[i] + b[i] + (c[i] + d[i]) + (e[i] + f[i])) / 6
		if by := math.Abs(v - old[i]); by > change {
			change = by
		}
		dst[i] = v
	}
	return change
}
