package topology_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/topology"
)

// BenchmarkHalo exchanges the ghosts of a plate of two ranks, which are a row or a column
// at the side where they meet.
func BenchmarkHalo(b *testing.B) {
	for _, dims := range [][]int{{2, 1}, {1, 2}} {
		for _, n := range []int{16, 1024} {
			b.Run(fmt.Sprintf("%dx%d/%d", dims[0], dims[1], n), func(b *testing.B) {
				run(b, 2, func(ctx context.Context, c *rank.Comm) (func() error, error) {
					g, err := topology.NewCart(ctx, c, dims, nil)
					if err != nil {
						return nil, err
					}
					a := make([]float64, (n+2)*(n+2))
					h, err := topology.NewHalo(ctx, g, topology.Layers{Inner: []int{n, n}, Width: 1}, a)
					return func() error { return h.Exchange(ctx, a) }, err
				})
			})
		}
	}
}

// BenchmarkNeighborAllToAll exchanges blocks in a ring of four.
func BenchmarkNeighborAllToAll(b *testing.B) {
	for _, n := range []int{1, 8192} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			run(b, 4, func(ctx context.Context, c *rank.Comm) (func() error, error) {
				g, err := topology.NewCart(ctx, c, []int{4}, []bool{true})
				src, dst := make([]float64, 2*n), make([]float64, 2*n)
				return func() error {
					_, err := collectives.NeighborAllToAll(ctx, g, dst, src)
					return err
				}, err
			})
		})
	}
}

// run times what prepare returns, called by all of so many ranks.
func run(b *testing.B, ranks int, prepare func(context.Context, *rank.Comm) (func() error, error)) {
	err := rank.Local(ranks, func(ctx context.Context, c *rank.Comm) error {
		call, err := prepare(ctx, c)
		if err != nil {
			return err
		}
		if err := collectives.Barrier(ctx, c); err != nil {
			return err
		}
		if c.Rank() == 0 {
			b.ReportAllocs()
			b.ResetTimer()
		}
		for range b.N {
			if err := call(); err != nil {
				return err
			}
		}
		return nil
	}, rank.Over("shm"))
	if err != nil {
		b.Fatal(err)
	}
}
