package rank_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

var empty = rank.Status{Source: rank.AnySource, Tag: rank.AnyTag}

// Rule 9: a null request, and a persistent one that is not active, is complete
// with the empty status; a list of none but such has no index; lists may be
// empty.
func TestRule09NullRequestsAreComplete(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		var null rank.Request
		inactive := rank.SendInit(c, 0, 1, []byte{1})
		if st, err := null.Wait(bg); st != empty || err != nil || !null.IsNull() {
			t.Errorf("Wait: %+v, %v", st, err)
		}
		if st, done, err := null.Test(); st != empty || !done || err != nil {
			t.Errorf("Test: %+v, %v, %v", st, done, err)
		}
		if st, done, err := null.Peek(); st != empty || !done || err != nil {
			t.Errorf("Peek: %+v, %v, %v", st, done, err)
		}
		<-null.Done()
		ok(t, null.Cancel())
		ok(t, null.Free())
		called := make(chan rank.Status)
		ok(t, null.Then(func(st rank.Status, err error) { called <- st }))
		if st := <-called; st != empty {
			t.Errorf("Then: %+v", st)
		}
		if st, err := inactive.Wait(bg); st != empty || err != nil || inactive.Active() {
			t.Errorf("Persistent.Wait: %+v, %v", st, err)
		}
		if st, done, err := inactive.Test(); st != empty || !done || err != nil {
			t.Errorf("Persistent.Test: %+v, %v, %v", st, done, err)
		}
		for _, list := range [][]rank.Request{nil, {}, {null}, {null, null}} {
			ok(t, rank.WaitAll(bg, list...))
			if statuses, err := rank.WaitAllStatus(bg, list...); len(statuses) != len(list) || err != nil {
				t.Errorf("WaitAllStatus of %d: %v, %v", len(list), statuses, err)
			}
			if i, st, err := rank.WaitAny(bg, list...); i != rank.Undefined || st != empty || err != nil {
				t.Errorf("WaitAny of %d: %d, %+v, %v", len(list), i, st, err)
			}
			if found, err := rank.WaitSome(bg, list...); found != nil || err != nil {
				t.Errorf("WaitSome of %d: %v, %v", len(list), found, err)
			}
			if statuses, done, err := rank.TestAll(list...); len(statuses) != len(list) || !done || err != nil {
				t.Errorf("TestAll of %d: %v, %v, %v", len(list), statuses, done, err)
			}
			if i, st, done, err := rank.TestAny(list...); i != rank.Undefined || st != empty || !done || err != nil {
				t.Errorf("TestAny of %d: %d, %+v, %v, %v", len(list), i, st, done, err)
			}
			if found, err := rank.TestSome(list...); len(found) != 0 || err != nil {
				t.Errorf("TestSome of %d: %v, %v", len(list), found, err)
			}
		}
		// Among others a null request is passed over.
		r := rank.Irecv(c, c.Rank(), 1, make([]byte, 1))
		if i, _, done, err := rank.TestAny(null, r); i != rank.Undefined || done || err != nil {
			t.Errorf("TestAny with a pending request: %d, %v, %v", i, done, err)
		}
		ok(t, rank.Send(bg, c, c.Rank(), 1, []byte{1}))
		if i, st, err := rank.WaitAny(bg, null, r, null); i != 1 || st.Tag != 1 || err != nil {
			t.Errorf("WaitAny: %d, %+v, %v", i, st, err)
		}
	})
}

// Rule 10: a request is complete once. After that its use is an error; a
// persistent one is inactive and can be started again.
func TestRule10RequestsCompleteOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for _, n := range w.sizes() {
			s := rank.Isend(c, right, 1, fill(n, c.Rank(), 1))
			buf := make([]byte, n)
			r := rank.Irecv(c, left, 1, buf)
			<-r.Done()
			if st, done, err := r.Peek(); !done || err != nil || st.Bytes != n {
				t.Fatalf("Peek: %+v, %v, %v", st, done, err)
			}
			_, err := r.Wait(bg)
			ok(t, err)
			same(t, buf, fill(n, left, 1))
			for {
				_, done, err := s.Test()
				ok(t, err)
				if done {
					break
				}
			}
			for _, q := range []rank.Request{r, s} {
				_, err1 := q.Wait(bg)
				_, _, err2 := q.Test()
				_, _, err3 := q.Peek()
				_, _, err4 := rank.WaitAny(bg, q)
				for i, err := range []error{err1, err2, err3, q.Cancel(), q.Free(), q.Then(func(rank.Status, error) {
					t.Error("callback of a stale request")
				}), err4, rank.WaitAll(bg, q)} {
					if !errors.Is(err, rank.ErrRequest) {
						t.Errorf("use %d after completion: %v", i, err)
					}
				}
				<-q.Done()
			}
		}
		p := rank.RecvInit(c, left, 1, make([]byte, 1))
		for k := range 3 {
			_, err := p.Start()
			ok(t, err)
			s := rank.Isend(c, right, 1, []byte{byte(k)})
			_, err = p.Wait(bg)
			ok(t, err)
			_, err = s.Wait(bg)
			ok(t, err)
			if p.Active() {
				t.Fatal("active after Wait")
			}
		}
	})
}

// Rule 10: a request that was let go finishes, and its buffer lives until then
// although nobody else holds it.
func TestRule10FreedRequestsFinish(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for k, n := range w.sizes() {
			ok(t, rank.Isend(c, right, 1, fill(n, c.Rank(), k)).Free())
			ok(t, rank.Issend(c, right, 1, fill(n, c.Rank(), 50+k)).Free())
		}
		runtime.GC()
		for range 100 { // reuses what the collector found
			_ = fill(w.eager, 77, 77)
		}
		for k, n := range w.sizes() {
			for _, at := range []int{k, 50 + k} {
				got, _, err := rank.RecvAlloc[byte](bg, c, left, 1)
				ok(t, err)
				same(t, got, fill(n, left, at))
			}
		}
		// A receive that was let go takes its message; only the peer can tell.
		ok(t, rank.Irecv(c, left, 2, make([]byte, 3*w.eager)).Free())
		ok(t, rank.Ssend(bg, c, right, 2, fill(3*w.eager, c.Rank(), 0)))
	})
}

// Rule 78: of two goroutines that wait for one request one is told so, and the
// other gets the outcome.
func TestRule78TwoWaitersAreDetected(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		const waiters = 3
		for k := range 200 {
			r := rank.Irecv(c, c.Rank(), 1, make([]byte, 1))
			var done sync.WaitGroup
			errs := make([]error, waiters)
			for i := range errs {
				done.Go(func() {
					switch (i + k) % 3 {
					case 0, 1:
						_, errs[i] = r.Wait(bg)
					case 2:
						_, _, errs[i] = rank.WaitAny(bg, r)
					}
				})
			}
			ok(t, rank.Send(bg, c, c.Rank(), 1, []byte{1}))
			done.Wait()
			won := 0
			for _, err := range errs {
				switch {
				case err == nil:
					won++
				case !errors.Is(err, rank.ErrConcurrent) && !errors.Is(err, rank.ErrRequest):
					t.Fatal(err)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d waiters got the outcome: %v", won, waiters, errs)
			}
		}
	})
}
