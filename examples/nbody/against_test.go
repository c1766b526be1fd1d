package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/cprogram"
)

// BenchmarkAgainstC computes the forces among n bodies on one core in turn with a
// C program that does the same, and reports medians of both and their ratio:
// above 1, this program is the faster.
func BenchmarkAgainstC(b *testing.B) {
	c, err := cprogram.Start("../../bench/kernels/nbody.c", []string{"-O3", "-march=native", "-ffast-math", "-lm"}, nil)
	if errors.Is(err, cprogram.ErrNoCompiler) {
		b.Skip(err)
	} else if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
	for _, n := range []int{256, 2048, 4096, 16384} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all, acc := plummer(n, 1, 0, n), newVectors(n)
			rate := func(d time.Duration) float64 { return float64(n) * float64(n) / d.Seconds() / 1e6 }
			c.Compare(b, n, "Minteractions/s", rate, func() {
				acc.clear()
				addAccelerations(all, all.sources, true, 0.0025, acc)
			})
		})
	}
}
