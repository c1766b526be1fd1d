package kernel

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/cprogram"
)

// BenchmarkAgainstC adds a vector of float64 to another on one core in turn with a
// C program that does the same, and reports medians of both, in bytes of one
// vector, and their ratio: above 1, this package is the faster.
func BenchmarkAgainstC(b *testing.B) {
	c, err := cprogram.Start("../../bench/kernels/sum.c", []string{"-O3", "-march=native"}, nil)
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
	for _, bytes := range []int{4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", bytes>>10), func(b *testing.B) {
			d, s := make([]float64, bytes/8), make([]float64, bytes/8)
			for i := range s {
				d[i], s[i] = 0, 1
			}
			times := max(1, 16<<20/bytes) // as the C program
			rate := func(took time.Duration) float64 { return float64(times) * float64(bytes) / took.Seconds() / 1e9 }
			c.Compare(b, bytes, "GB/s", rate, func() {
				for range times {
					Sum(d, d, s)
				}
			})
		})
	}
}
