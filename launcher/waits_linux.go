package launcher

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// leastInJob is how long a rank must have been in the job for its waiting to say something.
	leastInJob = time.Second
	// straggling is by how much, at least, a straggler's share of waiting is smaller than
	// the others' median.
	straggling = 0.25
)

// waitShares returns the ranks that were in the job long enough, and the share of that time
// that each waited.
func waitShares(all []RankResult) (ranks []int, shares []float64) {
	for rank, x := range all {
		if x.InJob >= leastInJob {
			ranks = append(ranks, rank)
			shares = append(shares, min(float64(x.Waited)/float64(x.InJob), 1))
		}
	}
	return ranks, shares
}

// stragglers finds the ranks that waited much less than the others did.
func stragglers(all []RankResult) []Straggler {
	var found []Straggler
	ranks, shares := waitShares(all)
	if len(ranks) < 2 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(shares))
	for i, rank := range ranks {
		own, _ := slices.BinarySearch(sorted, shares[i])
		other := func(k int) float64 { // of the others' shares the one at k
			if k >= own {
				k++
			}
			return sorted[k]
		}
		n := len(sorted) - 1
		others := (other((n-1)/2) + other(n/2)) / 2
		if others-shares[i] >= straggling {
			found = append(found, Straggler{Rank: rank, Host: all[rank].Host, WaitShare: shares[i], OthersShare: others})
		}
	}
	return found
}

// waitText says how much ranks waited, and for whom.
func waitText(r *Result) string {
	_, shares := waitShares(r.Ranks)
	if len(shares) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "muster: ranks waited for others %s of their time (median; least %s, most %s)\n",
		percent(median(shares)), percent(slices.Min(shares)), percent(slices.Max(shares)))
	for _, s := range r.Stragglers[:min(len(r.Stragglers), bannerRanks)] {
		fmt.Fprintf(&b, "muster:   rank %d (host %s) was waited for: it waited %s of its time, the others %s\n",
			s.Rank, s.Host, percent(s.WaitShare), percent(s.OthersShare))
	}
	if more := len(r.Stragglers) - bannerRanks; more > 0 {
		fmt.Fprintf(&b, "muster:   and %d more\n", more)
	}
	return b.String()
}

// median returns the median of values, of which there is one at least.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
