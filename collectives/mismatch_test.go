package collectives_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// explained is how soon ranks that make different calls are told so.
const explained = time.Second

// mismatch has p ranks make calls that do not match, and wants each to be told so in
// time: an error of class rank.ErrMismatch, or on ranks that hear of it from others
// collectives.ErrGivenUp, that has every one of texts in it on some rank.
func mismatch(t *testing.T, p int, over string, call func(context.Context, *rank.Comm) error, texts ...string) {
	t.Helper()
	told := make([]error, p)
	// Not of package ranktest: of a call that was given up messages may be left.
	err := rank.Local(p, func(ctx context.Context, c *rank.Comm) error {
		// The first call sets up what ranks share; it takes its time on a slow machine.
		if err := collectives.Barrier(ctx, c); err != nil {
			return err
		}
		begun := time.Now()
		err := call(ctx, c)
		if err == nil { // its part was done before it could know: its next call is told
			err = collectives.Barrier(ctx, c)
		}
		took := time.Since(begun)
		told[c.Rank()] = err
		switch {
		case err == nil:
			t.Errorf("over %q, rank %d of %d: no error", over, c.Rank(), p)
		case !errors.Is(err, rank.ErrMismatch) && !errors.Is(err, collectives.ErrGivenUp):
			t.Errorf("over %q, rank %d of %d: got %v, want ErrMismatch or ErrGivenUp", over, c.Rank(), p, err)
		case took > explained*slowdown:
			t.Errorf("over %q, rank %d of %d: told after %v, want %v", over, c.Rank(), p, took, explained)
		}
		var e *rank.Error
		if !errors.As(err, &e) || e.Rank != c.Rank() {
			t.Errorf("over %q, rank %d of %d: %#v is no *rank.Error of this rank", over, c.Rank(), p, err)
		}
		return nil
	}, rank.Over(over))
	if err != nil {
		t.Error(err)
	}
	all := errors.Join(told...)
	if all == nil {
		return
	}
	for _, text := range texts {
		if !strings.Contains(all.Error(), text) {
			t.Errorf("over %q, %d ranks: nobody is told %q, but\n%v", over, p, text, all)
		}
	}
}
