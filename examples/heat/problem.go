package main

import (
	"math"
	"slices"
)

// A problem says where temperatures are held, and at which. Places are given as
// fractions of the sides, from 0 at one wall to 1 at the other, the last of them from
// left to right.
type problem interface {
	about() string
	// wall returns the temperature of a place on a wall.
	wall(x []float64) float64
	// held returns the temperature at x, if it is held there.
	held(x []float64) (value float64, ok bool)
	// exact returns the solution at x, if it is known. Sides are how long the plate or
	// the block is in each dimension, in any unit.
	exact(x []float64, sides []int) (value float64, ok bool)
}

var problems = map[string]problem{"wall": hotWall{}, "plates": plates{}}

// hotWall holds the left wall at 100 times a half sine in each direction along it, and
// the others at 0. Separation of variables gives the solution: in a block of width 1 and
// of sides s along the hot wall, with k = π √Σ 1/s²,
//
//	u = 100 · sinh(k(1−x)) / sinh(k) · Π sin(π y)
type hotWall struct{}

func (hotWall) about() string                             { return "left wall hot" }
func (hotWall) held(x []float64) (value float64, ok bool) { return 0, false }

func (hotWall) wall(x []float64) float64 {
	across := len(x) - 1
	if x[across] > 0 {
		return 0
	}
	value := 100.0
	for _, y := range x[:across] {
		value *= math.Sin(math.Pi * y)
	}
	return value
}

func (w hotWall) exact(x []float64, sides []int) (value float64, ok bool) {
	across := len(x) - 1
	sum := 0.0
	for _, s := range sides[:across] {
		t := float64(sides[across]) / float64(s)
		sum += t * t
	}
	k := math.Pi * math.Sqrt(sum)
	at := slices.Clone(x)
	at[across] = 0
	// sinh(k(1−x))/sinh(k), written so that it does not overflow.
	fall := math.Exp(-k*x[across]) * math.Expm1(-2*k*(1-x[across])) / math.Expm1(-2*k)
	return w.wall(at) * fall, true
}

// plates holds two plates that face each other within cold walls at 100 and −100.
type plates struct{}

func (plates) about() string                                           { return "a hot and a cold plate" }
func (plates) wall(x []float64) float64                                { return 0 }
func (plates) exact(x []float64, sides []int) (value float64, ok bool) { return 0, false }

func (plates) held(x []float64) (value float64, ok bool) {
	across := len(x) - 1
	for _, y := range x[:across] {
		if math.Abs(y-0.5) > 0.25 {
			return 0, false
		}
	}
	switch {
	case math.Abs(x[across]-0.35) <= 0.02:
		return 100, true
	case math.Abs(x[across]-0.65) <= 0.02:
		return -100, true
	}
	return 0, false
}
