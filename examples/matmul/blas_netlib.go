//go:build netlib && cgo

package main

// #cgo LDFLAGS: -lopenblas
// void openblas_set_num_threads(int threads);
import "C"

import (
	"runtime"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/netlib/blas/netlib"
)

// With the build tag netlib local products are those of OpenBLAS, which the
// system must have (Debian: libopenblas-dev). Left alone it would start a thread
// for each core of the host in every rank; it is told to go by GOMAXPROCS, as
// gonum's own product does.
func init() {
	C.openblas_set_num_threads(C.int(runtime.GOMAXPROCS(0)))
	blas64.Use(netlib.Implementation{})

	// Strips are not wanted. During a call of C the other goroutines run, on another
	// thread; and OpenBLAS begins each product by rearranging all of b.
	stripRows = maxDimension
}
