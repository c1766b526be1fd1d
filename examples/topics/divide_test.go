package main

import (
	"math/rand/v2"
	"testing"
)

// dearest returns the cost of the dearest run.
func dearest(costs []int64, cuts []int) int64 {
	var worst int64
	for r := range len(cuts) - 1 {
		var sum int64
		for _, x := range costs[cuts[r]:cuts[r+1]] {
			sum += x
		}
		worst = max(worst, sum)
	}
	return worst
}

// cheapest tries every way to cut costs into p runs, and returns the cost of the
// dearest run of the best one.
func cheapest(costs []int64, p int) int64 {
	if p == 1 {
		return dearest(costs, []int{0, len(costs)})
	}
	best := int64(-1)
	for cut := range len(costs) + 1 {
		worst := max(dearest(costs, []int{0, cut}), cheapest(costs[cut:], p-1))
		if best < 0 || worst < best {
			best = worst
		}
	}
	return best
}

func TestNoDivisionHasACheaperDearestRun(t *testing.T) {
	for seed := range uint64(300) {
		numbers := rand.New(rand.NewPCG(seed, 0))
		costs := make([]int64, numbers.IntN(9))
		for i := range costs {
			costs[i] = numbers.Int64N(1 + numbers.Int64N(30))
		}
		p := 1 + numbers.IntN(4)
		cuts := divide(costs, p)
		if len(cuts) != p+1 || cuts[0] != 0 || cuts[p] != len(costs) {
			t.Fatalf("seed %d: %v into %d: cuts %v", seed, costs, p, cuts)
		}
		for r := range p {
			if cuts[r] > cuts[r+1] {
				t.Fatalf("seed %d: %v into %d: cuts %v descend", seed, costs, p, cuts)
			}
		}
		if got, want := dearest(costs, cuts), cheapest(costs, p); got != want {
			t.Errorf("seed %d: %v into %d: cuts %v, the dearest run costs %d, want %d", seed, costs, p, cuts, got, want)
		}
	}
}
