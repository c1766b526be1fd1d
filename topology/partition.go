package topology

import "slices"

// load is a graph as its placing sees it: link i has the places that i exchanges
// messages with, in either direction, and how much.
type load [][]link

type link struct{ to, weight int }

// weighted returns the load of a graph whose edges weigh 1.
func weighted(neighbors [][]int) load {
	l := make(load, len(neighbors))
	for i, list := range neighbors {
		for _, j := range list {
			l.add(i, j, 1)
		}
	}
	return l
}

// add adds an edge between i and j, which each of them knows; self edges cost nothing.
func (l load) add(i, j, weight int) {
	if i != j {
		l[i] = append(l[i], link{j, weight})
		l[j] = append(l[j], link{i, weight})
	}
}

// between returns the weight of the edges between different hosts where place i has
// rank at[i], which is on host hosts[at[i]].
func (l load) between(hosts, at []int) (n int) {
	if hosts == nil {
		return 0
	}
	for i, links := range l {
		for _, k := range links {
			if i < k.to && hosts[at[i]] != hosts[at[k.to]] {
				n += k.weight
			}
		}
	}
	return n
}

// place returns which rank to put at each place, as grid.place does, for a graph. It
// grows the part of one host after the other, by the place most bound to it, and then
// swaps places between hosts for as long as that helps (Kernighan and Lin 1970, one swap
// at a time); it begins once with that and once with every rank where it is.
func (l load) place(hosts []int) []int {
	n := len(l)
	best := straight(n)
	if hosts == nil || n == 0 {
		return best
	}
	hosts = hosts[:n]
	parts := ranksByHost(hosts)
	least := l.between(hosts, best)
	for _, of := range [][]int{l.grown(parts), l.stayed(parts)} {
		l.swap(of, len(parts))
		at := make([]int, n)
		next := make([]int, len(parts))
		for i, p := range of {
			at[i] = parts[p][next[p]]
			next[p]++
		}
		if k := l.between(hosts, at); k < least {
			best, least = at, k
		}
	}
	return best
}

// stayed returns the part that each place is in where no rank moves.
func (l load) stayed(parts [][]int) []int {
	of := make([]int, len(l))
	for p, ranks := range parts {
		for _, r := range ranks {
			of[r] = p
		}
	}
	return of
}

// grown returns a part for each place, as many places for each as it has ranks.
func (l load) grown(parts [][]int) []int {
	of := slices.Repeat([]int{-1}, len(l))
	for p, ranks := range parts {
		bound := make([]int, len(l)) // to the part that grows
		for range ranks {
			best := -1
			for i := range of {
				if of[i] < 0 && (best < 0 || bound[i] > bound[best]) {
					best = i
				}
			}
			of[best] = p
			for _, k := range l[best] {
				bound[k.to] += k.weight
			}
		}
	}
	return of
}

// What swap does at most: so many swaps for each place, and so many pairs of places
// looked at, which take some tenths of a second.
const (
	maxSwaps = 4
	maxPairs = 1 << 27
)

// swap exchanges the parts of two places where that lowers the weight between parts.
func (l load) swap(of []int, parts int) {
	bound := make([][]int, len(l)) // of a place to each part
	for i, links := range l {
		bound[i] = make([]int, parts)
		for _, k := range links {
			bound[i][of[k.to]] += k.weight
		}
	}
	n := max(1, len(l))
	for range min(maxSwaps*n, maxPairs/n/n) {
		a, b, most := -1, -1, 0
		for i := range of {
			for j := range i {
				if of[i] == of[j] {
					continue
				}
				gain := bound[i][of[j]] - bound[i][of[i]] + bound[j][of[i]] - bound[j][of[j]]
				if gain <= most {
					continue // what i and j have between them stays, and only lowers it
				}
				if gain -= 2 * l.joining(i, j); gain > most {
					a, b, most = i, j, gain
				}
			}
		}
		if a < 0 {
			return
		}
		for _, s := range [][2]int{{a, of[b]}, {b, of[a]}} {
			for _, k := range l[s[0]] {
				bound[k.to][of[s[0]]] -= k.weight
				bound[k.to][s[1]] += k.weight
			}
		}
		of[a], of[b] = of[b], of[a]
	}
}

// joining returns the weight between i and j.
func (l load) joining(i, j int) (n int) {
	for _, k := range l[i] {
		if k.to == j {
			n += k.weight
		}
	}
	return n
}
