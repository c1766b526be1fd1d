package rank_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 14: calls with Null complete at once: sends without effect, receives
// with the status of Null, probes with a message that can be received.
func TestRule14NullCompletesAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		null := rank.Status{Source: rank.Null, Tag: rank.AnyTag}
		buf := fill(8, 1, 1)
		for name, send := range blocking {
			if err := send(bg, c, rank.Null, 1, buf); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		ok(t, rank.Rsend(bg, c, rank.Null, 1, buf))
		for _, m := range modes {
			r, err := m.send(c, rank.Null, 1, buf)
			ok(t, err)
			if st, done, err := r.Test(); !done || err != nil || st != empty {
				t.Errorf("%s: %+v, %v, %v", m.name, st, done, err)
			}
		}
		got := func(what string, st rank.Status, err error) {
			t.Helper()
			if st != null || err != nil {
				t.Errorf("%s: %+v, %v; want %+v", what, st, err, null)
			}
		}
		st, err := rank.Recv(bg, c, rank.Null, 1, buf)
		got("Recv", st, err)
		st, err = rank.Irecv(c, rank.Null, 1, buf).Wait(bg)
		got("Irecv", st, err)
		p := rank.RecvInit(c, rank.Null, 1, buf)
		_, err = p.Start()
		ok(t, err)
		st, err = p.Wait(bg)
		got("RecvInit", st, err)
		st, err = rank.SendRecv(bg, c, rank.Null, 1, buf, rank.Null, 1, buf)
		got("SendRecv", st, err)
		st, err = rank.SendRecvReplace(bg, c, rank.Null, 1, rank.Null, 1, buf)
		got("SendRecvReplace", st, err)
		st, err = rank.Probe(bg, c, rank.Null, 1)
		got("Probe", st, err)
		st, found, err := rank.Iprobe(c, rank.Null, 1)
		got("Iprobe", st, err)
		m, err := rank.Mprobe(bg, c, rank.Null, 1)
		got("Mprobe", m.Status(), err)
		st, err = rank.Mrecv(bg, m, buf)
		got("Mrecv", st, err)
		m, err = rank.Improbe(c, rank.Null, 1)
		got("Improbe", m.Status(), err)
		st, err = rank.Imrecv(m, buf).Wait(bg)
		got("Imrecv", st, err)
		b, st, err := rank.RecvAlloc[byte](bg, c, rank.Null, 1)
		got("RecvAlloc", st, err)
		v, st, err := rank.RecvObject[string](bg, c, rank.Null, 1)
		got("RecvObject", st, err)
		ok(t, rank.SendObject(bg, c, rank.Null, 1, "nobody"))
		if !found || len(b) != 0 || v != "" {
			t.Errorf("found %v, %v, %q", found, b, v)
		}
		same(t, buf, fill(8, 1, 1))

		// One half of a SendRecv may be Null: ends of a chain.
		right, left := c.Rank()+1, c.Rank()-1
		if right == w.ranks {
			right = rank.Null
		}
		if left < 0 {
			left = rank.Null
		}
		in := make([]byte, w.eager+1)
		st, err = rank.SendRecv(bg, c, right, 1, fill(w.eager+1, c.Rank(), 0), left, 1, in)
		ok(t, err)
		if left == rank.Null {
			got("SendRecv from Null", st, nil)
		} else {
			same(t, in, fill(w.eager+1, left, 0))
		}
		for _, parts := range []int{1, 4} {
			s, r := rank.PsendInit(c, parts, buf, rank.Null, 1), rank.PrecvInit(c, parts, buf, rank.Null, 1)
			ok(t, s.Start())
			ok(t, r.Start())
			ok(t, s.ReadyRange(0, parts-1))
			_, err := s.Wait(bg)
			ok(t, err)
			st, err := r.Wait(bg)
			got("PrecvInit", st, err)
		}
	})
}

