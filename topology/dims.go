package topology

import (
	"math"
	"slices"

	"github.com/muster-mpi/muster/rank"
)

// Dims returns dims with the zeros replaced so that the product is n: the sides of a
// grid for n ranks (MPI_Dims_create, MPI 4.1 §8.5.2). What is not zero stays. The
// numbers put in do not increase, and differ as little as divisors of n let them: the
// difference between the largest and the smallest is the least possible, and among such
// the largest is. So
//
//	Dims(12, 0, 0)     // 4 3
//	Dims(12, 0, 2, 0)  // 3 2 2
//
// Errors: ErrArgument if n is below 1, a number negative, or n no multiple of those given;
// without zeros their product must be n, and without dimensions n is 1.
func Dims(n int, dims ...int) ([]int, error) {
	result, err := fillDims(n, dims)
	if err != nil {
		return nil, &rank.Error{Op: "Dims", Rank: rank.Undefined, Peer: rank.Null, Tag: rank.AnyTag, Err: err}
	}
	return result, nil
}

func fillDims(n int, dims []int) ([]int, error) {
	if n < 1 {
		return nil, wrong("%d ranks, want 1 or more", n)
	}
	left, free := n, 0
	for d, k := range dims {
		switch {
		case k < 0:
			return nil, wrong("dims[%d] is %d, want 0 or more", d, k)
		case k == 0:
			free++
		case left%k != 0:
			return nil, wrong("the numbers given of %v do not divide %d", slices.Clone(dims), n)
		default:
			left /= k
		}
	}
	if free == 0 {
		if left != 1 {
			return nil, wrong("a grid of sides %v has no %d places", slices.Clone(dims), n)
		}
		return slices.Clone(dims), nil
	}
	s := squarest{divisors: divisors(left), sides: make([]int, free), spread: math.MaxInt}
	s.search(0, left, left)
	result := slices.Clone(dims)
	for d, i := 0, 0; d < len(result); d++ {
		if result[d] == 0 {
			result[d] = s.best[i]
			i++
		}
	}
	return result, nil
}

// squarest looks for the sides that differ least.
type squarest struct {
	divisors []int // ascending
	sides    []int // chosen so far
	best     []int
	spread   int // of best
}

// search chooses the sides from d on, none over most, whose product is left.
func (s *squarest) search(d, left, most int) {
	if d == len(s.sides)-1 {
		if left > most {
			return
		}
		s.sides[d] = left
		spread := s.sides[0] - left
		if spread < s.spread || spread == s.spread && s.sides[0] < s.best[0] {
			s.spread, s.best = spread, slices.Clone(s.sides)
		}
		return
	}
	for _, k := range s.divisors {
		if k > most {
			return
		}
		// The sides to come are at most k, and must reach left together.
		if left%k != 0 || !reaches(k, len(s.sides)-d, left) {
			continue
		}
		if d > 0 && s.sides[0]-k > s.spread {
			continue
		}
		s.sides[d] = k
		s.search(d+1, left/k, k)
	}
}

// reaches reports whether k to the power n is left or more.
func reaches(k, n, left int) bool {
	for product := 1; n > 0; n-- {
		if product >= (left+k-1)/k {
			return true
		}
		product *= k
	}
	return left <= 1
}

// divisors returns those of n, ascending.
func divisors(n int) []int {
	var low, high []int
	for k := 1; k <= n/k; k++ {
		if n%k == 0 {
			low = append(low, k)
			if k != n/k {
				high = append(high, n/k)
			}
		}
	}
	slices.Reverse(high)
	return append(low, high...)
}
