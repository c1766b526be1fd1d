package rank_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

var errHook = errors.New("the hook fails")

// journal notes which values a key's hooks were called with.
type journal struct {
	deleted []int
	fail    bool // the next Delete hook fails
}

func (j *journal) key() *rank.Key[int] {
	return rank.NewKey(rank.KeyHooks[int]{
		Delete: func(_ *rank.Comm, v int) error {
			if j.fail {
				return errHook
			}
			j.deleted = append(j.deleted, v)
			return nil
		},
	})
}

// Rule 31: a value is deleted when another replaces it, by Delete and by Free,
// each once; what fails to be deleted stays.
func TestRule31DeleteHooksRunOnOverwriteDeleteAndFree(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		d, err := c.Dup(bg)
		ok(t, err)
		var j journal
		k := j.key()
		expect := func(what string, deleted ...int) {
			t.Helper()
			if !slices.Equal(j.deleted, deleted) {
				t.Errorf("%s: deleted %v, want %v", what, j.deleted, deleted)
			}
		}
		if v, has := k.Get(d); has || v != 0 {
			t.Errorf("before Set: %d, %v", v, has)
		}
		ok(t, k.Delete(d))
		ok(t, k.Set(d, 1))
		expect("the first Set")
		ok(t, k.Set(d, 2))
		expect("Set over a value", 1)
		if v, has := k.Get(d); !has || v != 2 {
			t.Errorf("after Set of 2: %d, %v", v, has)
		}
		if _, has := k.Get(c); has {
			t.Error("the parent has its duplicate's value")
		}
		ok(t, k.Delete(d))
		expect("Delete", 1, 2)
		if _, has := k.Get(d); has {
			t.Error("a value after Delete")
		}
		ok(t, k.Set(d, 3))
		j.fail = true
		for what, err := range map[string]error{"Set": k.Set(d, 4), "Delete": k.Delete(d), "Free": d.Free()} {
			if !errors.Is(err, errHook) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s whose hook fails: %v", what, err)
			}
		}
		if v, has := k.Get(d); !has || v != 3 {
			t.Errorf("after calls that failed: %d, %v", v, has)
		}
		ring(t, d) // Free failed, so it is of use
		j.fail = false
		ok(t, d.Free())
		expect("Free", 1, 2, 3)
		if err := k.Set(d, 5); !errors.Is(err, rank.ErrFreed) {
			t.Errorf("Set on a freed communicator: %v", err)
		}
		if err := k.Set(nil, 5); !errors.Is(err, rank.ErrComm) {
			t.Errorf("Set on nil: %v", err)
		}
		if _, has := k.Get(nil); has {
			t.Error("nil has a value")
		}
		expect("all", 1, 2, 3)
	})
}

// Rule 31: Free deletes the last set first. A hook that fails ends it, and Free
// called again goes on where it ended.
func TestRule31FreeDeletesTheLastSetFirst(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		d, err := c.Dup(bg)
		ok(t, err)
		var j journal
		keys := make([]*rank.Key[int], 6)
		for i := range keys {
			keys[i] = j.key()
			ok(t, keys[i].Set(d, i))
		}
		ok(t, keys[1].Set(d, 1)) // is now the last
		j.deleted = nil
		stuck := rank.NewKey(rank.KeyHooks[string]{Delete: func(*rank.Comm, string) error {
			if j.fail {
				return errHook
			}
			return nil
		}})
		ok(t, keys[3].Delete(d))
		ok(t, stuck.Set(d, "stuck"))
		ok(t, keys[3].Set(d, 3))
		j.deleted = nil
		j.fail = true
		if err := d.Free(); !errors.Is(err, errHook) || len(j.deleted) > 0 {
			t.Errorf("Free: %v, deleted %v", err, j.deleted)
		}
		j.fail = false
		ok(t, d.Free())
		if want := []int{3, 1, 5, 4, 2, 0}; !slices.Equal(j.deleted, want) {
			t.Errorf("deleted %v, want %v", j.deleted, want)
		}
	})
}

