package rank_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// scaled returns full if SCALE is set in the environment, and else few.
func scaled(few, full int) int {
	if os.Getenv("SCALE") != "" {
		return full
	}
	return few
}

// heap returns the bytes that the process needs, those of all its ranks.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// expectNoneLeft checks that nothing remains of communicators that were freed, but
// a bounded note.
func expectNoneLeft(t *testing.T, c *rank.Comm) {
	t.Helper()
	barrier(t, c) // behind which all are told that all have freed
	alive, past := rank.Contexts(c)
	if most := 64 * c.Size(); alive != 2 || past > most {
		t.Errorf("rank %d of %d: %d contexts, want 2: the world and self; %d ranges of past ones, want at most %d", c.Rank(), c.Size(), alive, past, most)
	}
}

// Rules 24 and 28: communicators may be made and freed without end, by any pattern of
// groups, used or not, and nothing grows. SCALE=1 makes a million.
func TestRule24SplitAndFreeWithoutEnd(t *testing.T) {
	s := seed(t)
	cycles := scaled(3000, 1_000_000)
	ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
		rng := rand.New(rand.NewPCG(s, 1)) // the same on all ranks
		var before int64
		start := time.Now()
		for k := range cycles {
			if k == cycles/10 && c.Rank() == 0 {
				before = heap() // of the other ranks no more than a cycle's worth comes after
			}
			var colors [4]int
			for r := range colors {
				colors[r] = []int{rank.Undefined, 0, 0, 1}[rng.IntN(4)]
			}
			used := rng.IntN(3) == 0
			d, err := c.Split(bg, colors[c.Rank()], 0)
			ok(t, err)
			if d == nil {
				continue
			}
			if used {
				ring(t, d)
			}
			ok(t, d.Free())
		}
		expectNoneLeft(t, c)
		barrier(t, c)
		if c.Rank() == 0 {
			const slack = 2 << 20
			after := heap()
			if after > before+slack {
				t.Errorf("%d cycles: the heap grew from %d to %d bytes", cycles, before, after)
			}
			t.Logf("%d cycles: %v each, heap %d KiB before and %d KiB after", cycles, time.Since(start)/time.Duration(cycles), before>>10, after>>10)
		}
		barrier(t, c)
	})
}

// Rule 24: as many communicators as there is memory for are alive at once, each
// with a matching space of its own, and when they are freed nothing is left of them.
// SCALE=1 makes 100,000.
func TestRule24ManyAliveAtOnce(t *testing.T) {
	alive := scaled(1000, 100_000)
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		other := 1 - c.Rank()
		before := heap()
		barrier(t, c)
		comms := make([]*rank.Comm, alive)
		start := time.Now()
		for i := range comms {
			var err error
			if i%100 == 99 {
				// Some are intercommunicators of the ranks alone.
				comms[i], err = rank.CreateInter(bg, c.Self(), 0, c, other, rank.Tag(i))
			} else {
				comms[i], err = c.Dup(bg)
			}
			ok(t, err)
		}
		took := time.Since(start)
		barrier(t, c)
		if c.Rank() == 0 {
			t.Logf("%d communicators of 2 ranks: %v and %d bytes each", alive, took/time.Duration(alive), (heap()-before)/int64(alive))
		}
		barrier(t, c)
		var sends []rank.Request
		for i, d := range comms {
			dest := other
			if d.IsInter() {
				dest = 0
			}
			sends = append(sends, rank.Isend(d, dest, 1, []int{i}))
		}
		for i := len(comms) - 1; i >= 0; i-- {
			var in [1]int
			_, err := rank.Recv(bg, comms[i], rank.AnySource, 1, in[:])
			ok(t, err)
			if in[0] != i {
				t.Fatalf("on communicator %d came what was sent on %d", i, in[0])
			}
		}
		ok(t, rank.WaitAll(bg, sends...))
		for _, d := range comms {
			ok(t, d.Free())
		}
		expectNoneLeft(t, c)
	})
}
