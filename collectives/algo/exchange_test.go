package algo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// A layout is one way in which the blocks of a call lie.
type layout struct {
	name   string
	uneven func(from, to int) int // length of what from has for to; nil: count
	count  int
	holes  bool // the last rank's block first, and gaps between
}

func layouts(p int) []layout {
	return []layout{
		{name: "none", count: 0},
		{name: "one", count: 1},
		{name: "p−1", count: p - 1},
		{name: "p", count: p},
		{name: "p+1", count: p + 1},
		{name: "2p+3", count: 2*p + 3},
		{name: "holes", count: 3, holes: true},
		{name: "uneven", uneven: func(from, to int) int { return 1 + (5*from+3*to)%4 }},
		{name: "zeros", uneven: func(from, to int) int { return (from + to) % 3 / 2 * 2 }, holes: true},
		{name: "one rank's", uneven: func(from, to int) int { return (from + 1) / p * (1 + to%5) }},
	}
}

// length returns how long the block is that rank from has for to. In place it is
// as long the other way.
func (l *layout) length(c *schedule.Call, from, to int) int {
	switch {
	case l.uneven == nil:
		return l.count
	case c.Op == schedule.AllToAll && c.InPlace:
		return l.uneven(min(from, to), max(from, to))
	}
	return l.uneven(from, to)
}

// blocks returns blocks of these lengths and how long a buffer they need.
func (l *layout) blocks(holes bool, lengths []int) (b schedule.Blocks, size int) {
	if l.uneven != nil {
		b.Counts = lengths
	}
	if !holes {
		for _, n := range lengths {
			size += n
		}
		return b, size
	}
	b.Displs = make([]int, len(lengths))
	for r, n := range slices.Backward(lengths) {
		b.Displs[r] = size + 1
		size += 1 + n
	}
	return b, size + 1
}

// value is the k-th element that rank from has for rank to.
func value(from, to, k int) int { return from*1e6 + to*1e3 + k + 1 }

// fill writes to the span what from has for to.
func (m *memory) fill(s schedule.Span, from, to int) {
	for k := range m.at(s) {
		m.at(s)[k] = value(from, to, k)
	}
}

// exchange returns what each rank calls op with, what its buffers hold before, and
// what they hold after by op's definition. Displacements differ between ranks and
// are there on those alone that use them.
func exchange(op schedule.Operation, p, root int, l layout, inPlace bool) (calls []schedule.Call, before, after []memory) {
	calls, before, after = make([]schedule.Call, p), make([]memory, p), make([]memory, p)
	for r := range p {
		c := &calls[r]
		*c = schedule.Call{Op: op, Rank: r, Size: p, Root: root, Count: l.count, InPlace: inPlace}
		of, from, to := make([]int, p), make([]int, p), make([]int, p)
		for i := range p {
			of[i], from[i], to[i] = l.length(c, i, 0), l.length(c, r, i), l.length(c, i, r)
		}
		mine, buffer := of[r], 0
		switch op {
		case schedule.AllToAll:
			c.From, mine = l.blocks(l.holes && r%3 > 0, from)
			c.To, buffer = l.blocks(l.holes && r%2 == 0, to)
			if inPlace {
				c.From = schedule.Blocks{}
			}
		case schedule.AllGather:
			c.Of, buffer = l.blocks(l.holes && r%2 == 0, of)
		default:
			c.Of, buffer = l.blocks(l.holes && r == root, of)
			if r != root {
				buffer = 0
			}
		}
		in, out := mine, buffer
		if op == schedule.Scatter {
			in, out = buffer, mine
		}
		if inPlace && (!op.Rooted() || r == root) {
			in, out = 0, buffer
		}
		before[r][schedule.In] = slices.Repeat([]int{-3}, in)
		before[r][schedule.Out] = slices.Repeat([]int{-1}, out)
	}
	for r := range p {
		c, m := &calls[r], &before[r]
		switch {
		case op == schedule.AllToAll:
			for i := range p {
				m.fill(fromBlock(c, i), r, i)
			}
		case op == schedule.Scatter && r == root:
			for i := range p {
				m.fill(c.Block(i), i, 0)
			}
		case op != schedule.Scatter:
			m.fill(c.Input(), r, 0)
		}
		for b := range m {
			after[r][b] = slices.Clone(m[b])
		}
		m = &after[r]
		switch {
		case op == schedule.AllToAll:
			for i := range p {
				m.fill(c.ToBlock(i), i, r)
			}
		case op == schedule.Scatter:
			m.fill(c.Output(), r, 0)
		case op == schedule.AllGather || r == root:
			for i := range p {
				m.fill(c.Block(i), i, 0)
			}
		}
	}
	return calls, before, after
}

