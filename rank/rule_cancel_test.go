package rank_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 11: of a receive and a Cancel exactly one wins. If the receive was
// cancelled its message is there for the next receive and its buffer is not
// touched, also not later; if not, the message is in the buffer.
func TestRule11CancelledOrMatched(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		if c.Rank() > 1 {
			return
		}
		const rounds = 150
		cancelled := 0
		for k := range rounds {
			n := w.sizes()[k%len(w.sizes())]
			if c.Rank() == 1 {
				_, err := rank.Recv[byte](bg, c, 0, 2, nil)
				ok(t, err)
				ok(t, rank.Send(bg, c, 0, 1, fill(n, 1, k)))
				continue
			}
			buf := make([]byte, n)
			r := rank.Irecv(c, 1, 1, buf)
			var race sync.WaitGroup
			race.Go(func() {
				for range k % 7 * 10 {
					r.Peek()
				}
				if err := r.Cancel(); err != nil {
					t.Error(err)
				}
			})
			ok(t, rank.Send[byte](bg, c, 1, 2, nil))
			race.Wait()
			st, err := r.Wait(bg)
			switch {
			case err == nil && !st.Cancelled && st.Source == 1 && st.Bytes == n:
			case errors.Is(err, rank.ErrCancelled) && st.Cancelled:
				cancelled++
				got, _, err := rank.RecvAlloc[byte](bg, c, 1, 1)
				ok(t, err)
				same(t, buf, make([]byte, n))
				copy(buf, got)
			default:
				t.Fatalf("round %d: %+v, %v", k, st, err)
			}
			same(t, buf, fill(n, 1, k))
		}
		if c.Rank() == 0 {
			t.Logf("%d of %d were cancelled", cancelled, rounds)
		}
	})
}

// Rule 11: Cancel has no effect on sends, partners of a match and what is
// complete; a cancelled request must still be waited for, in any way.
func TestRule11CancelNeedsAWaitAndSparesSends(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for k, n := range w.sizes() {
			s := rank.Issend(c, right, 1, fill(n, c.Rank(), k))
			ok(t, s.Cancel())
			buf := make([]byte, n)
			r := rank.Irecv(c, left, 1, buf)
			<-r.Done()
			ok(t, r.Cancel())
			if st, err := r.Wait(bg); err != nil || st.Cancelled || st.Bytes != n {
				t.Fatalf("%+v, %v", st, err)
			}
			same(t, buf, fill(n, left, k))
			_, err := s.Wait(bg)
			ok(t, err)
		}
		ends := map[string]func(rank.Request) error{
			"Wait":     func(r rank.Request) error { _, err := r.Wait(bg); return err },
			"Test":     func(r rank.Request) error { _, _, err := r.Test(); return err },
			"WaitAll":  func(r rank.Request) error { return rank.WaitAll(bg, r) },
			"WaitAny":  func(r rank.Request) error { _, _, err := rank.WaitAny(bg, r); return err },
			"WaitSome": func(r rank.Request) error { _, err := rank.WaitSome(bg, r); return err },
			"TestAll":  func(r rank.Request) error { _, _, err := rank.TestAll(r); return err },
			"TestAny":  func(r rank.Request) error { _, _, _, err := rank.TestAny(r); return err },
			"TestSome": func(r rank.Request) error { _, err := rank.TestSome(r); return err },
			"Then": func(r rank.Request) error {
				done := make(chan error)
				if err := r.Then(func(_ rank.Status, err error) { done <- err }); err != nil {
					return err
				}
				return <-done
			},
		}
		for name, end := range ends {
			r := rank.Irecv(c, left, 9, make([]byte, 1))
			ok(t, r.Cancel())
			<-r.Done()
			if _, done, err := r.Peek(); !done || !errors.Is(err, rank.ErrCancelled) {
				t.Errorf("Peek before %s: %v, %v", name, done, err)
			}
			if err := end(r); !errors.Is(err, rank.ErrCancelled) {
				t.Errorf("%s: %v", name, err)
			}
			if err := end(r); !errors.Is(err, rank.ErrRequest) {
				t.Errorf("%s again: %v", name, err)
			}
		}
		r := rank.Irecv(c, left, 9, make([]byte, 1))
		ok(t, r.Cancel())
		ok(t, r.Free())
		p := rank.RecvInit(c, left, 9, make([]byte, 1))
		r, err := p.Start()
		ok(t, err)
		ok(t, r.Cancel())
		if _, err := p.Wait(bg); !errors.Is(err, rank.ErrCancelled) || p.Active() {
			t.Errorf("persistent: %v", err)
		}
	})
}
