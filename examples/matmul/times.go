package main

import (
	"runtime"
	"time"

	"gonum.org/v1/gonum/blas/blas64"
)

// times says where one rank's time went. It travels as memory, so all its fields
// are of fixed size.
type times struct {
	Total   time.Duration // of the whole distributed product
	Compute time.Duration // in local products
}

// stripRows is how many rows of C a rank computes, mostly in about a millisecond,
// before it lets its other goroutines in.
var stripRows = 64

// multiply adds a·b to c and the time it took to t.
//
// A rank often has one thread for all its goroutines, those that send and receive
// the next blocks included. The scheduler would give them a turn every 10 ms, too
// few for a transfer that should be over when the product is. So the product is
// made in strips, with a turn for the others before each.
func (t *times) multiply(c, a, b blas64.General) {
	start := time.Now()
	for lo := 0; lo < c.Rows; lo += stripRows {
		runtime.Gosched()
		rows := span{lo, min(lo+stripRows, c.Rows)}
		multiplyAdd(block(c, rows, span{0, c.Cols}), block(a, rows, span{0, a.Cols}), b)
	}
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
