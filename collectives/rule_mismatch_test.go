package collectives_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// disagreements are calls of rank 1, and of all others, that do not match, and what
// somebody is to be told.
var disagreements = []struct {
	name        string
	op          schedule.Operation
	one, others func(context.Context, *rank.Comm, ...collectives.Option) error
	texts       []string
}{
	{"operation", schedule.Barrier,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.AllReduce(ctx, c, make([]int64, 3), collectives.Sum)
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.Barrier(ctx, c, o...)
		},
		[]string{"rank 1 calls AllReduce(3 of int64, Sum", " calls Barrier("},
	},
	{"root", schedule.Reduce,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.Reduce(ctx, c, 1, make([]int, 1), collectives.Sum, o...)
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.Reduce(ctx, c, 0, make([]int, 1), collectives.Sum, o...)
		},
		[]string{"rank 1 calls Reduce(root 1,", " calls Reduce(root 0,"},
	},
	{"length", schedule.AllReduce,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.AllReduce(ctx, c, make([]int32, 2000), collectives.Sum, o...)
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.AllReduce(ctx, c, make([]int32, 2001), collectives.Sum, o...)
		},
		[]string{"rank 1 calls AllReduce(2000 of int32", " calls AllReduce(2001 of int32"},
	},
	{"length of nothing", schedule.AllGather,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.AllGather(ctx, c, nil, []int32{}, o...)
			return err
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.AllGather(ctx, c, nil, []int32{1}, o...)
			return err
		},
		[]string{"rank 1 calls AllGather(0 of int32", " calls AllGather(1 of int32"},
	},
	{"type", schedule.AllToAll,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.AllToAll(ctx, c, nil, make([]float64, 2*c.Size()), o...)
			return err
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.AllToAll(ctx, c, nil, make([]int64, 2*c.Size()), o...)
			return err
		},
		[]string{"rank 1 calls AllToAll(2 of float64", " calls AllToAll(2 of int64"},
	},
	{"counts", schedule.ReduceScatter,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.ReduceScatter(ctx, c, nil, make([]int, 3), []int{2, 0, 1}, collectives.Sum, o...)
			return err
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.ReduceScatter(ctx, c, nil, make([]int, 3), []int{1, 1, 1}, collectives.Sum, o...)
			return err
		},
		[]string{"rank 1 calls ReduceScatter([2 0 1] of int", " calls ReduceScatter([1 1 1] of int"},
	},
	{"op name", schedule.Scan,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.Scan(ctx, c, make([]uint8, 5), collectives.Max, o...)
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.Scan(ctx, c, make([]uint8, 5), collectives.Min, o...)
		},
		[]string{"rank 1 calls Scan(5 of uint8, Max", " calls Scan(5 of uint8, Min"},
	},
	{"algorithm", schedule.AllReduce,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.AllReduce(ctx, c, make([]int, 5), collectives.Sum, collectives.Using("ring"))
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return collectives.AllReduce(ctx, c, make([]int, 5), collectives.Sum, o...)
		},
		[]string{"rank 1 calls AllReduce(5 of int, Sum, by ring)", " calls AllReduce(5 of int, Sum, by "},
	},
	{"in the background", schedule.AllReduce,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.IAllReduce(c, make([]int, 5), collectives.Sum).Wait(ctx)
			return err
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			_, err := collectives.IAllReduce(c, make([]int, 6), collectives.Sum).Wait(ctx)
			return err
		},
		[]string{"rank 1 calls IAllReduce(5 of int", " calls IAllReduce(6 of int"},
	},
	{"persistent", schedule.AllReduce,
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return startAndWait(ctx, collectives.AllReduceInit(c, make([]int, 5), collectives.Sum))
		},
		func(ctx context.Context, c *rank.Comm, o ...collectives.Option) error {
			return startAndWait(ctx, collectives.AllReduceInit(c, make([]int, 6), collectives.Sum))
		},
		[]string{"rank 1 calls AllReduceInit(5 of int", " calls AllReduceInit(6 of int"},
	},
}

func startAndWait(ctx context.Context, p *rank.Persistent) error {
	if _, err := p.Start(); err != nil {
		return err
	}
	_, err := p.Wait(ctx)
	return err
}

// Rule 35: what the ranks say of a call must agree exactly. If it does not, each is
// told what two of them call, within a second.
func TestRule35CallsThatDoNotMatchAreExplained(t *testing.T) {
	for _, d := range disagreements {
		for _, w := range bothWays(d.op) {
			t.Run(d.name+" "+w.how, func(t *testing.T) {
				t.Parallel()
				mismatch(t, 3, "", func(ctx context.Context, c *rank.Comm) error {
					if c.Rank() == 1 {
						return d.one(ctx, c, w.opts...)
					}
					return d.others(ctx, c, w.opts...)
				}, d.texts...)
			})
		}
	}
}

// Rule 35: the ranks that wait know where they wait.
func TestRule35MismatchesNameCallSites(t *testing.T) {
	for _, w := range bothWays(schedule.AllReduce) {
		t.Run(w.how, func(t *testing.T) {
			t.Parallel()
			mismatch(t, 2, "", func(ctx context.Context, c *rank.Comm) error {
				return collectives.AllReduce(ctx, c, make([]int, 1+c.Rank()), collectives.Sum, w.opts...)
			}, " at rule_mismatch_test.go:")
		})
	}
}

