package algo

import (
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// hosts is how the ranks of a call are placed. Two-level algorithms go through one
// rank of each host, its leader: the root on its own host, so that nothing takes
// another hop to get to it or from it, elsewhere the lowest rank.
type hosts struct {
	c       *schedule.Call
	ranks   [][]int // of each host, ascending; the hosts by their lowest ranks
	leaders []int   // of each host
	mine    int     // the host of this rank
	root    int     // the host of the root
}

// hostsOf returns how the ranks of c are placed.
func hostsOf(c *schedule.Call) hosts {
	h := hosts{c: c, ranks: ranksByHost(c)}
	for i, ranks := range h.ranks {
		lead := ranks[0]
		if _, here := slices.BinarySearch(ranks, c.Root); here && c.Op.Rooted() {
			lead, h.root = c.Root, i
		}
		if _, here := slices.BinarySearch(ranks, c.Rank); here {
			h.mine = i
		}
		h.leaders = append(h.leaders, lead)
	}
	return h
}

// ranksByHost returns the ranks of each host, ascending, the hosts by their lowest
// ranks.
func ranksByHost(c *schedule.Call) (list [][]int) {
	if c.Hosts == nil {
		return [][]int{upTo(c.Size)}
	}
	number := make(map[int]int)
	for r := range c.Size {
		i, ok := number[c.Hosts[r]]
		if !ok {
			i = len(list)
			number[c.Hosts[r]] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], r)
	}
	return list
}

// upTo returns 0 to n−1.
func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// leads reports whether this rank is the leader of its host.
func (h *hosts) leads() bool { return h.leaders[h.mine] == h.c.Rank }

// inside has build write steps for the group of this host's ranks. Their root is
// the leader. Of the call only what holds for a vector is kept.
func (h *hosts) inside(s *schedule.Schedule, build func(c *schedule.Call)) {
	h.among(s, h.ranks[h.mine], h.leaders[h.mine], build)
}

// across has build write steps for the group of the leaders; nothing is written for
// other ranks. Their root is the leader of the root's host.
func (h *hosts) across(s *schedule.Schedule, build func(c *schedule.Call)) {
	if h.leads() {
		h.among(s, h.leaders, h.leaders[h.root], build)
	}
}

// alike has build write steps for the group of those who have the number among the
// ranks of their host that this rank has in its own, which must be there on every
// host.
func (h *hosts) alike(s *schedule.Schedule, build func(c *schedule.Call)) {
	k := slices.Index(h.ranks[h.mine], h.c.Rank)
	var lane []int
	for _, ranks := range h.ranks {
		lane = append(lane, ranks[k])
	}
	h.among(s, lane, lane[0], build)
}

// among has build write steps for the group of ranks, with its own numbers.
func (h *hosts) among(s *schedule.Schedule, ranks []int, root int, build func(c *schedule.Call)) {
	group := schedule.Call{
		Op: h.c.Op, Size: len(ranks), Rank: slices.Index(ranks, h.c.Rank), Root: slices.Index(ranks, root),
		Count: h.c.Count, InPlace: h.c.InPlace, Segment: h.c.Segment,
	}
	s.Among(ranks, func() { build(&group) })
}

// inOrder returns all ranks, host by host.
func (h *hosts) inOrder() []int { return slices.Concat(h.ranks...) }

// start returns how many ranks are on the hosts before host i.
func (h *hosts) start(i int) (n int) {
	for _, ranks := range h.ranks[:i] {
		n += len(ranks)
	}
	return n
}

// needsTwoLevels refuses where there is nothing to gain by going through leaders.
func needsTwoLevels(c *schedule.Call) string {
	if n := len(ranksByHost(c)); n == 1 || n == c.Size {
		return "needs several hosts, and several ranks on one of them"
	}
	return ""
}

// needsHostsInRows refuses hosts whose ranks do not follow each other.
func needsHostsInRows(c *schedule.Call) string {
	if why := needsTwoLevels(c); why != "" {
		return why
	}
	for _, ranks := range ranksByHost(c) {
		if ranks[len(ranks)-1]-ranks[0] != len(ranks)-1 {
			return "needs hosts whose ranks follow each other"
		}
	}
	return ""
}

// needsHostsAligned refuses hosts that are not subtrees of the canonical brackets, or
// that do not hang together as they do.
func needsHostsAligned(c *schedule.Call) string {
	if why := needsHostsInRows(c); why != "" {
		return why
	}
	var sizes []int
	for _, ranks := range ranksByHost(c) {
		sizes = append(sizes, len(ranks))
	}
	if !aligned(sizes) {
		return "needs hosts that are subtrees of the canonical brackets, such as hosts of four ranks each"
	}
	return ""
}

// inRows returns a for hosts whose ranks follow each other. Then a, which combines
// the ranks of a host in order and the hosts in order, keeps the order of all.
func inRows(a Algorithm) Algorithm {
	a.Name += "-in-rows"
	a.Bracketing = Ordered
	a.Refuses = either(needsHostsInRows, a.Refuses)
	return a
}

// onAlignedHosts returns a for hosts that make its brackets the canonical ones.
func onAlignedHosts(a Algorithm) Algorithm {
	a.Name += "-aligned"
	a.Bracketing = Canonical
	a.Refuses = either(needsHostsAligned, a.Refuses)
	return a
}

// either refuses what one of the two refuses.
func either(first, second func(c *schedule.Call) string) func(c *schedule.Call) string {
	return func(c *schedule.Call) string {
		if why := first(c); why != "" {
			return why
		}
		return second(c)
	}
}

// aligned reports whether the canonical brackets over the hosts, with those over
// each host's ranks inside, are the canonical brackets over all ranks.
func aligned(sizes []int) bool {
	if len(sizes) == 1 {
		return true
	}
	ranks := func(hosts []int) (n int) {
		for _, k := range hosts {
			n += k
		}
		return n
	}
	left, right := sizes[:leftOf(len(sizes))], sizes[leftOf(len(sizes)):]
	return ranks(left) == leftOf(ranks(sizes)) && aligned(left) && aligned(right)
}

// leftOf returns how many of n ranks are left of the outermost of their canonical
// brackets, n ≥ 2. What is on either side has canonical brackets as well.
func leftOf(n int) int {
	f := foldOf(n)
	return f.places/2 + min(f.pairs, f.places/2)
}
