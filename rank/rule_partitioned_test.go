package rank_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 20: the two sides may cut the message differently; partitions are handed
// over by any goroutine in any order, each once in a round, and are seen to
// arrive before the round ends.
func TestRule20PartitionsInAnyOrderFromAnyGoroutine(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		rng := rand.New(rand.NewPCG(s, uint64(c.Rank())))
		cuts := []int{1, 2, 3, 4, 6, 12}
		for _, size := range []int{12, 12 * max(1, w.eager/6)} {
			// Both ends of each link know both cuts.
			cut := func(r int) (out, in int) { return cuts[(r+size)%6], cuts[(r*r+1)%6] }
			parts, _ := cut(c.Rank())
			_, mine := cut(left)
			out, in := make([]byte, size), make([]byte, size)
			ps, pr := rank.PsendInit(c, parts, out, right, 3), rank.PrecvInit(c, mine, in, left, 3)
			for k := range 6 {
				if there, err := pr.Arrived(mine - 1); !there || err != nil {
					t.Fatalf("Arrived outside a round: %v, %v", there, err)
				}
				copy(out, fill(size, c.Rank(), k))
				ok(t, pr.Start())
				ok(t, ps.Start())
				order := rng.Perm(parts)
				var handing sync.WaitGroup
				for _, i := range order {
					handing.Go(func() {
						if err := ps.Ready(i); err != nil {
							t.Error(err)
						}
					})
				}
				handing.Wait()
				if err := ps.Ready(order[0]); !errors.Is(err, rank.ErrArgument) {
					t.Errorf("Ready twice: %v", err)
				}
				want := fill(size, left, k)
				for _, i := range rng.Perm(mine) {
					for there := false; !there; runtime.Gosched() {
						var err error
						there, err = pr.Arrived(i)
						ok(t, err)
					}
					lo, hi := i*size/mine, (i+1)*size/mine
					same(t, in[lo:hi], want[lo:hi])
				}
				st, err := pr.Wait(bg)
				ok(t, err)
				if st.Source != left || st.Tag != 3 || st.Bytes != size {
					t.Errorf("%+v", st)
				}
				same(t, in, want)
				_, err = ps.Wait(bg)
				ok(t, err)
				clear(out)
			}
			ok(t, ps.Free())
			ok(t, pr.Free())
		}
	})
}

// Rule 20: partitioned calls match each other in the order of their Init calls,
// and nothing else: neither plain messages nor plain receives.
func TestRule20MatchedInOrderOfInit(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		const pairs = 4
		plain := make([]byte, 4)
		r := rank.Irecv(c, rank.AnySource, rank.AnyTag, plain)
		var out [pairs]*rank.PartitionedSend
		var in [pairs]*rank.PartitionedRecv
		var bufs [pairs][]byte
		for k := range pairs {
			bufs[k] = make([]byte, 4)
			in[k] = rank.PrecvInit(c, 2, bufs[k], left, 3)
			out[k] = rank.PsendInit(c, 4, fill(4, c.Rank(), k), right, 3)
		}
		barrier(t, c) // all setups are here
		if st, found, err := rank.Iprobe(c, rank.AnySource, rank.AnyTag); found || err != nil {
			t.Errorf("a probe finds %+v, %v", st, err)
		}
		// Started in another order than made.
		for k := range pairs {
			ok(t, in[(k+1)%pairs].Start())
			ok(t, out[pairs-1-k].Start())
			ok(t, out[pairs-1-k].ReadyRange(0, 3))
		}
		for k := range pairs {
			_, err := in[k].Wait(bg)
			ok(t, err)
			same(t, bufs[k], fill(4, left, k))
			_, err = out[k].Wait(bg)
			ok(t, err)
		}
		if _, done, _ := r.Peek(); done {
			t.Error("a plain receive got partitioned traffic")
		}
		barrier(t, c)
		ok(t, rank.Send(bg, c, right, 3, fill(4, c.Rank(), 9)))
		_, err := r.Wait(bg)
		ok(t, err)
		same(t, plain, fill(4, left, 9))
	})
}

