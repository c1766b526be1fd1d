// Package ranktest runs a test as several ranks in one process, as httptest
// runs a server.
package ranktest

import (
	"context"
	"os"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Run calls fn as n ranks, each a goroutine with the world as c, and returns
// when all have ended. If a rank fails (t.Fatal ends it alone), the calls of
// the others fail and the test does. What a rank leaves uncompleted, such as a
// message nobody received, fails the test too.
//
// The environment variable RANKTEST_TRANSPORT links the ranks as [rank.Over]
// does, so that `RANKTEST_TRANSPORT=unix go test` runs the same tests over gRPC.
func Run(t *testing.T, n int, fn func(t *testing.T, c *rank.Comm), opts ...rank.LocalOption) {
	t.Helper()
	opts = append([]rank.LocalOption{rank.Over(os.Getenv("RANKTEST_TRANSPORT"))}, opts...)
	opts = append(opts, rank.OnLeftovers(func(r int, left []rank.Leftover) {
		for _, l := range left {
			t.Errorf("rank %d left without completing: %s", r, l)
		}
	}))
	err := rank.Local(n, func(_ context.Context, c *rank.Comm) error {
		fn(t, c)
		return nil
	}, opts...)
	if err != nil && !t.Failed() {
		t.Error(err)
	}
}
