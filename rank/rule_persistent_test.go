package rank_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 21: a persistent request is started when it is inactive, again and
// again; what a send's buffer holds is read at Start; it matches plain calls.
func TestRule21PersistentRequestsAreStartedAgain(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		rng := rand.New(rand.NewPCG(s, 21)) // the same on all ranks
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for _, n := range w.edges() {
			out, in := make([]byte, n), make([]byte, n)
			sends := []*rank.Persistent{
				rank.SendInit(c, right, 1, out), rank.SsendInit(c, right, 1, out),
				rank.BsendInit(c, right, 1, out), rank.RsendInit(c, right, 1, out),
			}
			receive := rank.RecvInit(c, left, 1, in)
			for k := range 8 {
				kind := rng.IntN(5)
				if receive.Active() || kind < 4 && sends[kind].Active() {
					t.Fatal("active before Start")
				}
				_, err := receive.Start()
				ok(t, err)
				if _, err := receive.Start(); !errors.Is(err, rank.ErrActive) {
					t.Fatalf("second Start: %v", err)
				}
				if kind == 3 {
					barrier(t, c) // the receive is posted
				}
				copy(out, fill(n, c.Rank(), k))
				if kind == 4 {
					ok(t, rank.Send(bg, c, right, 1, out))
				} else {
					_, err := sends[kind].Start()
					ok(t, err)
					_, err = sends[kind].Wait(bg)
					ok(t, err)
				}
				clear(out)
				st, done := rank.Status{}, false
				for !done {
					if k%2 == 0 {
						st, err = receive.Wait(bg)
						done = true
					} else {
						st, done, err = receive.Test()
					}
					ok(t, err)
				}
				if st.Source != left || st.Bytes != n {
					t.Fatalf("%+v", st)
				}
				same(t, in, fill(n, left, k))
			}
			// A plain receive gets what a persistent send sends.
			copy(out, fill(n, c.Rank(), 99))
			r, err := sends[0].Start()
			ok(t, err)
			_, err = rank.Recv(bg, c, left, 1, in)
			ok(t, err)
			same(t, in, fill(n, left, 99))
			ok(t, rank.WaitAll(bg, r))
			if sends[0].Active() {
				t.Error("active after WaitAll on its request")
			}
		}
	})
}

// Rule 21: arguments are fixed, and judged, at Init. A Start that fails leaves
// the request inactive.
func TestRule21WhatIsWrongIsSaidAtInit(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		buf := []byte{1}
		for what, test := range map[string]struct {
			p    *rank.Persistent
			want error
		}{
			"dest":    {rank.SendInit(c, w.ranks, 1, buf), rank.ErrRank},
			"tag":     {rank.SsendInit(c, 0, -7, buf), rank.ErrTag},
			"element": {rank.RsendInit(c, 0, 1, make([]*int, 1)), rank.ErrElement},
			"source":  {rank.RecvInit(c, -9, 1, buf), rank.ErrRank},
			"buffer":  {rank.BsendInit(c, -9, 1, buf), rank.ErrRank},
		} {
			if err := test.p.Err(); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", what, err, test.want)
			}
			if _, err := test.p.Start(); !errors.Is(err, test.want) {
				t.Errorf("%s: Start: %v, want %v", what, err, test.want)
			}
			if test.p.Active() {
				t.Errorf("%s: active", what)
			}
		}
		// No buffer is attached: what Init could not know, Start says.
		p := rank.BsendInit(c, c.Rank(), 1, buf)
		ok(t, p.Err())
		if _, err := p.Start(); !errors.Is(err, rank.ErrBuffer) || p.Active() {
			t.Errorf("BsendInit without a buffer: %v, active %v", err, p.Active())
		}
		good := rank.SendInit(c, rank.Null, 1, buf)
		rs, err := rank.StartAll(good, p)
		if len(rs) != 1 || !errors.Is(err, rank.ErrBuffer) || !good.Active() {
			t.Errorf("StartAll: %d started, %v", len(rs), err)
		}
		ok(t, rank.WaitAll(bg, rs...))
	})
}
