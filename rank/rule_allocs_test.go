package rank_test

import (
	"context"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// allocs runs op of rank 0 against op of rank 1 and returns what both allocate
// in one round.
func allocs(t *testing.T, op func(ctx context.Context, c *rank.Comm, buf []byte), size int) float64 {
	t.Helper()
	const rounds = 200
	var got float64
	err := rank.Local(2, func(ctx context.Context, c *rank.Comm) error {
		buf := make([]byte, size)
		for range 50 { // fills the pools
			op(ctx, c, buf)
		}
		if c.Rank() == 0 {
			got = testing.AllocsPerRun(rounds, func() { op(ctx, c, buf) })
			return nil
		}
		for range rounds + 1 {
			op(ctx, c, buf)
		}
		return nil
	})
	ok(t, err)
	return got
}

// Eager sends of up to 4 KiB and the receives that match them allocate nothing,
// whether the receive or the message is there first.
func TestEagerMessagesDoNotAllocate(t *testing.T) {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	for _, size := range []int{0, 8, 64, 1000, 4096} {
		for what, op := range map[string]func(context.Context, *rank.Comm, []byte){
			"message first": func(ctx context.Context, c *rank.Comm, buf []byte) {
				me := c.Rank()
				check(rank.Send(ctx, c, me, 1, buf))
				_, err := rank.Recv(ctx, c, me, 1, buf)
				check(err)
			},
			"receive first": func(ctx context.Context, c *rank.Comm, buf []byte) {
				me := c.Rank()
				r := rank.Irecv(c, me, 1, buf)
				check(rank.Send(ctx, c, me, 1, buf))
				_, err := r.Wait(ctx)
				check(err)
			},
			"started send": func(ctx context.Context, c *rank.Comm, buf []byte) {
				me := c.Rank()
				s := rank.Isend(c, me, 1, buf)
				r := rank.Irecv(c, me, 1, buf)
				_, err := r.Wait(ctx)
				check(err)
				_, err = s.Wait(ctx)
				check(err)
			},
			"ping-pong": func(ctx context.Context, c *rank.Comm, buf []byte) {
				other := 1 - c.Rank()
				if c.Rank() == 0 {
					check(rank.Send(ctx, c, other, 1, buf))
				}
				_, err := rank.Recv(ctx, c, other, 1, buf)
				check(err)
				if c.Rank() == 1 {
					check(rank.Send(ctx, c, other, 1, buf))
				}
			},
		} {
			if got := allocs(t, op, size); got != 0 {
				t.Errorf("%s, %d bytes: %v allocations a round, want 0", what, size, got)
			}
		}
	}
}