// Rule 15: a receive that asks for what Probe found gets that message as long
// as no other receive came between.
func TestRule15ProbeFindsWhatRecvGets(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		// Everyone sends to everyone, itself included.
		for dest := range w.ranks {
			for k, n := range w.sizes() {
				ok(t, rank.Isend(c, dest, rank.Tag(k%2), fill(n, c.Rank(), k)).Free())
			}
		}
		next := make(map[[2]int]int)
		for i := range w.ranks * len(w.sizes()) {
			var st rank.Status
			var err error
			if i%2 == 0 {
				st, err = rank.Probe(bg, c, rank.AnySource, rank.AnyTag)
			} else {
				for found := false; !found && err == nil; runtime.Gosched() {
					st, found, err = rank.Iprobe(c, rank.AnySource, rank.AnyTag)
				}
			}
			ok(t, err)
			buf := make([]byte, st.Len)
			got, err := rank.Recv(bg, c, st.Source, st.Tag, buf)
			ok(t, err)
			if got != st {
				t.Fatalf("probed %+v, received %+v", st, got)
			}
			at := [2]int{st.Source, int(st.Tag)}
			k := 2*next[at] + int(st.Tag)
			next[at]++
			same(t, buf, fill(w.sizes()[k], st.Source, k))
		}
	})
}

// Rule 15: Mprobe takes the message out of matching: the next receive gets the
// next one, however many goroutines do so, and the message is received once.
func TestRule15MprobeTakesTheMessage(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		const goroutines, each = 4, 6
		if c.Rank() != 0 {
			for k := range goroutines * each / 2 {
				n := w.sizes()[k%len(w.sizes())]
				ok(t, rank.Send(bg, c, 0, rank.Tag(k), fill(n, c.Rank(), k)))
			}
			return
		}
		total := (w.ranks - 1) * goroutines * each / 2
		var mu sync.Mutex
		seen := make(map[[2]int]bool)
		claim := func() bool {
			mu.Lock()
			defer mu.Unlock()
			total--
			return total >= 0
		}
		var done sync.WaitGroup
		for g := range goroutines {
			done.Go(func() {
				for claim() {
					var m *rank.Message
					var err error
					if g%2 == 0 {
						m, err = rank.Mprobe(bg, c, rank.AnySource, rank.AnyTag)
					} else {
						for m == nil && err == nil {
							runtime.Gosched()
							m, err = rank.Improbe(c, rank.AnySource, rank.AnyTag)
						}
					}
					if err != nil {
						t.Error(err)
						return
					}
					st := m.Status()
					buf := make([]byte, st.Len)
					var got rank.Status
					if g < 2 {
						got, err = rank.Mrecv(bg, m, buf)
					} else {
						got, err = rank.Imrecv(m, buf).Wait(bg)
					}
					if err != nil || got != st {
						t.Errorf("probed %+v, received %+v, %v", st, got, err)
					}
					k := int(st.Tag)
					if string(buf) != string(fill(w.sizes()[k%len(w.sizes())], st.Source, k)) {
						t.Errorf("message %d of rank %d has other bytes", k, st.Source)
					}
					mu.Lock()
					if at := [2]int{st.Source, k}; seen[at] {
						t.Errorf("message %v was received twice", at)
					} else {
						seen[at] = true
					}
					mu.Unlock()
					if _, err := rank.Mrecv(bg, m, buf); !errors.Is(err, rank.ErrRequest) {
						t.Errorf("Mrecv again: %v", err)
					}
					if _, err := rank.Imrecv(m, buf).Wait(bg); !errors.Is(err, rank.ErrRequest) {
						t.Errorf("Imrecv again: %v", err)
					}
				}
			})
		}
		done.Wait()
	})
}

// Rule 15: of two messages the one that Mprobe took is not the one that Recv
// gets, although it was sent first.
func TestRule15RecvGetsTheNextMessage(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for _, n := range w.sizes() {
			for k := range 2 {
				ok(t, rank.Isend(c, right, 1, fill(n, c.Rank(), k)).Free())
			}
			m, err := rank.Mprobe(bg, c, left, 1)
			ok(t, err)
			buf := make([]byte, n)
			_, err = rank.Recv(bg, c, left, 1, buf)
			ok(t, err)
			same(t, buf, fill(n, left, 1))
			_, err = rank.Mrecv(bg, m, buf)
			ok(t, err)
			same(t, buf, fill(n, left, 0))
		}
	})
}