// Rules 27 and 31: Dup copies what the Copy hook wants copied, as it is when Dup
// or Idup is called; what else is made from a communicator has no attributes. A
// hook that fails on one rank fails the Dup on all, and what others have copied is
// deleted.
func TestRule31DupCopiesAtTheCall(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		var deleted []string
		fail := false
		counter := rank.NewKey(rank.KeyHooks[int]{
			Copy:   func(parent, dup *rank.Comm, v int) (int, bool, error) { return v + 1, true, nil },
			Delete: func(d *rank.Comm, v int) error { deleted = append(deleted, fmt.Sprint(v)); return nil },
		})
		private := rank.NewKey(rank.KeyHooks[string]{
			Copy: func(*rank.Comm, *rank.Comm, string) (string, bool, error) { return "", false, nil },
		})
		plain := new(rank.Key[error]) // no hooks, and a value that is nil
		failing := rank.NewKey(rank.KeyHooks[int]{
			Copy: func(parent, dup *rank.Comm, v int) (int, bool, error) {
				if fail {
					return 0, true, errHook
				}
				if parent == dup || dup.Size() != parent.Size() {
					t.Errorf("parent %v, duplicate %v", parent, dup)
				}
				return v, true, nil
			},
		})
		p, err := c.Dup(bg)
		ok(t, err)
		ok(t, counter.Set(p, 1))
		ok(t, private.Set(p, "secret"))
		ok(t, plain.Set(p, nil))
		ok(t, failing.Set(p, 7))
		if v, has := plain.Get(p); !has || v != nil {
			t.Errorf("a nil value: %v, %v", v, has)
		}

		d, r := p.Idup()
		ok(t, counter.Set(p, 100))
		ok(t, failing.Delete(p))
		_, err = r.Wait(bg)
		ok(t, err)
		if v, has := counter.Get(d); !has || v != 2 {
			t.Errorf("the duplicate has %d, %v, want 2: the value of the time of Idup", v, has)
		}
		if v, has := failing.Get(d); !has || v != 7 {
			t.Errorf("the duplicate has %d, %v, want 7", v, has)
		}
		if _, has := private.Get(d); has {
			t.Error("copied though not kept")
		}
		if _, has := plain.Get(d); has {
			t.Error("copied without a hook")
		}
		e, err := d.Dup(bg)
		ok(t, err)
		if v, _ := counter.Get(e); v != 3 {
			t.Errorf("the duplicate's duplicate has %d, want 3", v)
		}
		s, err := d.Split(bg, 0, 0)
		ok(t, err)
		if _, has := counter.Get(s); has {
			t.Error("Split copies attributes")
		}

		fail, deleted = c.Rank() == 1, nil
		want := rank.ErrMismatch
		if fail {
			want = errHook
		}
		_, r = d.Idup()
		_, ierr := r.Wait(bg)
		_, derr := d.Dup(bg)
		if !errors.Is(ierr, want) || !errors.Is(derr, want) {
			t.Errorf("rank %d: rank 1's hook fails: Idup %v, Dup %v, want %v", c.Rank(), ierr, derr, want)
		}
		if want := []string{"3", "3"}; !slices.Equal(deleted, want) {
			t.Errorf("deleted %v of duplicates that failed, want %v", deleted, want)
		}
		fail, deleted = false, nil
		for _, f := range []*rank.Comm{s, e, d, p} {
			ok(t, f.Free())
		}
		if want := []string{"3", "2", "100"}; !slices.Equal(deleted, want) {
			t.Errorf("deleted %v, want %v", deleted, want)
		}
	})
}

// Rule 31: the attributes of Self are deleted at the very start of Leave, the
// last set first, while everything works. A failing hook fails Leave, and the
// rank is still there.
func TestRule31LeaveBeginsWithSelf(t *testing.T) {
	for _, byHand := range []bool{true, false} {
		const n = 3
		var deleted [n][]int
		err := rank.Local(n, func(ctx context.Context, c *rank.Comm) error {
			me, fail := c.Rank(), byHand
			for i := range 4 {
				ok(t, rank.NewKey(rank.KeyHooks[int]{Delete: func(s *rank.Comm, v int) error {
					if s.Size() != 1 {
						t.Errorf("called with %v", s)
					}
					if v == 1 && fail {
						return errHook
					}
					// All ranks are here, so they can talk.
					in := make([]int, 1)
					_, err := rank.SendRecv(ctx, c, (me+1)%n, 1, []int{v}, (me+n-1)%n, 1, in)
					deleted[me] = append(deleted[me], in[0])
					return err
				}}).Set(c.Self(), i))
			}
			ok(t, rank.NewKey(rank.KeyHooks[int]{Delete: func(*rank.Comm, int) error {
				deleted[me] = append(deleted[me], -1)
				return nil
			}}).Set(c, 0))
			if !byHand {
				return nil // and leaves
			}
			if err := c.Leave(ctx); !errors.Is(err, errHook) || errors.Is(err, rank.ErrLeft) {
				t.Errorf("Leave with a failing hook: %v", err)
			}
			d, err := c.Dup(ctx)
			ok(t, err)
			ok(t, d.Free())
			fail = false
			return c.Leave(ctx)
		})
		if err != nil {
			t.Errorf("by hand %v: %v", byHand, err)
		}
		for r := range deleted {
			if want := []int{3, 2, 1, 0, -1}; !slices.Equal(deleted[r], want) {
				t.Errorf("by hand %v: rank %d deleted %v, want %v", byHand, r, deleted[r], want)
			}
		}
	}
	err := rank.Local(2, func(_ context.Context, c *rank.Comm) error {
		return rank.NewKey(rank.KeyHooks[int]{Delete: func(*rank.Comm, int) error { return errHook }}).Set(c.Self(), 0)
	})
	if !errors.Is(err, errHook) {
		t.Errorf("Local, with a hook that fails: %v", err)
	}
}

