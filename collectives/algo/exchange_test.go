package algo

import (
	"math/bits"
	"testing"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/schedule/scheduletest"
)

// shapes are calls of op by p ranks from or to root: those of scheduletest, and what
// rank by rank is different in them.
func shapes(op schedule.Operation, p, root int) []scheduletest.Shape {
	list := scheduletest.Shapes(op, p, root)
	counts := func(length func(i int) int) (list []int) {
		for i := range p {
			list = append(list, length(i))
		}
		return list
	}
	// From the last rank's block to the first's, with gaps.
	displs := func(counts []int, gap int) []int {
		list, at := make([]int, p), gap
		for r := p - 1; r >= 0; r-- {
			list[r] = at
			at += counts[r] + gap
		}
		return list
	}
	switch op {
	case schedule.AllGather:
		list = append(list, scheduletest.Shape{Name: "holes on every other rank", Call: func(rank int) schedule.Call {
			c := schedule.Call{Op: op, Rank: rank, Size: p}
			c.Of.Counts = counts(func(i int) int { return i * i % 3 })
			if rank%2 == 0 {
				c.Of.Displs = displs(c.Of.Counts, 1+rank%3)
			}
			return c
		}})
	case schedule.Gather, schedule.Scatter:
		list = append(list, scheduletest.Shape{Name: "holes in place", Call: func(rank int) schedule.Call {
			c := schedule.Call{Op: op, Rank: rank, Size: p, Root: root, InPlace: rank == root}
			c.Of.Counts = counts(func(i int) int { return i * i % 3 })
			if rank == root {
				c.Of.Displs = displs(c.Of.Counts, 1)
			}
			return c
		}})
	case schedule.AllToAll:
		for _, gap := range []int{0, 2} {
			list = append(list, scheduletest.Shape{Name: "uneven in place", Call: func(rank int) schedule.Call {
				c := schedule.Call{Op: op, Rank: rank, Size: p, InPlace: true}
				c.To.Counts = counts(func(i int) int { return (i*rank + i + rank) % 4 })
				if gap > 0 {
					c.To.Displs = displs(c.To.Counts, gap)
				}
				c.From = c.To
				return c
			}})
		}
		list = append(list, scheduletest.Shape{Name: "2 in place", Call: func(rank int) schedule.Call {
			return schedule.Call{Op: op, Rank: rank, Size: p, Count: 2, InPlace: true}
		}})
	}
	return list
}

// sizes are the numbers of ranks that are tried.
var sizes = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 31, 32, 33, 64}

// rootsOf returns the roots that are tried.
func rootsOf(op schedule.Operation, p int) []int {
	switch {
	case !op.Rooted():
		return []int{0}
	case p <= 12:
		return upTo(p)
	}
	return []int{0, p / 3, p - 1}
}

// prove checks what a writes for call, if it does not refuse that.
func prove(t *testing.T, a Algorithm, shape scheduletest.Shape, hosts []int, rule Bracketing) error {
	t.Helper()
	call := func(r int) schedule.Call {
		c := shape.Call(r)
		c.Hosts = hosts
		return c
	}
	if c := call(0); a.Refuses != nil && a.Refuses(&c) != "" {
		return nil
	}
	return schedule.Check(schedule.All(nil, call, a.Build), rule, 1)
}

func TestEveryBlockComesToItsPlace(t *testing.T) {
	for _, op := range []schedule.Operation{schedule.Gather, schedule.Scatter, schedule.AllGather, schedule.AllToAll} {
		t.Run(op.String(), func(t *testing.T) {
			t.Parallel()
			for _, p := range sizes {
				for _, root := range rootsOf(op, p) {
					for _, shape := range shapes(op, p, root) {
						for _, a := range Of(op) {
							if err := prove(t, a, shape, nil, a.Bracketing); err != nil {
								t.Fatalf("%s, %d ranks, root %d, %q: %v", a.Name, p, root, shape.Name, err)
							}
						}
					}
				}
			}
		})
	}
}

