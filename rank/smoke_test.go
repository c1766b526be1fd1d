package rank_test

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

func TestSmoke(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 7} {
		for _, size := range []int{0, 1, 1000, 100_000, 300_000} {
			ranktest.Run(t, n, func(t *testing.T, c *rank.Comm) {
				ctx := context.Background()
				right, left := (c.Rank()+1)%n, (c.Rank()+n-1)%n
				out, in := make([]float64, size), make([]float64, size)
				for i := range out {
					out[i] = float64(c.Rank()*size + i)
				}
				if _, err := rank.SendRecv(ctx, c, right, 5, out, left, 5, in); err != nil {
					t.Error(err)
				}
				for i := range in {
					if in[i] != float64(left*size+i) {
						t.Fatalf("got %v", in[i])
					}
				}
				d, err := c.Split(ctx, c.Rank()%2, -c.Rank())
				if err != nil {
					t.Fatal(err)
				}
				e, err := d.Dup(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if e.Rank() == 0 {
					for r := 1; r < e.Size(); r++ {
						got, _, err := rank.RecvAlloc[int](ctx, e, rank.AnySource, 3)
						if err != nil || len(got) != 2 {
							t.Error(got, err)
						}
					}
				} else {
					if err := rank.Send(ctx, e, 0, 3, []int{1, 2}); err != nil {
						t.Error(err)
					}
				}
				if err := e.Free(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func BenchmarkPingPong8(b *testing.B) {
	rank.Local(2, func(ctx context.Context, c *rank.Comm) error {
		buf := make([]float64, 1)
		if c.Rank() == 0 {
			b.ReportAllocs()
			b.ResetTimer()
		}
		for range b.N {
			if c.Rank() == 0 {
				rank.Send(ctx, c, 1, 0, buf)
				rank.Recv(ctx, c, 1, 0, buf)
			} else {
				rank.Recv(ctx, c, 0, 0, buf)
				rank.Send(ctx, c, 0, 0, buf)
			}
		}
		return nil
	})
}
