package stats

import "math"

// RankSum returns the probability that two samples of one continuous distribution,
// as long as a and b, have as few pairs or fewer in which the value of a is not
// above that of b: the p-value of the one-sided rank-sum test of Mann, Whitney and
// Wilcoxon for a being larger than b. It is exact up to 10,000 pairs, and on the
// safe side of it if values are equal. It is 1 if a or b is empty.
func RankSum(a, b []float64) float64 {
	u := 0
	for _, x := range a {
		for _, y := range b {
			if !(x > y) {
				u++
			}
		}
	}
	if !exactly(len(a), len(b)) {
		mean, deviation := rankSumNormal(len(a), len(b))
		return math.Erfc((mean-float64(u)-0.5)/deviation/math.Sqrt2) / 2
	}
	var tail, all float64
	for i, w := range rankSum(len(a), len(b)) {
		all += w
		if i <= u {
			tail += w
		}
	}
	return tail / all
}

// exactly tells whether rankSum is to be used: of more pairs it takes long, and its
// numbers of orders soon have no place in a float64.
func exactly(n, m int) bool { return n*m <= 10000 }

// rankSumNormal is the normal distribution that the number of pairs in the wrong
// order is near to.
func rankSumNormal(n, m int) (mean, deviation float64) {
	pairs := float64(n) * float64(m)
	return pairs / 2, math.Sqrt(pairs * float64(n+m+1) / 12)
}

// LeastRankSum is the least p-value that RankSum returns for samples of n and m
// values: 1 of all their orders.
func LeastRankSum(n, m int) float64 {
	least := 1.
	for i := 1; i <= n; i++ {
		least *= float64(i) / float64(m+i)
	}
	return least
}

// Holm returns, for p-values of as many tests, those that all tests together
// justify: if one tells a difference where it is at most α, the probability that
// any of them tells one that is not there is α at most, however the tests depend
// on each other (Holm 1979).
func Holm(p []float64) []float64 {
	adjusted := make([]float64, len(p))
	done := make([]bool, len(p))
	largest := 0.
	for left := len(p); left > 0; left-- {
		least := -1
		for i, v := range p {
			if !done[i] && (least < 0 || v < p[least]) {
				least = i
			}
		}
		done[least] = true
		largest = math.Max(largest, math.Min(1, p[least]*float64(left)))
		adjusted[least] = largest
	}
	return adjusted
}
