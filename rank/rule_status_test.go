package rank_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// Rule 6: a message longer than the buffer hurts the receive that takes it and
// nobody else. It is used up; what fits is in the buffer, nothing beyond it is
// written; the sender succeeds and later messages match. A shorter message
// changes only as much of the buffer as it has.
func TestRule06TruncationHurtsThatReceiveOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for _, n := range w.edges()[1:] {
			for name, send := range blocking {
				for _, room := range []int{0, n - 1, n, n + 3} {
					sent := make(chan error, 1)
					go func() {
						err := send(bg, c, right, 1, fill(n, c.Rank(), 1))
						if err == nil {
							err = send(bg, c, right, 1, fill(n, c.Rank(), 2))
						}
						sent <- err
					}()
					buf := canaries(n + 8)
					st, err := rank.Recv(bg, c, left, 1, buf[:room:room])
					fits := min(n, room)
					if (room < n) != errors.Is(err, rank.ErrTruncated) || room >= n && err != nil {
						t.Fatalf("%s of %d bytes into %d: %v", name, n, room, err)
					}
					if st.Source != left || st.Tag != 1 || st.Bytes != fits || st.Len != fits {
						t.Fatalf("%s of %d bytes into %d: %+v", name, n, room, st)
					}
					same(t, buf[:fits], fill(n, left, 1)[:fits])
					if !untouched(buf[fits:]) {
						t.Fatalf("%s of %d bytes into %d: what lies behind was written", name, n, room)
					}
					if _, err := rank.Recv(bg, c, left, 1, buf); err != nil {
						t.Fatalf("the message after it: %v", err)
					}
					same(t, buf[:n], fill(n, left, 2))
					ok(t, <-sent)
				}
			}
		}
	})
}

// Rule 7: a status has source, tag, length and whether the receive was
// cancelled. The count of elements is undefined if the bytes are no whole
// number of them, and 0 for elements without size.
func TestRule07StatusTellsWhatCame(t *testing.T) {
	type wide struct{ A, B, C byte }
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		r := rank.Isend(c, c.Rank(), 5, []uint16{1, 2, 3, 4, 5})
		buf := make([]uint16, 9)
		st, err := rank.Recv(bg, c, rank.AnySource, rank.AnyTag, buf)
		ok(t, err)
		if want := (rank.Status{Source: c.Rank(), Tag: 5, Len: 5, Bytes: 10}); st != want {
			t.Errorf("got %+v, want %+v", st, want)
		}
		_, err = r.Wait(bg)
		ok(t, err)
		if n, whole := rank.Count[uint16](st); n != 5 || !whole {
			t.Errorf("uint16: %d, %v", n, whole)
		}
		if n, whole := rank.Count[[5]uint16](st); n != 1 || !whole {
			t.Errorf("[5]uint16: %d, %v", n, whole)
		}
		for what, f := range map[string]func(rank.Status) (int, bool){
			"uint32": rank.Count[uint32], "wide": rank.Count[wide], "[6]uint16": rank.Count[[6]uint16],
		} {
			if n, whole := f(st); n != 0 || whole {
				t.Errorf("%s: %d, %v; want 0, false", what, n, whole)
			}
		}
		if n, whole := rank.Count[struct{}](st); n != 0 || !whole {
			t.Errorf("struct{}: %d, %v", n, whole)
		}
		q := rank.Irecv(c, c.Rank(), 6, buf)
		ok(t, q.Cancel())
		if st, err := q.Wait(bg); !st.Cancelled || !errors.Is(err, rank.ErrCancelled) {
			t.Errorf("cancelled: %+v, %v", st, err)
		}
	})
}

// threeReceives returns requests of this rank to itself: one that succeeds, one
// that fails and one that nothing matches, whose buffer is buf.
func threeReceives(c *rank.Comm, buf []byte) []rank.Request {
	rank.Isend(c, c.Rank(), 1, []byte{1}).Free()
	rank.Isend(c, c.Rank(), 2, []byte{1, 2}).Free()
	return []rank.Request{
		rank.Irecv(c, c.Rank(), 1, make([]byte, 1)),
		rank.Irecv(c, c.Rank(), 2, make([]byte, 1)),
		rank.Irecv(c, c.Rank(), 3, buf),
	}
}