// exchanges are the operations that move blocks and combine nothing.
var exchanges = []schedule.Operation{schedule.Gather, schedule.Scatter, schedule.AllGather, schedule.AllToAll}

// placementsFor returns host maps that tell calls of a apart.
func placementsFor(a Algorithm, p int) [][]int {
	if a.Refuses == nil || a.Refuses(&schedule.Call{Op: a.Op, Size: p, Hosts: make([]int, p)}) == "" {
		return [][]int{nil}
	}
	fours, dealt, uneven := make([]int, p), make([]int, p), make([]int, p)
	for r := range p {
		fours[r], dealt[r], uneven[r] = r/4, 7-r%3, r*r/(2*p)
	}
	return [][]int{fours, dealt, uneven}
}

func TestEveryBlockComesToItsPlace(t *testing.T) {
	sizes := []int{31, 32, 33, 63, 64}
	for p := 20; p > 0; p-- {
		sizes = append(sizes, p)
	}
	for _, op := range exchanges {
		t.Run(op.String(), func(t *testing.T) {
			t.Parallel()
			for _, p := range sizes {
				for root := range p {
					if root > 0 && (!op.Rooted() || p > 20 && root != p/3 && root < p-1) {
						continue
					}
					for _, l := range layouts(p) {
						if l.count > 3 && p > 20 {
							continue
						}
						for _, inPlace := range []bool{false, true} {
							calls, before, after := exchange(op, p, root, l, inPlace)
							for _, a := range Of(op) {
								for _, hosts := range placementsFor(a, p) {
									for r := range calls {
										calls[r].Hosts = hosts
									}
									if err := carryOut(a, calls, before, after); err != nil {
										t.Fatalf("%s %s, %d ranks, root %d, blocks %q, in place %t, hosts %v: %v", op, a.Name, p, root, l.name, inPlace, hosts, err)
									}
								}
							}
						}
					}
				}
			}
		})
	}
}

// carryOut runs a on copies of before, in the order written down and in another
// one, and returns how the buffers differ from after.
func carryOut(a Algorithm, calls []schedule.Call, before, after []memory) error {
	if a.Refuses != nil && a.Refuses(&calls[0]) != "" {
		return nil
	}
	list := make([]*schedule.Schedule, len(calls))
	for r := range calls {
		list[r] = schedule.New(calls[r])
		a.Build(list[r], &calls[r])
	}
	for seed := range uint64(2) {
		var shuffle *rand.Rand
		if seed > 0 {
			shuffle = rand.New(rand.NewPCG(seed, uint64(len(calls))))
		}
		got := make([]memory, len(before))
		for r := range got {
			for b := range got[r] {
				got[r][b] = slices.Clone(before[r][b])
			}
		}
		if err := interpret(list, got, shuffle); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		for r := range got {
			for b := schedule.In; b <= schedule.Out; b++ {
				if !slices.Equal(got[r][b], after[r][b]) {
					return fmt.Errorf("seed %d: %s of rank %d is\n%v, want\n%v", seed, b, r, got[r][b], after[r][b])
				}
			}
		}
	}
	return nil
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
