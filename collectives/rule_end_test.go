package collectives_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// bounded is how long a call may take that would wait for ever if it were wrong.
const bounded = 10 * time.Second

// Two calls at a time on one communicator are an error of the second, also when they are
// the first there.
func TestConcurrentFirstCalls(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		for range 100 {
			d, err := c.Dup(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var calls sync.WaitGroup
			for range 2 {
				calls.Go(func() {
					if err := collectives.Barrier(t.Context(), d); err != nil && !errors.Is(err, rank.ErrConcurrent) {
						t.Errorf("got %v, want none or ErrConcurrent", err)
					}
				})
			}
			calls.Wait()
			if err := d.Free(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A context that ends is told in the same way whatever carries the call out, in the
// first call as in later ones, and ranks that come later do not wait, whether the others
// have freed the communicator or not.
func TestLateRanksDoNotWaitForThoseWhoGaveUp(t *testing.T) {
	for _, algorithm := range []string{"shared-memory", "recursive-doubling"} {
		for _, free := range []bool{false, true} {
			// Messages of calls that were given up stay behind, so this is not ranktest.Run.
			err := rank.Local(3, func(_ context.Context, c *rank.Comm) error {
				if err := collectives.Barrier(t.Context(), c); err != nil {
					return err
				}
				d, err := c.Dup(t.Context())
				if err != nil {
					return err
				}
				call := func(patience time.Duration) error {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					return collectives.AllReduce(ctx, d, []int64{1}, collectives.Sum, collectives.Using(algorithm))
				}
				if c.Rank() == 1 {
					for _, r := range []int{0, 2} {
						if _, err := rank.Recv(t.Context(), c, r, 0, []int{0}); err != nil {
							return err
						}
					}
					// The others may have done their part of the first call.
					if err = call(bounded); err == nil {
						err = call(bounded)
					}
					if !errors.Is(err, collectives.ErrGivenUp) {
						t.Errorf("%s, freed %v, rank 1: got %v, want ErrGivenUp", algorithm, free, err)
					}
				} else {
					err := call(50 * time.Millisecond)
					if !errors.Is(err, collectives.ErrGivenUp) && !(errors.Is(err, rank.ErrCancelled) && errors.Is(err, context.DeadlineExceeded)) {
						t.Errorf("%s, rank %d: got %v, want ErrCancelled with its cause", algorithm, c.Rank(), err)
					}
					if free {
						if err := d.Free(); err != nil {
							t.Error(err)
						}
					}
					if err := rank.Send(t.Context(), c, 1, 0, []int{0}); err != nil {
						t.Error(err)
					}
				}
				return collectives.Barrier(t.Context(), c)
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// Calls under way when their communicator is freed come to their end (MPI 4.1 §7.4.3).
func TestFreeLetsCallsFinish(t *testing.T) {
	for _, over := range []string{"", "shm", "unix"} {
		for _, p := range []int{2, 3, 5} {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				d, err := c.Dup(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				const n, calls = 40000, 3
				var vectors [calls][]int64
				var requests []rank.Request
				for k := range calls {
					vectors[k] = vector(c.Rank(), n+k)
					requests = append(requests, collectives.IAllReduce(d, vectors[k], collectives.Sum))
				}
				if err := d.Free(); err != nil {
					t.Fatal(err)
				}
				if _, err := collectives.IAllReduce(d, vectors[0], collectives.Sum).Wait(t.Context()); !errors.Is(err, rank.ErrFreed) {
					t.Errorf("a call on a freed communicator: got %v, want ErrFreed", err)
				}
				if err := rank.WaitAll(t.Context(), requests...); err != nil {
					t.Fatalf("over %q, rank %d of %d: %v", over, c.Rank(), p, err)
				}
				for k := range calls {
					for i, want := range sumOf(0, p, n+k) {
						if vectors[k][i] != want {
							t.Fatalf("over %q, rank %d of %d, call %d, element %d: got %d, want %d", over, c.Rank(), p, k, i, vectors[k][i], want)
						}
					}
				}
			}, rank.Over(over))
		}
	}
}

// A blocking call that one goroutine makes while another frees the communicator ends:
// well, or with ErrGivenUp if the other ranks have freed it without that call.
func TestFreeUnderABlockingCall(t *testing.T) {
	for _, p := range []int{2, 3} {
		for _, comes := range []bool{true, false} {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				d, err := c.Dup(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), bounded)
				defer cancel()
				if err := collectives.Barrier(ctx, d); err != nil {
					t.Fatal(err)
				}
				waits := make(chan struct{})
				ended := make(chan error, 1)
				if c.Rank() == 0 {
					go func() {
						close(waits)
						ended <- collectives.Barrier(ctx, d)
					}()
					<-waits
					if err := rank.Send(ctx, c, 1%p, 0, []int{0}); err != nil {
						t.Error(err)
					}
					for r := range p - 1 {
						if _, err := rank.Recv(ctx, c, r+1, 1, []int{0}); err != nil {
							t.Error(err)
						}
					}
				} else {
					if comes {
						defer func() {
							if err := collectives.Barrier(ctx, d); err != nil {
								t.Errorf("rank %d of %d: %v", c.Rank(), p, err)
							}
							d.Free()
						}()
					} else {
						d.Free()
					}
					if c.Rank() == 1 {
						if _, err := rank.Recv(ctx, c, 0, 0, []int{0}); err != nil {
							t.Error(err)
						}
					}
					if err := rank.Send(ctx, c, 0, 1, []int{0}); err != nil {
						t.Error(err)
					}
					return
				}
				if err := d.Free(); err != nil {
					t.Error(err)
				}
				switch err := <-ended; {
				case errors.Is(err, rank.ErrFreed): // freed before the call began
				case comes && err != nil, !comes && !errors.Is(err, collectives.ErrGivenUp):
					t.Errorf("%d ranks, others come %v: got %v", p, comes, err)
				}
			})
		}
	}
}

// An element may be so large that a region has no room for one from every rank.
func TestElementsThatFillRegions(t *testing.T) {
	type element [6000]int64
	add := collectives.Each("add", true, func(a, b element) element {
		a[5999] += b[5999]
		return a
	})
	const p = 3
	ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
		ctx, cancel := context.WithTimeout(t.Context(), bounded*slowdown)
		defer cancel()
		src := make([]element, p)
		for to := range src {
			src[to][5999] = int64(10*c.Rank() + to)
		}
		part, err := collectives.ReduceScatterBlock(ctx, c, nil, src, add)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := part[0][5999], int64(30+3*c.Rank()); got != want {
			t.Errorf("ReduceScatterBlock, rank %d of %d: got %d, want %d", c.Rank(), p, got, want)
		}
		all, err := collectives.AllToAll(ctx, c, nil, src)
		if err != nil {
			t.Fatal(err)
		}
		for from := range all {
			if got, want := all[from][5999], int64(10*from+c.Rank()); got != want {
				t.Errorf("AllToAll, rank %d of %d, from %d: got %d, want %d", c.Rank(), p, from, got, want)
			}
		}
	})
}

// Where there are so many ranks that the short calls' regions have no room, calls
// without elements are told apart all the same.
func TestEmptyCallsOfManyRanks(t *testing.T) {
	ranktest.Run(t, 120, func(t *testing.T, c *rank.Comm) {
		for range 20 {
			if err := collectives.Bcast(t.Context(), c, 0, []int{}); err != nil {
				t.Fatal(err)
			}
			if err := collectives.Reduce(t.Context(), c, 0, []int{}, collectives.Sum); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A rank that has done its part and freed the communicator is not taken for one that has
// given up, however long others wait in that call for who comes late.
func TestWhoHasDoneItsPartMayFree(t *testing.T) {
	for _, algorithm := range []string{"shared-memory", "linear"} {
		ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
			d, err := c.Dup(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.Rank() == 2 {
				// Until the root has asked all what they do, twice.
				for range 4 {
					<-time.After(100 * time.Millisecond)
				}
			}
			if _, err := collectives.Gather(t.Context(), d, 1, nil, []int64{1}, collectives.Using(algorithm)); err != nil {
				t.Errorf("%s, rank %d: %v", algorithm, c.Rank(), err)
			}
			if err := d.Free(); err != nil {
				t.Error(err)
			}
		})
	}
}
