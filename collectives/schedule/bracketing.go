package schedule

import (
	"fmt"
	"math/bits"
)

// Bracketing is in which order an algorithm combines the elements of the ranks.
type Bracketing uint8

const (
	// Unordered: neighbours are not combined in rank order; for commutative operations.
	Unordered Bracketing = iota
	// Ordered: in rank order, with brackets of the algorithm's own.
	Ordered
	// Canonical: in rank order, with the brackets that every Canonical algorithm of
	// the operation has, so that all give the same bits also where rounding makes
	// the brackets show. For a vector over p ranks, with m the largest power of two
	// that is not above p: each of the first p−m pairs of neighbours (0 and 1, 2 and
	// 3, …) folds into one, which leaves m contributions; these form a binary tree of
	// contiguous halves. For Scan over ranks 0 to r and ExScan over ranks 0 to r−1:
	// b₀ (b₁ (b₂ …)), where the bₖ are the aligned blocks that this many ranks are
	// made of in binary, the largest first, each a binary tree of contiguous halves.
	Canonical
)

var bracketingNames = [...]string{"unordered", "ordered", "canonical"}

// String returns the name of b.
func (b Bracketing) String() string {
	if int(b) < len(bracketingNames) {
		return bracketingNames[b]
	}
	return fmt.Sprintf("Bracketing(%d)", uint8(b))
}

// canonicalVector returns the Canonical value of a vector over p ranks, p ≥ 1.
func (v *values) canonicalVector(p int) value {
	m := 1 << (bits.Len(uint(p)) - 1)
	pairs := p - m
	var tree func(lo, hi int) value
	tree = func(lo, hi int) value {
		if hi-lo > 1 {
			mid := (lo + hi) / 2
			return v.combine(tree(lo, mid), tree(mid, hi), 0)
		}
		if lo < pairs {
			return v.combine(value(2*lo), value(2*lo+1), 0)
		}
		return value(lo + pairs)
	}
	return tree(0, m)
}

// canonicalPrefix returns the Canonical value of a scan over ranks 0 to n−1, n ≥ 1.
func (v *values) canonicalPrefix(n int) value {
	var block func(lo, hi int) value
	block = func(lo, hi int) value {
		if hi-lo == 1 {
			return value(lo)
		}
		mid := (lo + hi) / 2
		return v.combine(block(lo, mid), block(mid, hi), 0)
	}
	var from func(lo int) value
	from = func(lo int) value {
		hi := lo + 1<<(bits.Len(uint(n-lo))-1)
		if hi == n {
			return block(lo, hi)
		}
		return v.combine(block(lo, hi), from(hi), 0)
	}
	return from(0)
}
