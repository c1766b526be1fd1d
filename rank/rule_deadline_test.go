package rank_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// inVirtualTime runs fn as two ranks under each protocol, with a clock that
// moves when all wait.
func inVirtualTime(t *testing.T, fn func(t *testing.T, c *rank.Comm, w world) error) {
	t.Helper()
	for _, w := range protocols {
		synctest.Test(t, func(t *testing.T) {
			w.ranks = 2
			options := append(w.options(), rank.OnLeftovers(func(r int, left []rank.Leftover) {
				for _, l := range left {
					t.Errorf("%v: rank %d left: %v", w, r, l)
				}
			}))
			if err := rank.Local(2, func(_ context.Context, c *rank.Comm) error { return fn(t, c, w) }, options...); err != nil {
				t.Errorf("%v: %v", w, err)
			}
		})
	}
}

// ended checks the error of a call that its context ended after an hour.
func ended(t *testing.T, what string, start time.Time, err error) {
	t.Helper()
	if !errors.Is(err, rank.ErrCancelled) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
		t.Errorf("%s ends after %v with %v", what, time.Since(start), err)
	}
}

// anHour is a context that ends in an hour.
func anHour() (context.Context, context.CancelFunc, time.Time) {
	ctx, cancel := context.WithTimeout(bg, time.Hour)
	return ctx, cancel, time.Now()
}

// Rule 11, for contexts: a receive whose context ends is withdrawn, and the
// message that comes later is there for the next one.
func TestRule11DeadlineWithdrawsAReceive(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *rank.Comm, w world) error {
		for k, n := range w.sizes() {
			barrier(t, c)
			if c.Rank() == 1 {
				time.Sleep(6 * time.Hour)
				ok(t, rank.Send(bg, c, 0, 1, fill(n, 1, k)))
				continue
			}
			buf := make([]byte, n)
			for what, call := range map[string]func(context.Context) error{
				"Recv":      func(ctx context.Context) error { _, err := rank.Recv(ctx, c, 1, 1, buf); return err },
				"RecvAlloc": func(ctx context.Context) error { _, _, err := rank.RecvAlloc[byte](ctx, c, 1, 1); return err },
				"SendRecv": func(ctx context.Context) error {
					_, err := rank.SendRecv(ctx, c, rank.Null, 1, buf, 1, 1, buf)
					return err
				},
				"Probe":  func(ctx context.Context) error { _, err := rank.Probe(ctx, c, 1, 1); return err },
				"Mprobe": func(ctx context.Context) error { _, err := rank.Mprobe(ctx, c, 1, 1); return err },
			} {
				ctx, cancel, start := anHour()
				ended(t, what, start, call(ctx))
				cancel()
			}
			time.Sleep(2 * time.Hour)
			same(t, buf, make([]byte, n))
			_, err := rank.Recv(bg, c, 1, 1, buf)
			ok(t, err)
			same(t, buf, fill(n, 1, k))
		}
		return nil
	})
}

// Rule 11, for contexts: a send that waits for its receive is taken back, as if
// it had never been, and what was sent after it keeps its order.
func TestRule11DeadlineWithdrawsASend(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *rank.Comm, w world) error {
		for k, n := range w.sizes() {
			barrier(t, c)
			if c.Rank() == 0 {
				first := rank.Isend(c, 1, 1, fill(n, 0, k))
				for what, call := range map[string]func(context.Context) error{
					"Ssend":    func(ctx context.Context) error { return rank.Ssend(ctx, c, 1, 1, fill(n, 7, 7)) },
					"SendView": func(ctx context.Context) error { return rank.SsendView(ctx, c, 1, 1, contiguous(fill(n, 7, 7))) },
				} {
					ctx, cancel, start := anHour()
					ended(t, what, start, call(ctx))
					cancel()
				}
				if w.unexpected == 1 || n > w.eager {
					ctx, cancel, start := anHour()
					ended(t, "Send", start, rank.Send(ctx, c, 1, 1, fill(n, 7, 7)))
					cancel()
					ctx, cancel, start = anHour()
					st, err := rank.SendRecv(ctx, c, 1, 1, fill(n, 7, 7), 1, 9, make([]byte, n))
					ended(t, "SendRecv", start, err)
					if !st.Cancelled {
						t.Errorf("the receive of a SendRecv whose send failed: %+v", st)
					}
					cancel()
				}
				second := rank.Isend(c, 1, 1, fill(n, 0, 50+k))
				ok(t, rank.WaitAll(bg, first, second))
				continue
			}
			time.Sleep(10 * time.Hour)
			for _, at := range []int{k, 50 + k} {
				got, _, err := rank.RecvAlloc[byte](bg, c, 0, 1)
				ok(t, err)
				same(t, got, fill(n, 0, at))
			}
		}
		return nil
	})
}

