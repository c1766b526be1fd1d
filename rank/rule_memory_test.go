package rank_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// contiguous is the view that is all of b.
func contiguous(b []byte) datatype.View[byte] { return datatype.Contiguous(b) }

// Rules 6 and 17: a receive writes into its buffer and nowhere else, from its
// start to its completion and at no other time. Each buffer lies between
// canaries and is overwritten as soon as its request is complete or cancelled;
// the race detector and a last look find writes that come late.
func TestRule17ReceivesWriteTheirBufferOnly(t *testing.T) {
	s := seed(t)
	const margin, rounds = 16, 40
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		rng := rand.New(rand.NewPCG(s, uint64(c.Rank())))
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		go func() {
			// Half of the messages find a receive that was cancelled.
			for k := range rounds {
				if err := rank.Send(bg, c, right, rank.Tag(k), fill(w.sizes()[k%len(w.sizes())], c.Rank(), k)); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		arenas := make([][]byte, rounds)
		for k := range rounds {
			n := w.sizes()[k%len(w.sizes())]
			room := max(0, n-rng.IntN(3)+rng.IntN(3))
			arena := canaries(margin + room + margin)
			arenas[k] = arena
			buf := arena[margin : margin+room]
			for done := false; !done; {
				r := rank.Irecv(c, left, rank.Tag(k), buf)
				if rng.IntN(2) == 0 {
					ok(t, r.Cancel())
				}
				_, err := r.Wait(bg)
				done = !errors.Is(err, rank.ErrCancelled)
				if done && (err == nil) != (n <= room) {
					t.Fatalf("%d bytes into %d: %v", n, room, err)
				}
				got := min(n, room)
				if !done {
					got = 0
				}
				same(t, buf[:got], fill(n, left, k)[:got])
				if !untouched(arena[:margin]) || !untouched(arena[margin+got:]) {
					t.Fatalf("%d bytes into %d, done %v: more than %d bytes were written", n, room, done, got)
				}
				copy(arena, canaries(len(arena)))
			}
		}
		barrier(t, c)
		for k, arena := range arenas {
			if !untouched(arena) {
				t.Errorf("the buffer of message %d was written after its receive was over", k)
			}
		}
	})
}

// Rule 17: a view is written at its elements and nowhere between, whatever the
// protocol and whatever part of it the message fills.
func TestRule17ViewsWriteTheirElementsOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for _, count := range []int{1, 9, w.eager/8 + 1} {
			for _, sent := range []int{0, count / 2 * 2, 2*count - 1, 2 * count} {
				out := make([]uint32, sent)
				for i := range out {
					out[i] = uint32(c.Rank()*1000 + i + 1)
				}
				s := rank.Isend(c, right, 1, out)
				arena := make([]uint32, count*5)
				v := datatype.Vector(arena, count, 2, 5)
				var st rank.Status
				var err error
				if sent%2 == 0 {
					st, err = rank.RecvView(bg, c, left, 1, v)
				} else {
					st, err = rank.IrecvView(c, left, 1, v).Wait(bg)
				}
				ok(t, err)
				if st.Len != sent {
					t.Errorf("%d elements, want %d", st.Len, sent)
				}
				k := 0
				for i, x := range arena {
					want := uint32(0)
					if i%5 < 2 {
						if k < sent {
							want = uint32(left*1000 + k + 1)
						}
						k++
					}
					if x != want {
						t.Fatalf("%d of %d elements: place %d has %d, want %d", sent, 2*count, i, x, want)
					}
				}
				_, err = s.Wait(bg)
				ok(t, err)

				// And from a view: only its elements leave.
				q := rank.IsendView(c, right, 2, v)
				if sent%2 == 1 {
					ok(t, rank.SendView(bg, c, rank.Null, 2, v))
				}
				in, _, err := rank.RecvAlloc[uint32](bg, c, left, 2)
				ok(t, err)
				for i, x := range in {
					want := uint32(0)
					if i < sent {
						want = uint32((left+w.ranks-1)%w.ranks*1000 + i + 1)
					}
					if x != want || len(in) != 2*count {
						t.Fatalf("%d elements, element %d is %d, want %d", len(in), i, x, want)
					}
				}
				_, err = q.Wait(bg)
				ok(t, err)
			}
		}
		twice := datatype.Indexed(make([]byte, 4), datatype.Block{Offset: 0, Len: 2}, datatype.Block{Offset: 1, Len: 2})
		if _, err := rank.RecvView(bg, c, left, 3, twice); !errors.Is(err, rank.ErrArgument) || !errors.Is(err, datatype.ErrOverlap) {
			t.Errorf("a view that names an element twice: %v", err)
		}
	})
}

// Rule 17: when the world ends early, calls that it ends have let go of their
// buffers as well. The race detector watches.
func TestRule17AbortedCallsLetGoOfTheirBuffers(t *testing.T) {
	for _, w := range protocols {
		for round := range 8 {
			const n = 4
			err := rank.Local(n, func(ctx context.Context, c *rank.Comm) error {
				var all sync.WaitGroup
				for k := range 4 {
					right, left := (c.Rank()+1)%n, (c.Rank()+n-1)%n
					all.Go(func() {
						buf := fill(w.sizes()[round%6], 1, 1)
						for rank.Send(ctx, c, right, rank.Tag(k), buf) == nil {
							clear(buf)
						}
						clear(buf)
					})
					all.Go(func() {
						buf := make([]byte, w.sizes()[round%6])
						for k := 0; ; k++ {
							if _, err := rank.Recv(ctx, c, left, rank.AnyTag, buf); err != nil {
								break
							}
							clear(buf)
							if c.Rank() == 0 && k == round*3 {
								c.Abort(1, "enough")
							}
						}
						clear(buf)
					})
				}
				all.Wait()
				return nil
			}, w.options()...)
			if !errors.Is(err, rank.ErrAborted) {
				t.Fatal(err)
			}
		}
	}
}

// A message of no elements, or of elements without size, is a message.
func TestRule12ElementsWithoutSize(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		other := 1 - c.Rank()
		r := rank.Isend(c, other, 1, make([]struct{}, 5))
		st, err := rank.Recv(bg, c, other, 1, make([]struct{}, 9))
		ok(t, err)
		if st.Bytes != 0 || st.Len != 0 || st.Source != other {
			t.Errorf("%+v", st)
		}
		_, err = r.Wait(bg)
		ok(t, err)
	})
}
