package rank_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 51: each communicator has its policy: errors are returned, or they end
// the job. It is of that communicator and this rank only.
func TestRule51PolicyIsOfTheCommunicator(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for _, abort := range []bool{false, true} {
			err := rank.Local(n, func(ctx context.Context, c *rank.Comm) error {
				d, err := c.Dup(ctx)
				ok(t, err)
				if c.Rank() == n-1 {
					d.SetErrorPolicy(rank.AbortOnError)
					for r := range n - 1 { // all have made d
						_, err := rank.Recv(ctx, c, r, 2, []byte{1})
						ok(t, err)
					}
				} else {
					ok(t, rank.Send(ctx, c, n-1, 2, []byte{1}))
				}
				if err := rank.Send(ctx, c, n, 1, []byte{1}); !errors.Is(err, rank.ErrRank) {
					t.Errorf("on the world: %v", err)
				}
				if c.Rank() < n-1 || abort {
					if err := rank.Send(ctx, d, n, 1, []byte{1}); !errors.Is(err, rank.ErrRank) {
						t.Errorf("on the duplicate: %v", err)
					}
				}
				if !abort {
					return nil
				}
				_, err = rank.Recv(ctx, c, rank.AnySource, 1, []byte{1})
				return err
			})
			if errors.Is(err, rank.ErrAborted) != abort || !abort && err != nil {
				t.Errorf("%d ranks, abort %v: %v", n, abort, err)
			}
			if want := fmt.Sprintf("rank %d: Send to %d, tag 1, on world/dup1", n-1, n); abort && !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("the reason %q is not in %v", want, err)
			}
		}
	}
}