// Rule 35: named types of one kind match.
func TestRule35NamedTypesMatch(t *testing.T) {
	type metres float64
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		for _, w := range bothWays(schedule.Bcast) {
			got := []metres{metres(c.Rank())}
			var err error
			if c.Rank() == 1 {
				err = collectives.Bcast(t.Context(), c, 1, got, w.opts...)
			} else {
				v := []float64{0}
				err = collectives.Bcast(t.Context(), c, 1, v, w.opts...)
				got[0] = metres(v[0])
			}
			ok(t, c, w.how, err)
			equal(t, c, w.how, got, []metres{1})
		}
	})
}

// Rule 77: a second goroutine that makes a call on a communicator while one is under
// way is told so, and the first is not disturbed.
func TestRule77TwoGoroutinesInOneCommunicator(t *testing.T) {
	const p = 2 // so that both combine
	everywhere(t, p, func(t *testing.T, c *rank.Comm) {
		for _, w := range bothWays(schedule.AllReduce) {
			inside, goOn, done := make(chan bool, 10), make(chan bool), make(chan error)
			slow := collectives.Each("slow", true, func(a, b int) int {
				inside <- true
				<-goOn
				return a + b
			})
			v := []int{1}
			go func() { done <- collectives.AllReduce(t.Context(), c, v, slow, w.opts...) }()
			<-inside
			err := collectives.Barrier(t.Context(), c)
			if !errors.Is(err, rank.ErrConcurrent) || !strings.Contains(fmt.Sprint(err), "allreduce") {
				t.Errorf("%s, rank %d of %d: got %v, want ErrConcurrent and allreduce", w.how, c.Rank(), p, err)
			}
			close(goOn)
			ok(t, c, w.how, <-done)
			equal(t, c, w.how, v, []int{p})
			ok(t, c, "Barrier", collectives.Barrier(t.Context(), c))
		}
	})
}

// Rule 36: what a rank sees alone is refused before anything is sent: the next call of all is
// not affected.
func TestRule36BadArgumentsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	everywhere(t, 3, func(t *testing.T, c *rank.Comm) {
		ctx := t.Context()
		v := []int{1, 2, 3}
		for _, root := range []int{-1, 3, 1 << 40} {
			gather := func() error { _, err := collectives.Gather(ctx, c, root, nil, v); return err }
			scatter := func() error { _, err := collectives.Scatter(ctx, c, root, v[:1], v); return err }
			gatherV := func() error {
				_, _, err := collectives.GatherV(ctx, c, root, nil, v, collectives.Blocks{Counts: []int{3, 3, 3}})
				return err
			}
			started := func(q rank.Request) error { _, err := q.Wait(ctx); return err }
			for name, err := range map[string]error{
				"Bcast": collectives.Bcast(ctx, c, root, v), "Reduce": collectives.Reduce(ctx, c, root, v, collectives.Sum),
				"Gather": gather(), "Scatter": scatter(), "GatherV": gatherV(),
				"IBcast": started(collectives.IBcast(c, root, v)), "BcastInit": collectives.BcastInit(c, root, v).Err(),
			} {
				var e *rank.Error
				if !errors.Is(err, rank.ErrRank) || !errors.As(err, &e) || e.Op != name || e.Rank != c.Rank() {
					t.Errorf("%s, rank %d, root %d: got %v, want ErrRank of it", name, c.Rank(), root, err)
				}
			}
		}
		ok(t, c, "Barrier", collectives.Barrier(ctx, c))
	})
}

// Rule 36: what only the root has, others may leave nil or give in any length.
func TestRule36OthersThanTheRootMayGiveAnything(t *testing.T) {
	const p, root = 4, 2
	everywhere(t, p, func(t *testing.T, c *rank.Comm) {
		ctx, me := t.Context(), c.Rank()
		for _, n := range []int{0, 1, 77} {
			for _, w := range bothWays(schedule.Gather) {
				var dst []int64
				if me == 1 {
					dst = []int64{5} // of no use
				}
				got, err := collectives.Gather(ctx, c, root, dst, vector(me, n), w.opts...)
				ok(t, c, "Gather "+w.how, err)
				want := dst
				if me == root {
					want = concat(equalCounts(p, n))
				}
				equal(t, c, "Gather "+w.how, got, want)
			}
			for _, w := range bothWays(schedule.Scatter) {
				src := []int64{1, 2, 3}[:me%3]
				if me == root {
					src = concat(equalCounts(p, n))
				}
				got, err := collectives.Scatter(ctx, c, root, make([]int64, n), src, w.opts...)
				ok(t, c, "Scatter "+w.how, err)
				equal(t, c, "Scatter "+w.how, got, vector(me, n))
			}
			for _, w := range bothWays(schedule.Reduce) {
				dst := []int64{7}[:me%2]
				if me == root {
					dst = make([]int64, n)
				}
				ok(t, c, "ReduceTo "+w.how, collectives.ReduceTo(ctx, c, root, dst, vector(me, n), collectives.Sum, w.opts...))
				if me == root {
					equal(t, c, "ReduceTo "+w.how, dst, sumOf(0, p, n))
				} else if len(dst) > 0 {
					equal(t, c, "ReduceTo "+w.how, dst, []int64{7})
				}
			}
		}
	})
}
