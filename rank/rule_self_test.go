package rank_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// Rule 16: a rank talks to itself as to any other, in the world and on Self.
func TestRule16SelfIsARankLikeOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		if c.Self().Size() != 1 || c.Self().Rank() != 0 || c.Self() != c.Self().Self() {
			t.Errorf("self is %v", c.Self())
		}
		for _, comm := range []*rank.Comm{c, c.Self()} {
			me := comm.Rank()
			var sends []rank.Request
			for k, n := range w.edges() {
				for i, m := range modes {
					r, err := m.send(comm, me, rank.Tag(k), fill(n, c.Rank(), i))
					ok(t, err)
					sends = append(sends, r)
				}
			}
			for k, n := range w.edges() {
				for i := range modes {
					got, st, err := rank.RecvAlloc[byte](bg, comm, rank.AnySource, rank.Tag(k))
					ok(t, err)
					if st.Source != me {
						t.Fatalf("source %d, want %d", st.Source, me)
					}
					same(t, got, fill(n, c.Rank(), i))
				}
			}
			ok(t, rank.WaitAll(bg, sends...))
			// A receive posted first lets every blocking send through.
			for name, send := range blocking {
				buf := make([]byte, 3*w.eager)
				r := rank.Irecv(comm, me, 5, buf)
				if err := send(bg, comm, me, 5, fill(len(buf), 1, 1)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				_, err := r.Wait(bg)
				ok(t, err)
				same(t, buf, fill(len(buf), 1, 1))
			}
			buf := fill(w.eager+1, 1, 2)
			_, err := rank.SendRecvReplace(bg, comm, me, 5, me, 5, buf)
			ok(t, err)
			same(t, buf, fill(w.eager+1, 1, 2))
		}
	})
}

// Rule 16: without a receive a Ssend to oneself blocks, however short.
func TestRule16SsendToSelfBlocks(t *testing.T) {
	for _, w := range protocols {
		synctest.Test(t, func(t *testing.T) {
			err := rank.Local(1, func(_ context.Context, c *rank.Comm) error {
				for _, n := range w.sizes() {
					ctx, cancel := context.WithTimeout(bg, time.Hour)
					start := time.Now()
					err := rank.Ssend(ctx, c, 0, 1, make([]byte, n))
					cancel()
					if !errors.Is(err, rank.ErrCancelled) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
						t.Errorf("%v: Ssend of %d bytes to self: %v after %v", w, n, err, time.Since(start))
					}
				}
				return nil
			}, w.options()...)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Rule 17: pending sends may share a buffer, which may be read. When a send is
// complete the buffer is the program's again: what it writes then reaches
// nobody. The race detector watches.
func TestRule17SendBuffersAreFreeAfterCompletion(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		for _, n := range w.edges() {
			for k, m := range modes {
				buf := fill(n, c.Rank(), k)
				var sends, receives []rank.Request
				in := make([][]byte, w.ranks)
				for r := range w.ranks {
					s, err := m.send(c, r, 1, buf)
					ok(t, err)
					sends = append(sends, s)
				}
				same(t, buf, fill(n, c.Rank(), k))
				for r := range w.ranks {
					in[r] = make([]byte, n)
					receives = append(receives, rank.Irecv(c, r, 1, in[r]))
				}
				ok(t, rank.WaitAll(bg, sends...))
				clear(buf)
				ok(t, rank.WaitAll(bg, receives...))
				for r := range w.ranks {
					same(t, in[r], fill(n, r, k))
				}
			}
			// Blocking sends: one buffer, written again between them.
			for name, send := range blocking {
				buf := make([]byte, n)
				var receiver sync.WaitGroup
				receiver.Go(func() {
					for k := range 3 {
						got, _, err := rank.RecvAlloc[byte](bg, c, (c.Rank()+w.ranks-1)%w.ranks, 2)
						if err != nil || string(got) != string(fill(n, 7, k)) {
							t.Errorf("%s %d of %d bytes: %v", name, k, n, err)
						}
					}
				})
				for k := range 3 {
					copy(buf, fill(n, 7, k))
					ok(t, send(bg, c, (c.Rank()+1)%w.ranks, 2, buf))
				}
				receiver.Wait()
			}
		}
	})
}