func TestOddSizesAndCountsAreRefused(t *testing.T) {
	for _, test := range []struct {
		algorithm Algorithm
		call      schedule.Call
		why       string
	}{
		{allGatherNeighbour, schedule.Call{Size: 6}, ""},
		{allGatherNeighbour, schedule.Call{Size: 5}, "needs an even number of ranks"},
		{allToAllBruck, schedule.Call{Size: 3}, ""},
		{allToAllBruck, schedule.Call{Size: 3, From: schedule.Blocks{Counts: []int{1, 1, 1}}}, "needs blocks of one length"},
	} {
		if got := test.algorithm.Refuses(&test.call); got != test.why {
			t.Errorf("%s of %d ranks: %q, want %q", test.algorithm.Name, test.call.Size, got, test.why)
		}
	}
}

// A tree of halves has every rank once, and no more than ⌈log₂ p⌉ edges below its
// root.
func TestHalvesAreATree(t *testing.T) {
	for p := 1; p <= 64; p++ {
		most := 0
		for 1<<most < p {
			most++
		}
		for root := range p {
			for r := range p {
				depth := 0
				for at := r; at != root; depth++ {
					parent, own, _ := halves(p, root, at)
					_, _, siblings := halves(p, root, parent)
					found := false
					for _, b := range siblings {
						found = found || b == own
					}
					if !found || own.rank != at || depth > most {
						t.Fatalf("%d ranks, root %d: rank %d has the run %+v below %d, which has %+v", p, root, at, own, parent, siblings)
					}
					at = parent
				}
				if depth > most {
					t.Fatalf("%d ranks, root %d: rank %d is %d edges below, want at most %d", p, root, r, depth, most)
				}
			}
		}
	}
}

// Values do not show that nobody waits without need: how many messages follow each
// other does.
func TestNoChainOfMessagesIsLongerThanNeeded(t *testing.T) {
	up := func(p int) int { return bits.Len(uint(p - 1)) }
	hostOf := func(r int) int { return r / 5 }
	for _, want := range []struct {
		algorithm Algorithm
		most      func(p int) int
	}{
		{gatherBinomial, up},
		{gatherLinear, func(int) int { return 1 }},
		{gatherTwoLevel, func(p int) int { return 3 + up((p+4)/5) }},
		{scatterBinomial, up},
		{scatterLinear, func(int) int { return 1 }},
		{scatterTwoLevel, func(p int) int { return 3 + up((p+4)/5) }},
		{allGatherRing, func(p int) int { return p - 1 }},
		{allGatherDoubling, func(p int) int { return 2*up(p) - (bits.Len(uint(p)) - 1) }},
		{allGatherBruck, up},
		{allGatherNeighbour, func(p int) int { return p / 2 }},
		{allToAllSpread, func(int) int { return 1 }},
		{allToAllPairwise, func(int) int { return 1 }},
		{allToAllBruck, up},
		{allToAllTwoLevel, func(int) int { return 3 }},
		{barrierTwoLevel, func(p int) int { return 6 + up((p+4)/5) }},
		{bcastTwoLevel, func(p int) int { return 3 + up((p+4)/5) }},
		{reduceTwoLevel, func(p int) int { return 3 + up((p+4)/5) }},
	} {
		a := want.algorithm
		for p := 2; p <= 70; p++ {
			for _, root := range rootsOf(a.Op, p) {
				call := func(r int) schedule.Call {
					c := schedule.Call{Op: a.Op, Rank: r, Size: p, Root: root, Count: 1}
					for r := range p {
						c.Hosts = append(c.Hosts, hostOf(r))
					}
					return c
				}
				if c := call(0); a.Refuses != nil && a.Refuses(&c) != "" {
					continue
				}
				e, err := schedule.Cost(call, a.Build, false, &schedule.Params{}, 1)
				if err != nil || e.Steps > want.most(p) {
					t.Errorf("%v %s, %d ranks, root %d: a chain of %d messages, %v, want at most %d", a.Op, a.Name, p, root, e.Steps, err, want.most(p))
				}
			}
		}
	}
}