// Rule 8: a call that completes several requests returns ErrInStatus if some
// failed and tells of each whether it succeeded, how it failed, or that it is
// pending. A call that completes one returns its error.
func TestRule08EachOfSeveralHasItsOwnError(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		check := func(what string, err error, third error) {
			t.Helper()
			var s *rank.StatusError
			switch {
			case !errors.Is(err, rank.ErrInStatus) || !errors.As(err, &s):
				t.Fatalf("%s: %v", what, err)
			case len(s.Errs) != 3 || s.Errs[0] != nil || !errors.Is(s.Errs[1], rank.ErrTruncated) || !errors.Is(s.Errs[2], third):
				t.Fatalf("%s: %v", what, s.Errs)
			case !errors.Is(err, rank.ErrTruncated):
				t.Fatalf("%s: the failure is not in the chain: %v", what, err)
			}
		}
		release := func(r rank.Request) {
			t.Helper()
			ok(t, r.Cancel())
			if _, err := r.Wait(bg); !errors.Is(err, rank.ErrCancelled) {
				t.Fatalf("the pending receive: %v", err)
			}
		}

		rs := threeReceives(c, nil)
		ok(t, rank.Send[byte](bg, c, c.Rank(), 3, nil))
		check("WaitAll", rank.WaitAll(bg, rs...), nil)

		rs = threeReceives(c, nil)
		ok(t, rank.Send[byte](bg, c, c.Rank(), 3, nil))
		statuses, err := rank.WaitAllStatus(bg, rs...)
		check("WaitAllStatus", err, nil)
		if statuses[1].Bytes != 1 || statuses[2].Tag != 3 {
			t.Errorf("WaitAllStatus: %+v", statuses)
		}

		// A failure is not lost because another request is still pending.
		rs = threeReceives(c, nil)
		ctx, cancel := context.WithTimeout(bg, time.Millisecond)
		err = rank.WaitAll(ctx, rs...)
		cancel()
		check("WaitAll that its context ends", err, rank.ErrPending)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no cause in %v", err)
		}
		release(rs[2])

		rs = threeReceives(c, nil)
		if _, done, err := rank.TestAll(rs...); done || err != nil {
			t.Errorf("TestAll with a pending request: %v, %v", done, err)
		}
		for found := 0; found < 2; {
			done, err := rank.TestSome(rs...)
			found += len(done)
			failed := false
			for _, d := range done {
				failed = failed || d.Index == 1
				if (d.Index == 1) != errors.Is(d.Err, rank.ErrTruncated) || d.Index == 2 {
					t.Fatalf("TestSome: %+v", d)
				}
				rs[d.Index] = rank.Request{}
			}
			if failed != errors.Is(err, rank.ErrInStatus) {
				t.Fatalf("TestSome: %+v, %v", done, err)
			}
		}
		release(rs[2])

		rs = threeReceives(c, nil)
		ok(t, rank.Send[byte](bg, c, c.Rank(), 3, nil))
		for {
			statuses, done, err := rank.TestAll(rs...)
			if !done {
				continue
			}
			check("TestAll", err, nil)
			if len(statuses) != 3 || statuses[2].Tag != 3 {
				t.Errorf("TestAll: %+v", statuses)
			}
			break
		}

		rs = threeReceives(c, nil)
		for range 2 {
			i, _, err := rank.WaitAny(bg, rs...)
			if i == rank.Undefined || (i == 1) != errors.Is(err, rank.ErrTruncated) || errors.Is(err, rank.ErrInStatus) {
				t.Fatalf("WaitAny: %d, %v", i, err)
			}
			rs[i] = rank.Request{}
		}
		release(rs[2])
	})
}
