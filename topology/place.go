package topology

import (
	"cmp"
	"slices"
)

// place returns which rank to put at each place of the grid so that few edges join
// different hosts: hosts has the host of each rank, nil if there is one. Only the first
// ranks are used, as many as there are places. It is never worse than leaving every rank
// where it is, and the same on all ranks, since it depends on nothing else.
//
// Several orders of the places are tried, in which neighbours are near to each other;
// each host takes the next places, as many as it has ranks (Hunold et al. 2020 and Gropp
// 2019 compare such). The one with the fewest edges between hosts is taken.
func (g *grid) place(hosts []int) []int {
	best := straight(g.size)
	if hosts == nil {
		return best
	}
	hosts = hosts[:g.size]
	parts := ranksByHost(hosts)
	least := g.between(hosts, best)
	try := func(order []int) {
		at := make([]int, g.size)
		i := 0
		for _, ranks := range parts {
			// The places of a host are given to its ranks in their order, so that ranks
			// that were neighbours mostly stay so.
			places := slices.Clone(order[i : i+len(ranks)])
			slices.Sort(places)
			for k, p := range places {
				at[p] = ranks[k]
			}
			i += len(ranks)
		}
		if n := g.between(hosts, at); n < least {
			best, least = at, n
		}
	}
	try(straight(g.size))
	g.blockOrders(len(parts[0]), try)
	var sizes []int
	for _, ranks := range parts {
		sizes = append(sizes, len(ranks))
	}
	try(g.bisected(straight(g.size), sizes))
	return best
}

// ranksByHost returns the ranks of each host, hosts by number.
func ranksByHost(hosts []int) [][]int {
	of := make(map[int][]int)
	for r, h := range hosts {
		of[h] = append(of[h], r)
	}
	var numbers []int
	for h := range of {
		numbers = append(numbers, h)
	}
	slices.Sort(numbers)
	var parts [][]int
	for _, h := range numbers {
		parts = append(parts, of[h])
	}
	return parts
}

// blockOrders calls try with the places block by block, for every way to divide the
// grid into equal blocks of n places.
func (g *grid) blockOrders(n int, try func(order []int)) {
	block := make([]int, len(g.dims))
	var choose func(d, left int)
	choose = func(d, left int) {
		if d == len(block) {
			if left == 1 {
				try(g.byBlocks(block))
			}
			return
		}
		for b := 1; b <= min(left, g.dims[d]); b++ {
			if left%b == 0 && g.dims[d]%b == 0 {
				block[d] = b
				choose(d+1, left/b)
			}
		}
	}
	choose(0, n)
}

// byBlocks returns the places in the order of the blocks that they are in, and within
// a block in their own.
func (g *grid) byBlocks(block []int) []int {
	of := make([]int, g.size)
	for p := range of {
		for d, x := range g.coords(p) {
			of[p] = of[p]*(g.dims[d]/block[d]) + x/block[d]
		}
	}
	order := straight(g.size)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(of[a], of[b]) })
	return order
}

// bisected returns places so that the first sizes[0] are near to each other, and so the
// next sizes[1], and so on: hosts are halved and the places with them, across the
// longest side.
func (g *grid) bisected(places, sizes []int) []int {
	if len(sizes) < 2 {
		return places
	}
	d := g.longest(places)
	x := make(map[int]int, len(places))
	for _, p := range places {
		x[p] = g.coords(p)[d]
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	half := len(sizes) / 2
	n := 0
	for _, k := range sizes[:half] {
		n += k
	}
	// Sorted again by place, so that the next cut's ties follow the grid.
	slices.Sort(places[:n])
	slices.Sort(places[n:])
	return append(g.bisected(slices.Clone(places[:n]), sizes[:half]), g.bisected(slices.Clone(places[n:]), sizes[half:])...)
}

// longest returns the dimension in which places reach farthest.
func (g *grid) longest(places []int) int {
	lo, hi := g.coords(places[0]), g.coords(places[0])
	for _, p := range places {
		for d, x := range g.coords(p) {
			lo[d], hi[d] = min(lo[d], x), max(hi[d], x)
		}
	}
	best := 0
	for d := range lo {
		if hi[d]-lo[d] > hi[best]-lo[best] {
			best = d
		}
	}
	return best
}
