package main

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/cprogram"
)

// BenchmarkLocalProduct is the product of two n×n blocks as a rank computes it.
func BenchmarkLocalProduct(b *testing.B) {
	for _, n := range []int{128, 512, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x, y, c := generate(1, 'A', span{0, n}, span{0, n}), generate(1, 'B', span{0, n}, span{0, n}), newMatrix(n, n)
			for b.Loop() {
				multiplyAdd(c, x, y)
			}
			b.ReportMetric(2*float64(n)*float64(n)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

// BenchmarkAgainstC multiplies n×n matrices in turn with a C program that calls
// OpenBLAS's cblas_dgemm, both on the threads of GOMAXPROCS, and reports medians
// of both and their ratio: above 1, this program is the faster.
func BenchmarkAgainstC(b *testing.B) {
	threads := fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", runtime.GOMAXPROCS(0))
	c, err := cprogram.Start("../../bench/kernels/dgemm.c", []string{"-O3", "-lopenblas"}, []string{threads})
	if errors.Is(err, cprogram.ErrNoCompiler) {
		b.Skip(err)
	} else if err != nil {
		b.Skipf("no OpenBLAS for C: %v", err)
	}
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
	for _, n := range []int{512, 1024, 2048} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x, y, z := generate(1, 'A', span{0, n}, span{0, n}), generate(1, 'B', span{0, n}, span{0, n}), newMatrix(n, n)
			rate := func(d time.Duration) float64 { return 2 * float64(n) * float64(n) * float64(n) / d.Seconds() / 1e9 }
			c.Compare(b, n, "GFLOP/s", rate, func() { multiplyAdd(z, x, y) })
		})
	}
}
