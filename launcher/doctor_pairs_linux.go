package launcher

import (
	"fmt"
	"math/rand/v2"
)

// allPairsUpTo is how many hosts are measured pair by pair. Of more a ring is, and for
// each host a way to another one: a switch, a cable or a firewall that is wrong is on some of these.
const allPairsUpTo = 8

// choosePairs chooses which ways between n hosts are measured, each in both directions,
// and says which these are if they are not all.
func choosePairs(n int) (pairs [][2]int, chosen string) {
	if n <= allPairsUpTo {
		for a := range n {
			for b := range n {
				if a != b {
					pairs = append(pairs, [2]int{a, b})
				}
			}
		}
		return pairs, ""
	}
	have := make(map[[2]int]bool)
	add := func(a, b int) {
		for _, p := range [][2]int{{a, b}, {b, a}} {
			if a != b && !have[p] {
				have[p] = true
				pairs = append(pairs, p)
			}
		}
	}
	for a := range n {
		add(a, (a+1)%n)
	}
	for a := range n {
		add(a, (a+2+rand.IntN(n-3))%n)
	}
	return pairs, fmt.Sprintf("%d of the %d ways between %d hosts: each to the next and to a random one, and back", len(pairs), n*(n-1), n)
}

// rounds deals ways into rounds in which no host has two, so that none is measured
// while it has something else to do.
func rounds(ways []*way) (all [][]*way) {
	for len(ways) > 0 {
		busy := make(map[*patient]bool)
		var now, later []*way
		for _, w := range ways {
			if busy[w.from] || busy[w.to] {
				later = append(later, w)
				continue
			}
			busy[w.from], busy[w.to] = true, true
			now = append(now, w)
		}
		all, ways = append(all, now), later
	}
	return all
}
