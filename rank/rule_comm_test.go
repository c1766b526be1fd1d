package rank_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// Rule 27: what is made from a communicator has its error policy as it was then,
// and not its name and buffer. (Attributes: rule 31.)
func TestRule27ChildrenInheritThePolicy(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		p, err := c.Dup(bg)
		ok(t, err)
		p.SetName("parent")
		ok(t, p.AttachBuffer(1000))
		if p.Name() != "parent" || !strings.HasPrefix(p.String(), "parent") || p.ErrorPolicy() != rank.ReturnErrors {
			t.Errorf("%v, policy %v", p, p.ErrorPolicy())
		}
		children := func() []*rank.Comm {
			d, err := p.Dup(bg)
			ok(t, err)
			e, r := p.Idup()
			_, err = r.Wait(bg)
			ok(t, err)
			s, err := p.Split(bg, 0, 0)
			ok(t, err)
			g, err := p.Create(bg, p.Group())
			ok(t, err)
			m, err := p.CreateGroup(bg, p.Group(), 0)
			ok(t, err)
			return []*rank.Comm{d, e, s, g, m}
		}
		before := children()
		p.SetErrorPolicy(rank.AbortOnError)
		after := append(children(), p.Twin())
		p.SetErrorPolicy(rank.ReturnErrors)
		for _, d := range before {
			if d.ErrorPolicy() != rank.ReturnErrors {
				t.Errorf("%v, made before: policy %v", d, d.ErrorPolicy())
			}
		}
		for _, d := range after {
			if d.ErrorPolicy() != rank.AbortOnError {
				t.Errorf("%v, made after: policy %v", d, d.ErrorPolicy())
			}
			d.SetErrorPolicy(rank.ReturnErrors)
		}
		for _, d := range append(before, after[:5]...) {
			if d.Name() == "parent" {
				t.Errorf("%v has its parent's name", d)
			}
			if _, err := d.DetachBuffer(bg); !errors.Is(err, rank.ErrBuffer) {
				t.Errorf("%v has its parent's buffer: %v", d, err)
			}
			ok(t, d.Free())
		}
	})
}

// Rule 28: Free waits for nobody and ends nothing that has begun: a send that
// nobody has matched yet is delivered, a receive that is posted is met.
func TestRule28FreeLetsOperationsFinish(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		for k, n := range w.sizes() {
			d, err := c.Dup(bg)
			ok(t, err)
			if c.Rank() == 0 {
				// Everyone else has still to send and to receive.
				var rs []rank.Request
				bufs := make([][]byte, w.ranks)
				for r := 1; r < w.ranks; r++ {
					bufs[r] = make([]byte, n)
					rs = append(rs, rank.Issend(d, r, 1, fill(n, 0, k)), rank.Irecv(d, r, 2, bufs[r]))
				}
				ok(t, d.Free())
				if err := rank.Send(bg, d, 1, 1, []byte{1}); !errors.Is(err, rank.ErrFreed) {
					t.Errorf("Send after Free: %v", err)
				}
				if err := d.Free(); !errors.Is(err, rank.ErrFreed) {
					t.Errorf("Free after Free: %v", err)
				}
				barrier(t, c)
				ok(t, rank.WaitAll(bg, rs...))
				for r := 1; r < w.ranks; r++ {
					same(t, bufs[r], fill(n, r, k))
				}
				continue
			}
			barrier(t, c)
			got, _, err := rank.RecvAlloc[byte](bg, d, 0, 1)
			ok(t, err)
			same(t, got, fill(n, 0, k))
			r := rank.Isend(d, 0, 2, fill(n, c.Rank(), k))
			ok(t, d.Disconnect(bg))
			if _, done, err := r.Test(); !done || err != nil {
				t.Errorf("Disconnect returned before the send was over: %v, %v", done, err)
			}
		}
		for _, d := range []*rank.Comm{c, c.Self(), c.Twin()} {
			if err := d.Free(); !errors.Is(err, rank.ErrComm) {
				t.Errorf("Free of %v: %v", d, err)
			}
		}
	})
}

// Rule 28: Disconnect waits for the operations of its rank, or its context.
func TestRule28DisconnectWaits(t *testing.T) {
	for _, w := range protocols {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := rank.Local(2, func(ctx context.Context, c *rank.Comm) error {
				d, err := c.Dup(ctx)
				ok(t, err)
				e, err := c.Dup(ctx)
				ok(t, err)
				if c.Rank() == 1 {
					time.Sleep(time.Hour)
					_, err := rank.Recv(ctx, d, 0, 1, make([]byte, 3*w.eager))
					ok(t, err)
					return errors.Join(d.Free(), e.Free())
				}
				r := rank.Issend(d, 1, 1, make([]byte, 3*w.eager))
				ok(t, d.Disconnect(ctx))
				if waited := time.Since(start); waited != time.Hour {
					t.Errorf("%v: Disconnect waited %v", w, waited)
				}
				_, err = r.Wait(ctx)
				ok(t, err)
				q := rank.Irecv(e, 1, 1, nilBytes)
				short, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				if err := e.Disconnect(short); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: Disconnect with a pending receive: %v", w, err)
				}
				ok(t, q.Cancel())
				return q.Free()
			}, w.options()...)
			if err != nil {
				t.Errorf("%v: %v", w, err)
			}
		})
	}
}

var nilBytes []byte

// Rule 29: a communicator is identical to itself, congruent to one of the same
// ranks in the same order, similar to one in another order, and else unequal.
func TestRule29Compare(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		d, err := c.Dup(bg)
		ok(t, err)
		reversed, err := c.Split(bg, 0, -c.Rank())
		ok(t, err)
		part, err := c.Split(bg, min(c.Rank(), 1), 0)
		ok(t, err)
		for _, test := range []struct {
			a, b        *rank.Comm
			want, group rank.Comparison
		}{
			{c, c, rank.Identical, rank.Identical},
			{c, d, rank.Congruent, rank.Identical},
			{c, c.Twin(), rank.Congruent, rank.Identical},
			{c.Twin(), c.Twin(), rank.Identical, rank.Identical},
			{c, reversed, rank.Similar, rank.Similar},
			{c, part, rank.Unequal, rank.Unequal},
			{c, c.Self(), rank.Unequal, rank.Unequal},
		} {
			if got := test.a.Compare(test.b); got != test.want || test.b.Compare(test.a) != got {
				t.Errorf("%v and %v: %v, want %v", test.a, test.b, got, test.want)
			}
			if got := test.a.Group().Compare(test.b.Group()); got != test.group {
				t.Errorf("groups of %v and %v: %v, want %v", test.a, test.b, got, test.group)
			}
		}
		for k, want := range map[rank.Comparison]string{
			rank.Identical: "identical", rank.Congruent: "congruent", rank.Similar: "similar",
			rank.Unequal: "unequal", 9: "Comparison(9)",
		} {
			if k.String() != want {
				t.Errorf("%d is %q", uint8(k), k)
			}
		}
		for _, e := range []*rank.Comm{d, reversed, part} {
			ok(t, e.Free())
		}
	})
}
