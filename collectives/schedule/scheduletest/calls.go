// Package scheduletest has the calls that algorithms are tried on.
package scheduletest

import (
	"fmt"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// Shape is a call as all ranks make it.
type Shape struct {
	Name string // such as "p+1" or "uneven, with holes"
	Call func(rank int) schedule.Call
}

// Shapes returns calls of op by size ranks with root root, which differ in their
// lengths: 0, 1, p−1, p, p+1 and 2p+3 elements; where the operation has blocks, of
// that many elements each, then uneven blocks, some of them empty, and uneven blocks
// with holes between them, not in the order of ranks, then in place; then with the
// ranks on several hosts, in a row or by turns.
func Shapes(op schedule.Operation, size, root int) []Shape {
	var shapes []Shape
	add := func(name string, change func(c *schedule.Call)) {
		shapes = append(shapes, Shape{name, func(rank int) schedule.Call {
			c := schedule.Call{Op: op, Rank: rank, Size: size, Root: root}
			change(&c)
			return c
		}})
	}
	if op == schedule.Barrier {
		add("one host", func(*schedule.Call) {})
		for _, h := range placements(size) {
			add(h.name, func(c *schedule.Call) { c.Hosts = h.hosts })
		}
		return shapes
	}
	seen := map[int]bool{}
	for _, n := range []struct {
		name string
		n    int
	}{{"0", 0}, {"1", 1}, {"p-1", size - 1}, {"p", size}, {"p+1", size + 1}, {"2p+3", 2*size + 3}} {
		if !seen[n.n] {
			seen[n.n] = true
			add(n.name, func(c *schedule.Call) { c.Count = n.n })
		}
	}
	for _, h := range placements(size) {
		add("p+1, "+h.name, func(c *schedule.Call) { c.Count, c.Hosts = size+1, h.hosts })
	}
	if op.Reduces() || op == schedule.AllGather {
		add("p+1 in place", func(c *schedule.Call) { c.Count, c.InPlace = size+1, true })
	}
	if op == schedule.Gather || op == schedule.Scatter {
		add("p+1 in place", func(c *schedule.Call) { c.Count, c.InPlace = size+1, c.Rank == root })
	}
	if op == schedule.Bcast || op.Reduces() && op != schedule.ReduceScatter {
		for _, segment := range []int{1, 3} {
			add(fmt.Sprintf("2p+3 in segments of %d", segment), func(c *schedule.Call) {
				c.Count, c.Segment = 2*size+3, segment
			})
		}
		return shapes
	}
	blocks(op, size, root, add)
	return shapes
}

type placement struct {
	name  string
	hosts []int
}

// placements returns ways to put size ranks on several hosts, if they are several.
func placements(size int) []placement {
	if size == 1 {
		return nil
	}
	twos, fours, threes, turns := make([]int, size), make([]int, size), make([]int, size), make([]int, size)
	for r := range size {
		twos[r], fours[r], threes[r], turns[r] = r/2, r/4, size-r/3, 2-r%3
	}
	return []placement{{"hosts of two", twos}, {"hosts of four", fours}, {"hosts of three", threes}, {"three hosts by turns", turns}}
}

// blocks adds the shapes with uneven blocks.
func blocks(op schedule.Operation, size, root int, add func(string, func(*schedule.Call))) {
	if op == schedule.AllToAll {
		length := func(from, to int) int { return (5*from + 3*to) % 4 }
		counts := func(c *schedule.Call) (from, to []int) {
			for r := range size {
				from = append(from, length(c.Rank, r))
				to = append(to, length(r, c.Rank))
			}
			return from, to
		}
		add("uneven", func(c *schedule.Call) { c.From.Counts, c.To.Counts = counts(c) })
		add("uneven, with holes", func(c *schedule.Call) {
			c.From.Counts, c.To.Counts = counts(c)
			c.From.Displs, c.To.Displs = displs(c.From.Counts, 1), displs(c.To.Counts, 2)
		})
		add("p+1 in place", func(c *schedule.Call) { c.Count, c.InPlace = size+1, true })
		add("uneven, with holes, in place", func(c *schedule.Call) {
			for r := range size {
				c.To.Counts = append(c.To.Counts, (c.Rank+r)%4)
			}
			c.To.Displs = displs(c.To.Counts, 1)
			c.From, c.InPlace = c.To, true
		})
		return
	}
	even, uneven := make([]int, size), make([]int, size)
	for r := range size {
		even[r] = 2
		uneven[r] = (7*r + 3) % 4
	}
	even[size-1] = 0
	add("uneven", func(c *schedule.Call) { c.Of.Counts = uneven })
	add("last is empty", func(c *schedule.Call) { c.Of.Counts = even })
	for _, h := range placements(size) {
		add("uneven, "+h.name, func(c *schedule.Call) { c.Of.Counts, c.Hosts = uneven, h.hosts })
	}
	add("one has all", func(c *schedule.Call) {
		c.Of.Counts = make([]int, size)
		c.Of.Counts[(root+1)%size] = size
	})
	add("uneven, with holes", func(c *schedule.Call) {
		c.Of.Counts = uneven
		if (op != schedule.Gather && op != schedule.Scatter) || c.Rank == root {
			c.Of.Displs = displs(uneven, 1)
		}
	})
	if op == schedule.ReduceScatter || op == schedule.AllGather {
		add("uneven in place", func(c *schedule.Call) { c.Of.Counts, c.InPlace = uneven, true })
		return
	}
	add("uneven in place", func(c *schedule.Call) { c.Of.Counts, c.InPlace = uneven, c.Rank == root })
}

// displs lays blocks out from the last rank's to the first's, gap elements apart.
func displs(counts []int, gap int) []int {
	at := gap
	list := make([]int, len(counts))
	for r := len(counts) - 1; r >= 0; r-- {
		list[r] = at
		at += counts[r] + gap
	}
	return list
}
