package rank_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 3: the order is that of the calls that start operations, not of those
// that wait for them, and StartAll starts in the order of its list.
func TestRule03OrderIsThatOfStarting(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		sizes := w.sizes()
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks

		var receives, sends []rank.Request
		var bufs [][]byte
		for range sizes {
			bufs = append(bufs, make([]byte, 3*w.eager))
			receives = append(receives, rank.Irecv(c, left, 4, bufs[len(bufs)-1]))
		}
		for k, n := range sizes {
			sends = append(sends, rank.Isend(c, right, 4, fill(n, c.Rank(), k)))
		}
		for _, r := range slices.Backward(sends) {
			_, err := r.Wait(bg)
			ok(t, err)
		}
		for k, n := range slices.Backward(sizes) {
			st, err := receives[k].Wait(bg)
			ok(t, err)
			if st.Bytes != n {
				t.Fatalf("receive %d got %d bytes, want %d", k, st.Bytes, n)
			}
			same(t, bufs[k][:n], fill(n, left, k))
		}

		var in, out []*rank.Persistent
		for k, n := range sizes {
			in = append(in, rank.RecvInit(c, left, 4, bufs[k]))
			out = append(out, rank.SendInit(c, right, 4, fill(n, c.Rank(), 100+k)))
		}
		receives, err := rank.StartAll(in...)
		ok(t, err)
		sends, err = rank.StartAll(out...)
		ok(t, err)
		slices.Reverse(sends)
		ok(t, rank.WaitAll(bg, sends...))
		ok(t, rank.WaitAll(bg, receives...))
		for k, n := range sizes {
			same(t, bufs[k][:n], fill(n, left, 100+k))
		}
	})
}

// Rule 4: of the sends of two goroutines, what happens before is earlier; where
// nothing orders them any order will do, and none is lost.
func TestRule04GoroutinesInOrderSendInOrder(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		const goroutines = 40
		rng := rand.New(rand.NewPCG(s, 4))
		sizes := make([]int, goroutines)
		for i := range sizes {
			sizes[i] = w.size(rng)
		}
		if c.Rank() == 0 {
			for source := 1; source < w.ranks; source++ {
				for k, n := range sizes {
					got, _, err := rank.RecvAlloc[byte](bg, c, source, 1)
					ok(t, err)
					same(t, got, fill(n, source, k))
				}
			}
			seen := make(map[[2]int]bool)
			for range goroutines * (w.ranks - 1) {
				st, err := rank.Recv(bg, c, rank.AnySource, rank.AnyTag, make([]byte, 3*w.eager))
				ok(t, err)
				seen[[2]int{st.Source, int(st.Tag)}] = true
			}
			if len(seen) != goroutines*(w.ranks-1) {
				t.Errorf("%d different messages, want %d", len(seen), goroutines*(w.ranks-1))
			}
			return
		}
		// Each goroutine starts its send when the one before has started.
		var done sync.WaitGroup
		turn := make(chan struct{})
		close(turn)
		for k, n := range sizes {
			mine, next := turn, make(chan struct{})
			turn = next
			done.Go(func() {
				<-mine
				r := rank.Isend(c, 0, 1, fill(n, c.Rank(), k))
				close(next)
				if _, err := r.Wait(bg); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		for k, n := range sizes {
			done.Go(func() {
				if err := rank.Send(bg, c, 0, rank.Tag(100+k), fill(n, c.Rank(), k)); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	})
}

// Rule 5: a receive from any source that was posted earlier wins over a later
// specific one, and takes the messages of one sender in their order.
func TestRule05WildcardsKeepTheirPlace(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		if c.Rank() != 0 {
			_, err := rank.Recv[byte](bg, c, 0, 9, nil)
			ok(t, err)
			for k, n := range w.sizes() {
				ok(t, rank.Send(bg, c, 0, 3, fill(n, c.Rank(), k)))
			}
			return
		}
		// For each sender a wildcard, and behind it a receive that names it.
		for source := 1; source < w.ranks; source++ {
			var receives []rank.Request
			var bufs [][]byte
			for k := range w.sizes() {
				bufs = append(bufs, make([]byte, 3*w.eager))
				if k%2 == 0 {
					receives = append(receives, rank.Irecv(c, rank.AnySource, rank.AnyTag, bufs[k]))
				} else {
					receives = append(receives, rank.Irecv(c, source, 3, bufs[k]))
				}
			}
			ok(t, rank.Send[byte](bg, c, source, 9, nil))
			for k, n := range w.sizes() {
				st, err := receives[k].Wait(bg)
				ok(t, err)
				if st.Source != source || st.Bytes != n {
					t.Fatalf("receive %d got %d bytes from %d, want %d from %d", k, st.Bytes, st.Source, n, source)
				}
				same(t, bufs[k][:n], fill(n, source, k))
			}
		}
	})
}
