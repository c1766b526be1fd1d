package main

import (
	"time"

	"gonum.org/v1/gonum/blas/blas64"
)

// times says where one rank's time went. It travels as memory, so all its fields
// are of fixed size.
type times struct {
	Total   time.Duration // of the whole distributed product
	Compute time.Duration // in local products
}

// multiply adds a·b to c and the time it took to t.
func (t *times) multiply(c, a, b blas64.General) {
	start := time.Now()
	multiplyAdd(c, a, b)
	t.Compute += time.Since(start)
}

// A run is one multiplication as the report shows it.
type run struct {
	total time.Duration // of the slowest rank
	share float64       // of all ranks' time that was not spent in local products
}

// summarise turns the times of all ranks into a line of the report.
func summarise(all []times) run {
	var r run
	var total, compute time.Duration
	for _, t := range all {
		r.total = max(r.total, t.Total)
		total += t.Total
		compute += t.Compute
	}
	if total > 0 {
		r.share = 1 - float64(compute)/float64(total)
	}
	return r
}