// Rule 20: freeing a receive that was never started leaves nothing behind that
// could catch what a later one is meant to get.
func TestRule20FreedSetupsCatchNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for range 3 {
			ok(t, rank.PrecvInit(c, 1, make([]byte, 4), left, 3).Free())
		}
		barrier(t, c)
		buf := make([]byte, 4)
		pr, ps := rank.PrecvInit(c, 1, buf, left, 3), rank.PsendInit(c, 1, fill(4, c.Rank(), 0), right, 3)
		ok(t, pr.Start())
		ok(t, ps.Start())
		ok(t, ps.Ready(0))
		_, err := pr.Wait(bg)
		ok(t, err)
		_, err = ps.Wait(bg)
		ok(t, err)
		same(t, buf, fill(4, left, 0))
		ok(t, pr.Free())
		ok(t, ps.Free())
		if err := pr.Start(); !errors.Is(err, rank.ErrRequest) {
			t.Errorf("Start after Free: %v", err)
		}
		if err := ps.Start(); !errors.Is(err, rank.ErrRequest) {
			t.Errorf("Start after Free: %v", err)
		}
	})
}

// Rule 20: there are no wildcards, and what cannot be is an error at the call
// that asks for it.
func TestRule20MisusedPartitions(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		me := c.Rank()
		buf := make([]byte, 12)
		for what, test := range map[string]struct{ err, want error }{
			"any source":       {rank.PrecvInit(c, 1, buf, rank.AnySource, 1).Err(), rank.ErrArgument},
			"any tag":          {rank.PrecvInit(c, 1, buf, 0, rank.AnyTag).Err(), rank.ErrArgument},
			"send to any":      {rank.PsendInit(c, 1, buf, rank.AnySource, 1).Err(), rank.ErrRank},
			"send any tag":     {rank.PsendInit(c, 1, buf, 0, rank.AnyTag).Err(), rank.ErrTag},
			"no partitions":    {rank.PsendInit(c, 0, buf, 0, 1).Err(), rank.ErrArgument},
			"uneven send":      {rank.PsendInit(c, 5, buf, 0, 1).Err(), rank.ErrArgument},
			"uneven receive":   {rank.PrecvInit(c, 5, buf, 0, 1).Err(), rank.ErrArgument},
			"pointers":         {rank.PsendInit(c, 1, make([]*int, 1), 0, 1).Err(), rank.ErrElement},
			"start of a wrong": {rank.PsendInit(c, 0, buf, 0, 1).Start(), rank.ErrArgument},
		} {
			if !errors.Is(test.err, test.want) {
				t.Errorf("%s: %v, want %v", what, test.err, test.want)
			}
		}
		s, r := rank.PsendInit(c, 3, buf, me, 1), rank.PrecvInit(c, 2, make([]byte, 12), me, 1)
		ok(t, r.Start())
		if err := r.Start(); !errors.Is(err, rank.ErrActive) {
			t.Errorf("second Start: %v", err)
		}
		if err := r.Free(); !errors.Is(err, rank.ErrActive) {
			t.Errorf("Free in a round: %v", err)
		}
		if err := s.Ready(0); !errors.Is(err, rank.ErrInactive) {
			t.Errorf("Ready outside a round: %v", err)
		}
		ok(t, s.Start())
		if err := s.Start(); !errors.Is(err, rank.ErrActive) {
			t.Errorf("second Start: %v", err)
		}
		if err := s.Free(); !errors.Is(err, rank.ErrActive) {
			t.Errorf("Free in a round: %v", err)
		}
		if err := s.Ready(3); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("Ready(3): %v", err)
		}
		if _, err := r.Arrived(2); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("Arrived(2): %v", err)
		}
		if there, err := r.Arrived(0); there || err != nil {
			t.Errorf("Arrived before Ready: %v, %v", there, err)
		}
		if _, err := s.Wait(bg); !errors.Is(err, rank.ErrPending) {
			t.Errorf("Wait before all is ready: %v", err)
		}
		ok(t, s.Ready(2, 0, 1))
		_, err := s.Wait(bg)
		ok(t, err)
		_, err = r.Wait(bg)
		ok(t, err)

		// Other totals on the two sides.
		s, r = rank.PsendInit(c, 3, buf, me, 1), rank.PrecvInit(c, 2, make([]byte, 10), me, 1)
		ok(t, r.Start())
		if _, err := r.Wait(bg); !errors.Is(err, rank.ErrMismatch) {
			t.Errorf("12 bytes into 10: %v", err)
		}
		ok(t, s.Free())
	})
}
