package collectives_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// everywhere runs f on p ranks in memory and linked as processes of a host are.
func everywhere(t *testing.T, p int, f func(t *testing.T, c *rank.Comm)) {
	t.Helper()
	ranktest.Run(t, p, f)
	if !testing.Short() {
		ranktest.Run(t, p, f, rank.Over("shm"))
	}
}

// byMessages has a call of op carried out by messages also where the ranks share memory.
func byMessages(op schedule.Operation) collectives.Option {
	return collectives.Using(algo.Of(op)[0].Name)
}

// way is how a call is carried out.
type way struct {
	how  string
	opts []collectives.Option
}

// bothWays has a call of op go through shared memory and by messages.
func bothWays(op schedule.Operation) []way {
	return []way{{"in shared memory", nil}, {"by messages", []collectives.Option{byMessages(op)}}}
}

// equal fails the test unless got is want.
func equal[T comparable](t *testing.T, c *rank.Comm, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s, rank %d of %d: got %.200v, want %.200v", what, c.Rank(), c.Size(), fmt.Sprint(got), fmt.Sprint(want))
	}
}

func ok(t *testing.T, c *rank.Comm, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s, rank %d of %d: %v", what, c.Rank(), c.Size(), err)
	}
}

// Rule 33: calls match in the order in which they were started, blocking and
// nonblocking ones in one order, whatever the order in which they are waited for.
func TestRule33CallsMatchInTheOrderOfTheirStarts(t *testing.T) {
	for _, p := range []int{2, 3, 5} {
		everywhere(t, p, func(t *testing.T, c *rank.Comm) {
			script := rand.New(rand.NewPCG(33, uint64(p)))            // the same on all ranks
			own := rand.New(rand.NewPCG(uint64(c.Rank()), uint64(p))) // not
			var requests []rank.Request
			var got, want [][]int64
			for k := range 60 {
				// All calls have the same arguments, so that only the order tells them apart.
				v := []int64{int64(k) * element(c.Rank(), k)}
				sum := int64(0)
				for r := range p {
					sum += int64(k) * element(r, k)
				}
				if script.IntN(3) == 0 {
					ok(t, c, fmt.Sprint("AllReduce ", k), collectives.AllReduce(t.Context(), c, v, collectives.Sum))
				} else {
					requests = append(requests, collectives.IAllReduce(c, v, collectives.Sum))
				}
				got, want = append(got, v), append(want, []int64{sum})
				if len(requests) > 20 {
					i := own.IntN(len(requests))
					_, err := requests[i].Wait(t.Context())
					ok(t, c, "Wait", err)
					requests = slices.Delete(requests, i, i+1)
				}
			}
			own.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
			ok(t, c, "WaitAll", rank.WaitAll(t.Context(), requests...))
			for k := range got {
				equal(t, c, fmt.Sprint("call ", k), got[k], want[k])
			}
		})
	}
}

// Rule 33: persistent calls match by the order in which they were made, and may be
// started in different orders.
func TestRule33PersistentCallsMatchByTheOrderOfInits(t *testing.T) {
	const calls, rounds = 6, 4
	for _, p := range []int{1, 2, 3, 5} {
		everywhere(t, p, func(t *testing.T, c *rank.Comm) {
			own := rand.New(rand.NewPCG(uint64(c.Rank()), 7))
			src, dst := make([][]int64, calls), make([][]int64, calls)
			ps := make([]*rank.Persistent, calls)
			for k := range ps {
				src[k], dst[k] = make([]int64, 1), make([]int64, 1)
				ps[k] = collectives.AllReduceToInit(c, dst[k], src[k], collectives.Sum)
			}
			for round := range rounds {
				order := own.Perm(calls)
				var requests []rank.Request
				for _, k := range order {
					src[k][0] = int64(1000*k+10*round) + int64(c.Rank())
					q, err := ps[k].Start()
					ok(t, c, "Start", err)
					requests = append(requests, q)
				}
				ok(t, c, "WaitAll", rank.WaitAll(t.Context(), requests...))
				for k := range ps {
					want := int64(p*(1000*k+10*round) + p*(p-1)/2)
					equal(t, c, fmt.Sprintf("round %d, call %d, order %v", round, k, order), dst[k], []int64{want})
				}
			}
		})
	}
}

// Rule 33: a blocking call never matches a nonblocking one.
func TestRule33ABlockingCallDoesNotMatchANonblockingOne(t *testing.T) {
	for _, w := range bothWays(schedule.Bcast) {
		t.Run(w.how, func(t *testing.T) {
			t.Parallel()
			mismatch(t, 3, "", func(ctx context.Context, c *rank.Comm) error {
				buf := make([]int, 4)
				if c.Rank() == 1 {
					_, err := collectives.IBcast(c, 0, buf, byMessages(schedule.Bcast)).Wait(ctx)
					return err
				}
				return collectives.Bcast(ctx, c, 0, buf, w.opts...)
			}, "rank 1 calls IBcast(root 0, 4 of int", " calls Bcast(root 0, 4 of int")
		})
	}
}

// Rule 34: a barrier, of any kind, ends for nobody before all have begun it.
func TestRule34ABarrierWaitsForAll(t *testing.T) {
	for _, p := range []int{2, 3, 6} {
		var entered atomic.Int64 // over all barriers
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			made := collectives.BarrierInit(c)
			kinds := map[string]func() error{
				"Barrier": func() error { return collectives.Barrier(t.Context(), c) },
				"IBarrier": func() error {
					_, err := collectives.IBarrier(c).Wait(t.Context())
					return err
				},
				"BarrierInit": func() error {
					if _, err := made.Start(); err != nil {
						return err
					}
					_, err := made.Wait(t.Context())
					return err
				},
			}
			for _, name := range algorithms(schedule.Barrier, p) {
				kinds["Barrier by "+name] = func() error {
					return collectives.Barrier(t.Context(), c, collectives.Using(name))
				}
			}
			barriers := 0
			for round := range 20 {
				for _, kind := range slices.Sorted(maps.Keys(kinds)) {
					entered.Add(1)
					ok(t, c, kind, kinds[kind]())
					barriers++
					// Who has left is at most one barrier ahead.
					if n := entered.Load(); n < int64(p*barriers) || n > int64(p*barriers+p-1) {
						t.Fatalf("%s, rank %d of %d, round %d: %d entries after %d barriers, want %d or up to %d more", kind, c.Rank(), p, round, n, barriers, p*barriers, p-1)
					}
				}
			}
		})
	}
}
