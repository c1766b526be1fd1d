package collectives

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// BenchmarkAlone is what a call costs beside meeting others: a reduction in shared
// memory by one rank.
func BenchmarkAlone(b *testing.B) {
	err := rank.Local(1, func(ctx context.Context, c *rank.Comm) error {
		s, err := stateOf(c)
		if err != nil {
			return err
		}
		slot, err := s.below.Memory.Claim(1)
		if err != nil {
			return err
		}
		s.memory.open(slot, 1, 0)
		s.memory.stage = whole
		x := []float64{1}
		b.ReportAllocs()
		for range b.N {
			p := allReduce(c, x, nil, Sum, nil)
			box := boxOf[float64](s.main)
			box.plan = p
			if _, err := box.plan.share(ctx, s, s.main); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