// Rule 52: every error is a *rank.Error with the call and its partners, of a
// class that errors.Is finds.
func TestRule52ErrorsHaveClasses(t *testing.T) {
	type noPointers struct{ P *int }
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		me := c.Rank()
		ended, cancel := context.WithCancel(bg)
		cancel()
		d, err := c.Dup(bg)
		ok(t, err)
		ok(t, d.Free())
		done := rank.Isend(c, rank.Null, 1, []byte{1})
		ok(t, rank.WaitAll(bg, done))
		p := rank.RecvInit(c, me, 99, []byte{1})
		_, err = p.Start()
		ok(t, err)
		second := func(_ any, err error) error { return err }
		third := func(_, _ any, err error) error { return err }
		for i, test := range []struct {
			err   error
			class error
			want  rank.Error // Op, Peer and Tag
		}{
			{rank.Send(bg, c, w.ranks, 1, []byte{1}), rank.ErrRank, rank.Error{Op: "Send", Peer: w.ranks, Tag: 1}},
			{rank.Send(bg, c, rank.AnySource, 1, []byte{1}), rank.ErrRank, rank.Error{Op: "Send", Peer: rank.AnySource, Tag: 1}},
			{rank.Ssend(bg, c, 0, -5, []byte{1}), rank.ErrTag, rank.Error{Op: "Ssend", Peer: 0, Tag: -5}},
			{rank.Send(bg, c, 0, 1, []noPointers{{}}), rank.ErrElement, rank.Error{Op: "Send", Peer: 0, Tag: 1}},
			{rank.Send(bg, c, 0, 1, []string{"a"}), rank.ErrElement, rank.Error{Op: "Send", Peer: 0, Tag: 1}},
			{rank.Send(bg, d, 0, 1, []byte{1}), rank.ErrFreed, rank.Error{Op: "Send", Peer: rank.Null, Tag: rank.AnyTag}},
			{second(rank.Recv(bg, d, 0, 1, []byte{1})), rank.ErrFreed, rank.Error{Op: "Recv", Peer: rank.Null, Tag: rank.AnyTag}},
			{rank.Rsend(bg, c, me, 1, []byte{1}), rank.ErrNotReady, rank.Error{Op: "Rsend", Peer: me, Tag: 1}},
			{rank.Bsend(bg, c, me, 1, []byte{1}), rank.ErrBuffer, rank.Error{Op: "Bsend", Peer: me, Tag: 1}},
			{second(rank.Recv(ended, c, me, 1, []byte{1})), rank.ErrCancelled, rank.Error{Op: "Recv", Peer: me, Tag: 1}},
			{second(rank.Recv(ended, c, rank.AnySource, rank.AnyTag, []byte{1})), context.Canceled, rank.Error{Op: "Recv", Peer: rank.AnySource, Tag: rank.AnyTag}},
			{rank.Ssend(ended, c, me, 1, []byte{1}), rank.ErrCancelled, rank.Error{Op: "Ssend", Peer: me, Tag: 1}},
			{second(rank.Probe(ended, c, me, 1)), rank.ErrCancelled, rank.Error{Op: "Probe", Peer: me, Tag: 1}},
			{second(rank.Mprobe(ended, c, me, 1)), context.Canceled, rank.Error{Op: "Mprobe", Peer: me, Tag: 1}},
			{third(rank.Iprobe(c, -9, 1)), rank.ErrRank, rank.Error{Op: "Iprobe", Peer: -9, Tag: 1}},
			{second(done.Wait(bg)), rank.ErrRequest, rank.Error{Op: "Isend", Peer: rank.Null, Tag: 1}},
			{second(p.Start()), rank.ErrActive, rank.Error{Op: "Start", Peer: me, Tag: 99}},
			{rank.SendObject(bg, c, me, 1, func() {}), rank.ErrCodec, rank.Error{Op: "Send", Peer: me, Tag: 1}},
			{rank.SendObject(bg, c, me, 1, any(1)), rank.ErrCodec, rank.Error{Op: "Send", Peer: me, Tag: 1}},
			{c.AttachBuffer(-1), rank.ErrArgument, rank.Error{Op: "AttachBuffer", Peer: rank.Null, Tag: rank.AnyTag}},
			{c.Free(), rank.ErrComm, rank.Error{Op: "Free", Peer: rank.Null, Tag: rank.AnyTag}},
		} {
			var e *rank.Error
			switch {
			case !errors.Is(test.err, test.class):
				t.Errorf("case %d: %v, want class %v", i, test.err, test.class)
			case !errors.As(test.err, &e):
				t.Errorf("case %d: %T is no *rank.Error", i, test.err)
			case e.Op != test.want.Op || e.Peer != test.want.Peer || e.Tag != test.want.Tag || e.Rank != me:
				t.Errorf("case %d: %+v, want %+v of rank %d", i, *e, test.want, me)
			case !strings.HasPrefix(e.Site, "rule_error_test.go:"):
				t.Errorf("case %d: call site %q", i, e.Site)
			}
		}
		r, err := p.Start()
		if !r.IsNull() || !errors.Is(err, rank.ErrActive) {
			t.Error(err)
		}
		ok(t, rank.Send(bg, c, me, 99, []byte{1}))
		_, err = p.Wait(bg)
		ok(t, err)

		// What the zero values of other types say, without a panic.
		for what, err := range map[string]error{
			"nil communicator":  rank.Send(bg, nil, 0, 1, []byte{1}),
			"zero communicator": rank.Send(bg, new(rank.Comm), 0, 1, []byte{1}),
			"nil message":       second(rank.Mrecv(bg, nil, []byte{1})),
			"zero message":      second(rank.Imrecv(new(rank.Message), []byte{1}).Wait(bg)),
		} {
			if !errors.Is(err, rank.ErrComm) && !errors.Is(err, rank.ErrRequest) && !errors.Is(err, rank.ErrArgument) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// Rule 53: an operation that failed has failed, and nothing else has: after any
// number of errors messages on the same communicators match as ever.
func TestRule53ErrorsLeaveTheRestIntact(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		ended, cancel := context.WithCancel(bg)
		cancel()
		wrong := []func() error{
			func() error { return rank.Send(bg, c, w.ranks, 1, []byte{1}) },
			func() error { _, err := rank.Isend(c, right, -5, []byte{1}).Wait(bg); return err },
			func() error { return rank.Send(bg, c, right, 1, []*int{nil}) },
			func() error { return rank.Ssend(ended, c, right, 96, make([]byte, w.eager+1)) },
			func() error { _, err := rank.Recv(ended, c, left, 95, make([]byte, 1)); return err },
			func() error { _, err := rank.Recv(bg, c, -4, 1, make([]byte, 1)); return err },
			func() error { return rank.Rsend(bg, c, right, 98, []byte{1}) },
			func() error {
				ok(t, rank.Isend(c, right, 97, make([]byte, w.eager)).Free())
				_, err := rank.Recv(bg, c, left, 97, make([]int32, 1))
				return err
			},
			func() error {
				ok(t, rank.Isend(c, right, 97, make([]byte, w.eager+1)).Free())
				_, err := rank.Recv(bg, c, left, 97, make([]byte, w.eager))
				return err
			},
			func() error {
				ok(t, rank.Isend(c, right, 97, make([]byte, w.eager+1)).Free())
				_, _, err := rank.RecvAlloc[float64](bg, c, left, 97)
				return err
			},
			func() error {
				ok(t, rank.IsendObject(c, right, 97, "text").Free())
				_, _, err := rank.RecvObject[map[int]int](bg, c, left, 97)
				return err
			},
			func() error {
				ok(t, rank.IsendObject(c, right, 97, "text", rank.JSON).Free())
				_, _, err := rank.RecvObject[string](bg, c, left, 97)
				return err
			},
			func() error {
				ok(t, rank.Isend(c, right, 97, make([]byte, w.eager)).Free())
				_, _, err := rank.RecvObject[string](bg, c, left, 97)
				return err
			},
		}
		for k, f := range wrong {
			for _, n := range w.sizes() {
				s := rank.Isend(c, right, 1, fill(n, c.Rank(), k))
				if err := f(); err == nil {
					t.Fatalf("mistake %d is none", k)
				}
				got, _, err := rank.RecvAlloc[byte](bg, c, left, 1)
				ok(t, err)
				same(t, got, fill(n, left, k))
				_, err = s.Wait(bg)
				ok(t, err)
			}
		}
		barrier(t, c)
		if st, found, err := rank.Iprobe(c, rank.AnySource, rank.AnyTag); found || err != nil {
			t.Errorf("left over: %+v, %v", st, err)
		}
	})
}
