package rank_test

import (
	"context"
	"flag"
	"fmt"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

var huge = flag.Bool("huge", false, "send messages around 2 GiB; wants 6 GiB of memory")

// Counts are 64 bits wide everywhere (F56): one message of 2³¹−1, 2³¹ and 2³¹+1
// bytes, and one of more elements than 32 bits count.
func TestHugeMessages(t *testing.T) {
	if !*huge {
		t.Skip("wants 6 GiB of memory: go test ./rank -run HugeMessages -huge")
	}
	for _, n := range []int{1<<31 - 1, 1 << 31, 1<<31 + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
				ctx := context.Background()
				buf := make([]byte, n)
				if c.Rank() == 0 {
					for i := 0; i < n; i += 4096 {
						buf[i] = byte(i >> 12)
					}
					buf[n-1] = 77
					if err := rank.Send(ctx, c, 1, 0, buf); err != nil {
						t.Error(err)
					}
					return
				}
				status, err := rank.Recv(ctx, c, 0, 0, buf)
				if err != nil || status.Len != n {
					t.Fatalf("received %d elements of %d: %v", status.Len, n, err)
				}
				if buf[n-1] != 77 {
					t.Errorf("last element is %d, want 77", buf[n-1])
				}
				for i := 0; i < n-1; i += 4096 {
					if buf[i] != byte(i>>12) {
						t.Fatalf("element %d is %d, want %d", i, buf[i], byte(i>>12))
					}
				}
			})
		})
	}
}
