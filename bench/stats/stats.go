// Package stats has the few statistics that the benchmarks quote: medians,
// percentiles, and intervals for a median and for a ratio of medians that
// assume nothing about how times are distributed.
package stats

import (
	"math"
	"slices"
)

// Median returns the middle value of v, the mean of the two middle ones if
// their number is even, and NaN of none. v stays as it is.
func Median(v []float64) float64 { return Percentile(v, 50) }

// Percentile returns the value below which p percent of v lie, interpolated
// linearly between neighbours (Hyndman and Fan 1996, type 7, as in R and
// NumPy); 0 is the least and 100 the largest. NaN of no values.
func Percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(v))
	at := p / 100 * float64(len(v)-1)
	low := int(at)
	if low >= len(v)-1 {
		return sorted[len(v)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// MedianInterval returns order statistics of v between which the median of the
// distribution lies with at least the confidence level, whatever the
// distribution (Hoefler and Belli 2015, rule 5; Le Boudec 2011, theorem 2.1).
// ok is false if v is too short: 95 % wants 6 values.
func MedianInterval(v []float64, level float64) (low, high float64, ok bool) {
	n := len(v)
	// The number of values below the median is binomial with probability 1/2.
	k := cut(binomial(n), level)
	if k == 0 {
		return math.NaN(), math.NaN(), false
	}
	sorted := slices.Sorted(slices.Values(v))
	return sorted[k-1], sorted[n-k], true
}

// RatioInterval returns the interval of the factor between the distributions of
// a and of b at the confidence level: with which factors could b be multiplied
// so that the rank-sum test of Mann, Whitney and Wilcoxon would not tell it from
// a? It is made of order statistics of the quotients of every value of a and
// every value of b (Moses 1965; Hollander and Wolfe, section 4.3), exact for
// every continuous distribution if a and b differ by a factor only. The quotient
// of the medians always lies in it. Values are above zero. ok is false if there
// are too few values: 95 % wants 4 of each, or 3 and 5.
//
// A bootstrap would do as well for many runs. This one needs no random numbers,
// so the same values give the same interval, and says when there are too few.
func RatioInterval(a, b []float64, level float64) (low, high float64, ok bool) {
	k := 0
	if exactly(len(a), len(b)) {
		k = cut(rankSum(len(a), len(b)), level)
	} else {
		mean, deviation := rankSumNormal(len(a), len(b))
		k = int(mean - math.Sqrt2*math.Erfinv(level)*deviation)
	}
	if k == 0 {
		return math.NaN(), math.NaN(), false
	}
	quotients := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			quotients = append(quotients, x/y)
		}
	}
	slices.Sort(quotients)
	return quotients[k-1], quotients[len(quotients)-k], true
}

// cut returns how many outcomes at each end of a symmetric distribution on 0,
// 1, … hold at most 1-level together. 0: not even one.
func cut(weights []float64, level float64) int {
	var all, tail float64
	for _, w := range weights {
		all += w
	}
	k := 0
	for k < len(weights)/2 {
		tail += weights[k]
		if 2*tail > all*(1-level)*(1+1e-12) {
			break
		}
		k++
	}
	return k
}

// binomial returns the numbers of subsets of n things by size.
func binomial(n int) []float64 {
	row := make([]float64, n+1)
	row[0] = 1
	for i := 1; i <= n; i++ {
		for k := i; k > 0; k-- {
			row[k] += row[k-1]
		}
	}
	return row
}

// rankSum returns in how many of the orders of n values and m others u pairs
// are in the wrong order, for u from 0 to n·m: the coefficients of the Gaussian
// binomial, product of (1-q^(m+i))/(1-q^i) for i from 1 to n.
func rankSum(n, m int) []float64 {
	c := make([]float64, n*m+1)
	c[0] = 1
	for i := 1; i <= n; i++ {
		for u := len(c) - 1; u >= m+i; u-- {
			c[u] -= c[u-m-i]
		}
		for u := i; u < len(c); u++ {
			c[u] += c[u-i]
		}
	}
	return c
}
