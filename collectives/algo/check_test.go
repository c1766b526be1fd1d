package algo_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/schedule/scheduletest"
)

// seeds returns the seeds for a call: all kinds of unkindness for a few ranks, one
// kind of them, by turns, for many.
func seeds(size, turn int) []uint64 {
	n := 1
	switch {
	case size <= 5:
		n = 32
	case size <= 12:
		n = 4
	case size > 24 && turn%8 != 0:
		n = 0
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(turn*n + i)
	}
	return list
}

// tried reports whether a root of size tries shape i of n. Root 0 tries all, so
// do the others where ranks are few; where they are many each tries some by turns,
// so that every root is tried and every shape with several roots.
func tried(size, root, i, n int) bool {
	switch {
	case size <= 16 || root == 0:
		return true
	case size <= 32:
		return (root+i)%4 == 0
	}
	return root%n == i
}

// checkSize checks a for size ranks and every root, and returns how many calls
// those were.
func checkSize(a *algo.Algorithm, size int) (calls int, err error) {
	roots := 1
	if a.Op.Rooted() {
		roots = size
	}
	var shape scheduletest.Shape
	root := 0
	var all []*schedule.Schedule
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
		}
		if err != nil {
			err = fmt.Errorf("%v %s: %d ranks, root %d, %s: %w", a.Op, a.Name, size, root, shape.Name, err)
		}
	}()
	for root = range roots {
		shapes := scheduletest.Shapes(a.Op, size, root)
		for i := range shapes {
			shape = shapes[i]
			c := shape.Call(0)
			if !tried(size, root, i, len(shapes)) || a.Refuses != nil && a.Refuses(&c) != "" {
				continue
			}
			all = schedule.All(all, shape.Call, a.Build)
			if err := schedule.Check(all, a.Bracketing, seeds(size, calls)...); err != nil {
				return calls, err
			}
			calls++
		}
	}
	return calls, nil
}

func TestEveryAlgorithmIsRight(t *testing.T) {
	largest := 64
	if testing.Short() || raceEnabled {
		largest = 12
	}
	type job struct{ a, size int }
	jobs := make(chan job)
	calls := make([]atomic.Int64, len(algo.All))
	var crew sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		crew.Go(func() {
			for j := range jobs {
				n, err := checkSize(&algo.All[j.a], j.size)
				if err != nil {
					t.Error(err)
				}
				calls[j.a].Add(int64(n))
			}
		})
	}
	for i := range algo.All {
		for size := largest; size > 0; size-- {
			jobs <- job{i, size}
		}
	}
	close(jobs)
	crew.Wait()
	for i, a := range algo.All {
		if calls[i].Load() == 0 {
			t.Errorf("%v %s: no calls", a.Op, a.Name)
		}
		t.Logf("%v %s: %d calls", a.Op, a.Name, calls[i].Load())
	}
}
