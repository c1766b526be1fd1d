package main

// divide cuts pieces of work of the given costs into p runs of consecutive ones
// such that the dearest run is as cheap as can be. Run r is [cuts[r], cuts[r+1]);
// some are empty where there are more ranks than work. It takes O(n log Σcosts)
// time.
func divide(costs []int64, p int) (cuts []int) {
	var low, high int64
	for _, x := range costs {
		low = max(low, x)
		high += x
	}
	for low < high {
		if limit := low + (high-low)/2; len(fill(costs, limit)) <= p {
			high = limit
		} else {
			low = limit + 1
		}
	}
	cuts = append([]int{0}, fill(costs, high)...)
	for len(cuts) <= p {
		cuts = append(cuts, len(costs))
	}
	return cuts
}

// fill packs the pieces in their order into runs of at most limit, which no single
// one exceeds, and returns where each run ends.
func fill(costs []int64, limit int64) (ends []int) {
	var sum int64
	for i, x := range costs {
		if sum += x; sum > limit {
			ends = append(ends, i)
			sum = x
		}
	}
	return append(ends, len(costs))
}
