package main

import "fmt"

// A plan is what all ranks do, worked out by each from the same facts.
type plan struct {
	shape      shape
	algorithm  string
	rows, cols int // of the grid
}

// newPlan chooses the algorithm and the grid for p ranks.
func newPlan(o options, s shape, p int) (plan, error) {
	pl := plan{shape: s, algorithm: o.algorithm}
	pl.rows, pl.cols = gridShape(p, s.m, s.n)
	square := pl.rows == pl.cols
	switch {
	case pl.algorithm == "ring":
		pl.rows, pl.cols = 1, p
		if s.m > s.n {
			pl.rows, pl.cols = p, 1
		}
	case pl.algorithm == "auto" && square:
		pl.algorithm = "cannon"
	case pl.algorithm == "auto" && min(pl.rows, pl.cols) == 1:
		pl.algorithm = "ring"
	case pl.algorithm == "auto":
		pl.algorithm = "summa"
	case pl.algorithm == "cannon" && !square:
		return pl, cannonRanks(p)
	}
	return pl, nil
}

// cannonRanks says that p is no square number of ranks.
func cannonRanks(p int) error {
	q := 1
	for (q+1)*(q+1) <= p {
		q++
	}
	return fmt.Errorf("-algorithm cannon needs a square number of ranks such as %d or %d, there are %d; summa and ring run on any number", q*q, (q+1)*(q+1), p)
}
