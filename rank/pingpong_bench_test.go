package rank_test

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// BenchmarkPingPong8B is a round trip of one float64 between goroutine ranks:
// what every call costs before a transport adds to it.
func BenchmarkPingPong8B(b *testing.B) {
	err := rank.Local(2, func(ctx context.Context, c *rank.Comm) error {
		other, buf := 1-c.Rank(), make([]float64, 1)
		if c.Rank() == 0 {
			b.ReportAllocs()
			b.ResetTimer()
		}
		for i := range 2 * b.N {
			if i%2 == c.Rank() {
				if err := rank.Send(ctx, c, other, 0, buf); err != nil {
					return err
				}
			} else if _, err := rank.Recv(ctx, c, other, 0, buf); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
