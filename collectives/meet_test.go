package collectives_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// A rank that hurries on to the next call, which is another one, is not taken to have
// made that instead of this.
func TestAHastyRankIsNotMisunderstood(t *testing.T) {
	for _, p := range []int{2, 3} {
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			x := make([]int64, 3)
			for i := range 3000 {
				var err error
				switch i % 3 {
				case 0:
					err = collectives.Barrier(t.Context(), c)
				case 1:
					err = collectives.AllReduce(t.Context(), c, x[:1+i%2], collectives.Sum)
				case 2:
					err = collectives.Bcast(t.Context(), c, i%p, x)
				}
				if err != nil {
					t.Fatalf("rank %d of %d, call %d: %v", c.Rank(), p, i, err)
				}
			}
		})
	}
}

// A rank may come to its first collective long after the others, whose notes it finds.
func TestALateRankIsWaitedFor(t *testing.T) {
	for _, algorithm := range []string{"shared-memory", "dissemination"} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			if c.Rank() == 0 {
				// Until the other has written its note, and a while.
				for range 3 {
					<-time.After(100 * time.Millisecond)
				}
			}
			if err := collectives.Barrier(t.Context(), c, collectives.Using(algorithm)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A mismatch that nobody had to wait for, as that of two who both think that they are the
// root, is found in the next call in which ranks need each other.
func TestAMismatchThatWentByIsFoundInTheNextCall(t *testing.T) {
	for _, algorithm := range []string{"shared-memory", ""} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			bcast, barrier := "binomial", "dissemination"
			if algorithm != "" {
				bcast, barrier = algorithm, algorithm
			}
			x := []int64{int64(c.Rank())}
			err := collectives.Bcast(t.Context(), c, c.Rank(), x, collectives.Using(bcast))
			if err == nil {
				err = collectives.Barrier(t.Context(), c, collectives.Using(barrier))
			}
			if !errors.Is(err, rank.ErrMismatch) && !errors.Is(err, collectives.ErrGivenUp) {
				t.Errorf("rank %d by %s: got %v, want ErrMismatch", c.Rank(), bcast, err)
			} else if !strings.Contains(err.Error(), "Bcast(root 0") || !strings.Contains(err.Error(), "Bcast(root 1") {
				t.Errorf("rank %d by %s: %v does not name both calls", c.Rank(), bcast, err)
			}
		})
	}
}

// Who leaves without a call that others wait in is named.
func TestWhoLeavesWithoutACallIsNamed(t *testing.T) {
	for _, before := range []int{0, 1} { // calls that all make
		err := rank.Local(3, func(ctx context.Context, c *rank.Comm) error {
			for range before {
				if err := collectives.Barrier(ctx, c); err != nil {
					return err
				}
			}
			if c.Rank() == 2 {
				return nil
			}
			err := collectives.Barrier(ctx, c)
			if !errors.Is(err, collectives.ErrGivenUp) || !strings.Contains(err.Error(), "rank 2") {
				t.Errorf("rank %d after %d calls: got %v, want ErrGivenUp by rank 2", c.Rank(), before, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
