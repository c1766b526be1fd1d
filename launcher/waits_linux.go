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
	// straggling is how much smaller a straggler's share of waiting is than the others'.
	straggling = 0.25
)

// waitShares returns the share of its time in the job that each rank waited, and which
// ranks; without those that were in it too briefly.
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
	for i, rank := range ranks {
		others := median(slices.Delete(slices.Clone(shares), i, i+1))
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