// Rule 31: a key that the program has dropped lives as long as a value.
func TestRule31KeysMayBeDroppedInUse(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		d, err := c.Dup(bg)
		ok(t, err)
		var j journal
		ok(t, j.key().Set(d, 1))
		runtime.GC()
		ok(t, j.key().Set(d, 2)) // another key
		ok(t, d.Free())
		if want := []int{2, 1}; !slices.Equal(j.deleted, want) {
			t.Errorf("deleted %v, want %v", j.deleted, want)
		}
	})
}

// A twin has its communicator's attributes, all twins the same.
func TestRule31TwinsShareAttributes(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		var k rank.Key[int]
		ok(t, k.Set(c.Twin(), 1))
		for _, d := range []*rank.Comm{c, c.Twin(), c.Twin().Twin()} {
			if v, has := k.Get(d); !has || v != 1 {
				t.Errorf("%v has %d, %v", d, v, has)
			}
		}
	})
}

// Rule 31, with many goroutines: every value that was set is deleted once, and
// who comes while a hook runs is told.
func TestRule31NoValueIsDeletedTwice(t *testing.T) {
	s := seed(t)
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		const goroutines, calls, keys = 8, 200, 3
		d, err := c.Dup(bg)
		ok(t, err)
		var mu sync.Mutex
		alive := make(map[int]bool)
		ks := make([]*rank.Key[int], keys)
		for i := range ks {
			ks[i] = rank.NewKey(rank.KeyHooks[int]{Delete: func(d *rank.Comm, v int) error {
				runtime.Gosched()
				if err := ks[i].Set(d, -1); !errors.Is(err, rank.ErrConcurrent) {
					t.Errorf("Set within the value's own hook: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if !alive[v] {
					t.Errorf("value %d is deleted twice or before it was set", v)
				}
				delete(alive, v)
				return nil
			}})
		}
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(s, uint64(g)))
				for i := range calls {
					v, k := g*calls+i, ks[rng.IntN(keys)]
					var err error
					if rng.IntN(3) == 0 {
						err = k.Delete(d)
					} else {
						mu.Lock()
						alive[v] = true
						mu.Unlock()
						if err = k.Set(d, v); err != nil {
							mu.Lock()
							delete(alive, v)
							mu.Unlock()
						}
					}
					if err != nil && !errors.Is(err, rank.ErrConcurrent) {
						t.Error(err)
					}
					k.Get(d)
				}
			})
		}
		all.Wait()
		ok(t, d.Free())
		if len(alive) > 0 {
			t.Errorf("never deleted: %v", alive)
		}
	})
}

// Get is on the way of every collective call.
func TestGetDoesNotAllocate(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		k, state := new(rank.Key[*world]), &world{}
		ok(t, k.Set(c, state))
		n := testing.AllocsPerRun(100, func() {
			if v, has := k.Get(c); !has || v != state {
				t.Error("lost")
			}
		})
		if n != 0 {
			t.Errorf("Get allocates %v times", n)
		}
	})
}

func BenchmarkKeyGet(b *testing.B) {
	err := rank.Local(1, func(_ context.Context, c *rank.Comm) error {
		var keys [4]rank.Key[*world]
		for i := range keys {
			if err := keys[i].Set(c, &world{ranks: i}); err != nil {
				return err
			}
		}
		n := 0
		for b.Loop() {
			v, _ := keys[2].Get(c)
			n += v.ranks
		}
		if n != 2*b.N {
			b.Errorf("sum %d of %d", n, b.N)
		}
		return nil
	})
	if err != nil {
		b.Error(err)
	}
}
