package collectives_test

import (
	"context"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

func TestSmoke(t *testing.T) {
	for p := 1; p < 9; p++ {
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			x := []float64{float64(c.Rank()), 1}
			if err := collectives.AllReduce(t.Context(), c, x, collectives.Sum); err != nil {
				t.Fatal(err)
			}
			if x[0] != float64(p*(p-1)/2) || x[1] != float64(p) {
				t.Errorf("rank %d of %d: %v", c.Rank(), p, x)
			}
			q := collectives.IAllReduce(c, x, collectives.Sum)
			if _, err := q.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMismatchSmoke(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		x := make([]float64, 4+c.Rank())
		t0 := time.Now()
		err := collectives.AllReduce(context.Background(), c, x, collectives.Sum)
		t.Logf("rank %d: %v after %v", c.Rank(), err, time.Since(t0))
	})
}

func BenchmarkAllReduce(b *testing.B) {
	for _, p := range []int{2, 8} {
		b.Run(string(rune('0'+p)), func(b *testing.B) {
			b.ReportAllocs()
			rank.Local(p, func(ctx context.Context, c *rank.Comm) error {
				x := []float64{1}
				for range b.N {
					if err := collectives.AllReduce(ctx, c, x, collectives.Sum); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}
