package algo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// placements returns host maps of p ranks: hosts of two, three, four and eight, ranks
// dealt to hosts one by one, hosts of different sizes, and anything.
func placements(p int) [][]int {
	list := make([][]int, 8)
	rng := rand.New(rand.NewPCG(uint64(p), 2))
	for r := range p {
		for i, host := range []int{r / 2, r / 3, r / 4, r / 8, 9 - r%3, r % 4, r * r / (2 * p), rng.IntN(4)} {
			list[i] = append(list[i], host)
		}
	}
	return list
}

// ofHosts returns the algorithms that refuse calls on one host.
func ofHosts() (list []Algorithm) {
	for _, a := range All {
		if a.Refuses != nil && strings.Contains(a.Refuses(&schedule.Call{Op: a.Op, Size: 4}), "hosts") {
			list = append(list, a)
		}
	}
	return list
}

func TestEveryPlacementOfRanks(t *testing.T) {
	for _, a := range ofHosts() {
		t.Run(a.Op.String()+"/"+a.Name, func(t *testing.T) {
			t.Parallel()
			for _, p := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 19, 33} {
				for _, root := range rootsOf(a.Op, p) {
					for i, shape := range shapes(a.Op, p, root) {
						for k, hosts := range placements(p) {
							if p > 8 && (i+k+root)%4 > 0 {
								continue // these go through the combinations in turn
							}
							if err := prove(t, a, shape, hosts, a.Bracketing); err != nil {
								t.Fatalf("%d ranks, root %d, %q, hosts %v: %v", p, root, shape.Name, hosts, err)
							}
						}
					}
				}
			}
		})
	}
}

// What is aligned is decided without writing steps; here it is compared with what
// the steps do. So nothing is refused that would be canonical either.
func TestAlignedHostsAreThoseWithTheCanonicalBrackets(t *testing.T) {
	aligned, not := 0, 0
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var hosts []int
		for host := range 2 + rng.IntN(5) {
			n := 1 + rng.IntN(6)
			if rng.IntN(2) > 0 {
				n = 1 << rng.IntN(4)
			}
			for range n {
				hosts = append(hosts, host)
			}
		}
		p := len(hosts)
		call := func(r int) schedule.Call {
			return schedule.Call{Op: schedule.AllReduce, Rank: r, Size: p, Count: 1, Hosts: hosts}
		}
		c := call(0)
		if needsHostsInRows(&c) != "" {
			continue
		}
		why := needsHostsAligned(&c)
		err := schedule.Check(schedule.All(nil, call, buildAllReduceTwoLevel), Canonical)
		if (why == "") != (err == nil) {
			t.Fatalf("seed %d, hosts %v: refused for %q, but the steps: %v", seed, hosts, why, err)
		}
		if err == nil {
			aligned++
		} else {
			not++
		}
	}
	if aligned < 30 || not < 30 {
		t.Errorf("%d aligned and %d other placements, want many of both", aligned, not)
	}
}

func TestHostsThatDoNotSuitAreRefused(t *testing.T) {
	one, several := "needs several hosts, and several ranks on one of them", ""
	for _, test := range []struct {
		algorithm Algorithm
		hosts     []int
		why       string
	}{
		{barrierTwoLevel, nil, one},
		{barrierTwoLevel, []int{5, 5, 5, 5}, one},
		{barrierTwoLevel, []int{3, 1, 2, 0}, one},
		{barrierTwoLevel, []int{1, 0, 1, 0}, several},
		{reduceTwoLevelInRows, []int{1, 0, 1, 0}, "needs hosts whose ranks follow each other"},
		{reduceTwoLevelInRows, []int{1, 0, 0, 0}, several},
		{reduceTwoLevelAligned, []int{1, 0, 0, 0}, "needs hosts that are subtrees of the canonical brackets, such as hosts of four ranks each"},
		{reduceTwoLevelAligned, []int{1, 1, 0, 0}, several},
		{reduceTwoLevelAligned, []int{2, 2, 1, 1, 0, 0}, several},
		{allReduceLanes, []int{1, 0, 0, 0}, "needs the same number of ranks on every host"},
		{allReduceLanesAligned, []int{2, 1, 2, 1}, "needs hosts whose ranks follow each other"},
	} {
		c := schedule.Call{Size: len(test.hosts), Hosts: test.hosts}
		if test.hosts == nil {
			c.Size = 4
		}
		if got := test.algorithm.Refuses(&c); got != test.why {
			t.Errorf("%v %s on hosts %v: %q, want %q", test.algorithm.Op, test.algorithm.Name, test.hosts, got, test.why)
		}
	}
}

// Going through leaders is of use only if less crosses between hosts: one message
// to or from each host but the root's for rooted operations, whatever the placement.
func TestOneMessageLeavesAHost(t *testing.T) {
	for _, a := range ofHosts() {
		if !a.Op.Rooted() || a.Name == "two-level-chain" {
			continue
		}
		for _, p := range []int{5, 8, 12, 33} {
			for _, hosts := range placements(p) {
				for _, root := range rootsOf(a.Op, p) {
					c := schedule.Call{Op: a.Op, Size: p, Root: root, Count: 2, Hosts: hosts}
					if a.Refuses(&c) != "" {
						continue
					}
					crossed := 0
					for r := range p {
						c.Rank = r
						s := schedule.New(c)
						a.Build(s, &c)
						for _, step := range s.Steps {
							if step.Kind == schedule.SendTo && hosts[r] != hosts[step.Peer] {
								crossed++
							}
						}
					}
					if want := len(ranksByHost(&c)) - 1; crossed != want {
						t.Fatalf("%v %s: %d messages cross, want %d: %s", a.Op, a.Name, crossed, want, fmt.Sprint(p, root, hosts))
					}
				}
			}
		}
	}
}