// Rule 11, for contexts: Wait and its kin give up waiting and nothing else: the
// request goes on and can be waited for again.
func TestRule11DeadlineOfWaitKeepsTheRequest(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *rank.Comm, w world) error {
		if c.Rank() == 1 {
			for k, n := range w.sizes() {
				time.Sleep(10 * time.Hour)
				ok(t, rank.Send(bg, c, 0, 1, fill(n, 1, k)))
				_, err := rank.Recv(bg, c, 0, 2, make([]byte, n))
				ok(t, err)
			}
			return nil
		}
		for k, n := range w.sizes() {
			buf := make([]byte, n)
			r, s := rank.Irecv(c, 1, 1, buf), rank.Issend(c, 1, 2, fill(n, 0, k))
			for what, call := range map[string]func(context.Context) error{
				"Wait":           func(ctx context.Context) error { _, err := r.Wait(ctx); return err },
				"Wait of a send": func(ctx context.Context) error { _, err := s.Wait(ctx); return err },
				"WaitAll":        func(ctx context.Context) error { return rank.WaitAll(ctx, r, s) },
				"WaitAny": func(ctx context.Context) error {
					i, _, err := rank.WaitAny(ctx, r, s)
					if i != rank.Undefined {
						t.Errorf("WaitAny found %d", i)
					}
					return err
				},
				"WaitSome": func(ctx context.Context) error {
					found, err := rank.WaitSome(ctx, r, s)
					if len(found) > 0 {
						t.Errorf("WaitSome found %v", found)
					}
					return err
				},
			} {
				ctx, cancel, start := anHour()
				err := call(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, rank.ErrCancelled) || time.Since(start) != time.Hour {
					t.Errorf("%s ends after %v with %v", what, time.Since(start), err)
				}
				cancel()
			}
			ok(t, rank.WaitAll(bg, r, s))
			same(t, buf, fill(n, 1, k))
		}
		return nil
	})
}

// Rule 11, for contexts: a context that has ended does not keep a call from
// what needs no waiting, and its cause is in the error.
func TestRule11EndedContexts(t *testing.T) {
	reason := errors.New("the user lost interest")
	inVirtualTime(t, func(t *testing.T, c *rank.Comm, w world) error {
		ctx, cancel := context.WithCancelCause(bg)
		cancel(reason)
		me := c.Rank()
		for _, n := range w.sizes() {
			if err := rank.Ssend(ctx, c, me, 1, make([]byte, n)); !errors.Is(err, reason) || !errors.Is(err, rank.ErrCancelled) {
				t.Errorf("Ssend: %v", err)
			}
			_, err := rank.Recv(ctx, c, me, 1, make([]byte, n))
			if !errors.Is(err, reason) || !errors.Is(err, rank.ErrCancelled) {
				t.Errorf("Recv: %v", err)
			}
			// The message is there: whichever way it goes, it is not lost.
			s := rank.Isend(c, me, 1, fill(n, 1, 1))
			buf := make([]byte, n)
			if _, err := rank.Recv(ctx, c, me, 1, buf); err != nil {
				if !errors.Is(err, reason) {
					t.Errorf("Recv of a message that is there: %v", err)
				}
				_, err := rank.Recv(bg, c, me, 1, buf)
				ok(t, err)
			}
			same(t, buf, fill(n, 1, 1))
			_, err = s.Wait(bg)
			ok(t, err)
		}
		return nil
	})
}

// A call that blocks is stamped with the program's line, and no longer once it
// has returned.
func TestBlockedCallsNameTheirSite(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *rank.Comm, w world) error {
		if c.Rank() == 1 {
			time.Sleep(time.Hour)
			return rank.Send(bg, c, 0, 4, []byte{1})
		}
		var look sync.WaitGroup
		look.Go(func() {
			time.Sleep(time.Minute)
			blocked := rank.Blocked(c)
			if len(blocked) != 1 || blocked[0].Op.String() != "Recv" || blocked[0].Peer != 1 || blocked[0].Tag != 4 ||
				!strings.HasPrefix(blocked[0].Site, "rule_deadline_test.go:") {
				t.Errorf("%v: blocked are %v", w, blocked)
			}
		})
		_, err := rank.Recv(bg, c, 1, 4, make([]byte, 1))
		ok(t, err)
		look.Wait()
		if blocked := rank.Blocked(c); len(blocked) != 0 {
			t.Errorf("%v: blocked are %v after the call", w, blocked)
		}
		return nil
	})
}
