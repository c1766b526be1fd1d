package algo_test

import (
	"math/bits"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// TestALoneRankAtMostCopies: with one rank there is nothing to send or combine.
func TestALoneRankAtMostCopies(t *testing.T) {
	for _, a := range algo.All {
		if !defined(a.Op) {
			continue
		}
		for _, inPlace := range []bool{false, true} {
			c := schedule.Call{Op: a.Op, Size: 1, Count: 100_000, InPlace: inPlace}
			if a.Refuses != nil && a.Refuses(&c) != "" {
				continue
			}
			s := schedule.New(c)
			a.Build(s, &c)
			most := 1
			if inPlace || a.Op == schedule.Bcast || a.Op == schedule.Barrier || a.Op == schedule.ExScan {
				most = 0
			}
			if len(s.Steps) > most || len(s.Steps) == 1 && s.Steps[0].Kind != schedule.Move {
				t.Errorf("%v %s in place %v: %+v, want at most %d copies", a.Op, a.Name, inPlace, s.Steps, most)
			}
		}
	}
}

// longest returns how many messages follow each other on the longest path.
func longest(w *world) int {
	depth := make([][]int, len(w.schedules))
	sent := make(map[message]int)
	next := make([]int, len(w.schedules))
	most := 0
	for moved := true; moved; {
		moved = false
		for r, s := range w.schedules {
			for ; next[r] < len(s.Steps); next[r]++ {
				t, d := &s.Steps[next[r]], 0
				for _, j := range t.After {
					d = max(d, depth[r][j])
				}
				m := messageOf(r, t)
				if t.Kind == schedule.RecvFrom {
					came, ok := sent[m]
					if !ok {
						break
					}
					d = max(d, came+1)
				} else if t.Kind == schedule.SendTo {
					sent[m] = d
				}
				depth[r] = append(depth[r], d)
				most, moved = max(most, d), true
			}
		}
	}
	return most
}

// TestLogarithmicAlgorithmsTakeAsManyStepsAsTheySay: that the values are right does not
// show that nobody waits without need.
func TestLogarithmicAlgorithmsTakeAsManyStepsAsTheySay(t *testing.T) {
	up := func(p int) int { return bits.Len(uint(p - 1)) }
	down := func(p int) int { return bits.Len(uint(p)) - 1 }
	odd := func(p int) int { return up(p) - down(p) } // 1 where p is no power of two
	for _, want := range []struct {
		op   schedule.Operation
		name string
		most func(p int) int
	}{
		{schedule.Barrier, "dissemination", up},
		{schedule.Barrier, "tree", func(p int) int { return 2 * up(p) }},
		{schedule.Bcast, "binomial", up},
		{schedule.Bcast, "scatter-doubling", func(p int) int { return 2*down(p) + odd(p) }},
		{schedule.Bcast, "binary-tree", down},
		{schedule.Bcast, "linear", func(p int) int { return 1 }},
		{schedule.Reduce, "binomial", up},
		{schedule.Reduce, "rabenseifner", func(p int) int { return 2*down(p) + odd(p) }},
		{schedule.Reduce, "pairwise", func(p int) int { return 2 }},
		{schedule.Reduce, "binary-tree", func(p int) int { return up(p) + 1 }},
		{schedule.Reduce, "linear", func(p int) int { return 1 }},
		{schedule.AllReduce, "recursive-doubling", func(p int) int { return down(p) + 2*odd(p) }},
		{schedule.AllReduce, "rabenseifner", func(p int) int { return 2*down(p) + 2*odd(p) }},
		{schedule.AllReduce, "pairwise", func(p int) int { return 2 }},
		{schedule.AllReduce, "reduce-bcast", func(p int) int { return 2 * up(p) }},
		{schedule.ReduceScatter, "recursive-halving", func(p int) int { return down(p) + 1 + odd(p) }},
		{schedule.ReduceScatter, "pairwise", func(p int) int { return 1 }},
		{schedule.Scan, "recursive-doubling", up},
		{schedule.ExScan, "recursive-doubling", up},
	} {
		a, ok := algo.Find(want.op, want.name)
		if !ok {
			t.Errorf("%v has no %s", want.op, want.name)
			continue
		}
		for p := 2; p <= 34; p++ {
			for _, root := range roots(a.Op, p) {
				c := schedule.Call{Op: a.Op, Size: p, Root: root, Count: p}
				if a.Op == schedule.Barrier {
					c.Count = 0
				}
				if got := longest(newWorld(a, c, nil)); got > want.most(p) {
					t.Errorf("%v %s, size %d root %d: %d messages on the longest path, want at most %d",
						a.Op, a.Name, p, root, got, want.most(p))
				}
			}
		}
	}
}
