package main

import (
	"fmt"
	"math"
)

// serial solves o without ranks, ghosts or runs: over the whole grid with its walls, one
// point at a time. It is what the program is checked against.
func serial(o *options) (all []float64, steps int) {
	walled := make([]int, len(o.grid)) // extents with walls
	for d, n := range o.grid {
		walled[d] = n + 2
	}
	u := make([]float64, product(walled))
	fixed := make([]bool, len(u))
	for at := range u {
		x, wall := fractions(at, walled)
		if value, held := o.problem.held(x); wall {
			u[at], fixed[at] = o.problem.wall(x), true
		} else if held {
			u[at], fixed[at] = value, true
		}
	}
	next := make([]float64, len(u))
	for steps < o.most {
		steps++
		change := 0.0
		for at := range u {
			if next[at] = u[at]; !fixed[at] {
				next[at] = meanAround(u, walled, at)
				change = max(change, math.Abs(next[at]-u[at]))
			}
		}
		u, next = next, u
		if steps%o.every == 0 && change <= o.tol {
			break
		}
	}
	for at := range u {
		if _, wall := fractions(at, walled); !wall {
			all = append(all, u[at])
		}
	}
	return all, steps
}

// fractions returns where an element of an array of these extents is between the walls,
// and whether it is on one.
func fractions(at int, extents []int) (x []float64, wall bool) {
	x = make([]float64, len(extents))
	for d := len(extents) - 1; d >= 0; d-- {
		i := at % extents[d]
		at /= extents[d]
		x[d] = float64(i) / float64(extents[d]-1)
		wall = wall || i == 0 || i == extents[d]-1
	}
	return x, wall
}

// meanAround adds in the order of the dimensions, each pair first.
func meanAround(u []float64, extents []int, at int) float64 {
	sum, stride := 0.0, len(u)
	for d := range extents {
		stride /= extents[d]
		sum += u[at-stride] + u[at+stride]
	}
	return sum / float64(2*len(extents))
}

// checkSerial returns an error unless all has the bits that serial finds.
func checkSerial(o *options, s solution, all []float64) error {
	want, steps := serial(o)
	if s.steps != steps {
		return fmt.Errorf("the check failed: %d steps, one rank needs %d", s.steps, steps)
	}
	for i := range want {
		if math.Float64bits(all[i]) != math.Float64bits(want[i]) {
			return fmt.Errorf("the check failed: point %d is %v, on one rank %v", i, all[i], want[i])
		}
	}
	return nil
}
