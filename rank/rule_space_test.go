package rank_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/rank"
)

// Rule 23: a pending receive of anything gets what users send on its
// communicator, and nothing that making communicators, partitioned calls and
// libraries exchange over it.
func TestRule23UserReceivesSeeUserTrafficOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		buf := make([]byte, w.eager+1)
		r := rank.Irecv(c, rank.AnySource, rank.AnyTag, buf)

		d, err := c.Dup(bg)
		ok(t, err)
		e, q := c.Idup()
		_, err = q.Wait(bg)
		ok(t, err)
		halves, err := c.Split(bg, c.Rank()%2, 0)
		ok(t, err)
		hosts, err := c.SplitType(bg, rank.SplitHost, -c.Rank())
		ok(t, err)
		if hosts.Size() != w.ranks || hosts.Rank() != w.ranks-1-c.Rank() {
			t.Errorf("SplitType: %v", hosts)
		}
		all, err := c.Create(bg, c.Group())
		ok(t, err)
		some, err := c.CreateGroup(bg, c.Group(), 0)
		ok(t, err)
		ps, pr := rank.PsendInit(c, 2, fill(2, c.Rank(), 0), right, 0), rank.PrecvInit(c, 1, make([]byte, 2), left, 0)
		ok(t, ps.Start())
		ok(t, pr.Start())
		ok(t, ps.Ready(1, 0))
		_, err = pr.Wait(bg)
		ok(t, err)
		_, err = ps.Wait(bg)
		ok(t, err)
		for _, comm := range []*rank.Comm{c.Twin(), d, e, all, some} {
			in := make([]byte, 1)
			_, err = rank.SendRecv(bg, comm, right, 0, []byte{byte(c.Rank())}, left, 0, in)
			ok(t, err)
			if int(in[0]) != left {
				t.Errorf("%v: from %d, want %d", comm, in[0], left)
			}
		}
		ok(t, rank.Isend(halves, halves.Rank(), 0, []byte{1}).Free())
		_, err = rank.Recv(bg, halves, rank.AnySource, rank.AnyTag, make([]byte, 1))
		ok(t, err)
		if st, done, err := r.Peek(); done || err != nil {
			t.Fatalf("got %+v, %v", st, err)
		}
		if st, found, err := rank.Iprobe(c, rank.AnySource, rank.AnyTag); found || err != nil {
			t.Fatalf("found %+v, %v", st, err)
		}
		barrier(t, c)
		ok(t, rank.Send(bg, c, right, rank.MaxTag, fill(w.eager+1, c.Rank(), 1)))
		st, err := r.Wait(bg)
		ok(t, err)
		if st.Source != left || st.Tag != rank.MaxTag {
			t.Errorf("%+v", st)
		}
		same(t, buf, fill(w.eager+1, left, 1))
		for _, comm := range []*rank.Comm{d, e, halves, hosts, all, some} {
			ok(t, comm.Free())
		}
	})
}

// Rule 24: all members of a communicator know it by one name, which its leader
// picked without asking anybody outside, and no name is ever used twice.
func TestRule24ContextNamesAreNeverReused(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		rng := rand.New(rand.NewPCG(s, uint64(w.ranks))) // the same on all ranks
		seen := map[engine.ContextID]bool{rank.ContextOf(c): true, rank.ContextOf(c.Self()): true}
		check := func(d *rank.Comm) {
			t.Helper()
			id := rank.ContextOf(d)
			if seen[id] {
				t.Fatalf("%v has the name %+v of an earlier one", d, id)
			}
			seen[id] = true
			if want := d.Group().World(0); int(id.Leader) != want {
				t.Errorf("%v was named by world rank %d, its leader is %d", d, id.Leader, want)
			}
			// Its members agree, or they could not talk.
			ids := make([]uint64, 1)
			right, left := (d.Rank()+1)%d.Size(), (d.Rank()+d.Size()-1)%d.Size()
			_, err := rank.SendRecv(bg, d, right, 0, []uint64{id.Counter}, left, 0, ids)
			ok(t, err)
			if ids[0] != id.Counter {
				t.Errorf("%v: rank %d says %d, rank %d says %d", d, left, ids[0], d.Rank(), id.Counter)
			}
		}
		var alive []*rank.Comm
		for range 40 {
			colors := make([]int, w.ranks)
			for r := range colors {
				colors[r] = rng.IntN(2)
			}
			var d *rank.Comm
			var err error
			switch rng.IntN(3) {
			case 0:
				d, err = c.Split(bg, colors[c.Rank()], rng.IntN(3)*c.Rank())
			case 1:
				d, err = c.Dup(bg)
			default:
				var half []int
				for r, color := range colors {
					if color == colors[c.Rank()] {
						half = append(half, r)
					}
				}
				var g *rank.Group
				g, err = c.Group().Include(half...)
				ok(t, err)
				d, err = c.CreateGroup(bg, g, 5)
			}
			ok(t, err)
			check(d)
			if alive = append(alive, d); len(alive) > 3 {
				k := rng.IntN(len(alive))
				ok(t, alive[k].Free())
				alive = slices.Delete(alive, k, k+1)
			}
		}
		for _, d := range alive {
			ok(t, d.Free())
		}
	})
}

// Rule 24: a message for a communicator that its receiver has freed is known as
// such: it is dropped, its sender is told if it waits, and no communicator made
// later gets it.
func TestRule24LateMessagesAreRecognised(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for k, n := range w.sizes() {
			d, err := c.Dup(bg)
			ok(t, err)
			late := rank.Issend(d, right, 1, fill(n, c.Rank(), k))
			early := rank.Isend(d, right, 1, fill(min(n, w.eager), c.Rank(), k))
			if k%2 == 0 {
				barrier(t, c) // the messages are there
			}
			ok(t, d.Free())
			if _, err := late.Wait(bg); !errors.Is(err, rank.ErrFreed) {
				t.Errorf("Issend of %d bytes: %v", n, err)
			}
			if _, err := early.Wait(bg); err != nil && !errors.Is(err, rank.ErrFreed) {
				t.Errorf("Isend of %d bytes: %v", n, err)
			}
			e, err := c.Dup(bg)
			ok(t, err)
			ok(t, rank.Isend(e, right, 1, fill(n, c.Rank(), 50+k)).Free())
			got, _, err := rank.RecvAlloc[byte](bg, e, left, 1)
			ok(t, err)
			same(t, got, fill(n, left, 50+k))
			barrier(t, e)
			if st, found, err := rank.Iprobe(e, rank.AnySource, rank.AnyTag); found || err != nil {
				t.Fatalf("a message of the freed communicator: %+v, %v", st, err)
			}
			ok(t, e.Free())
		}
	})
}
