package exact

import (
	"math"
	"math/bits"
)

// Round returns the float64 nearest to the sum, of two as near the even one: ±Inf
// where it is at least half a unit in the last place above the largest number. A
// sum of zero is +0, even of nothing but −0. Cost: some 0.1 µs.
func (a *Accumulator) Round() float64 {
	if x := a.special(); x != 0 {
		return x
	}
	b, negative := a.words.round(53, 1)
	x := math.Float64frombits(min(b, math.Float64bits(math.Inf(1))))
	if negative {
		return -x
	}
	return x
}

// Round32 is Round for the nearest float32, which need not be that of Round: it is
// rounded once.
func (a *Accumulator) Round32() float32 {
	if x := a.special(); x != 0 {
		return float32(x)
	}
	const smallest = 1075 - 149 // 2⁻¹⁴⁹ is so many powers of two above the unit
	b, negative := a.words.round(24, smallest)
	x := math.Float32frombits(uint32(min(b, uint64(math.Float32bits(float32(math.Inf(1)))))))
	if negative {
		return -x
	}
	return x
}

// special returns the sum where it is infinite or NaN for its terms, and else 0.
func (a *Accumulator) special() float64 {
	switch w := &a.words; {
	case w[nan] != 0 || w[plusInf] != 0 && w[minusInf] != 0:
		return math.NaN()
	case w[plusInf] != 0:
		return math.Inf(1)
	case w[minusInf] != 0:
		return math.Inf(-1)
	}
	return 0
}

// round returns the bits, without the sign, of the sum in a binary format whose
// significands have precision bits and whose smallest number is 2^lowest units. They
// run on beyond the largest finite number.
func (w Words) round(precision, lowest int) (b uint64, negative bool) {
	w.carry()
	negative = w[limbs-1] < 0
	if negative {
		for i := range limbs {
			w[i] = -w[i]
		}
		w.carry()
	}
	if w[limbs-1] != 0 {
		return math.MaxUint64, negative // beyond any format, and the only limb with more than 32 bits
	}
	top := limbs - 1
	for top > 0 && w[top] == 0 {
		top--
	}
	// The significand begins at bit q and ends at the sum's first, or earlier where
	// the format has no smaller numbers.
	q := max(top*limbBits+bits.Len64(uint64(w[top]))-precision, lowest)
	m := w.from(q)
	if w.from(q-1)&1 != 0 && (m&1 != 0 || w.anyBelow(q-1)) {
		m++
	}
	// The bit of m that a format does not store adds one to the exponent, as does a
	// significand that was rounded up to a power of two.
	return uint64(q-lowest)<<(precision-1) + m, negative
}

// from returns 64 bits of the sum from bit q on.
func (w *Words) from(q int) uint64 {
	i, shift := q/limbBits, q%limbBits
	low := uint64(w[i]) | uint64(w[i+1])<<limbBits
	return low>>shift | uint64(w[i+2])<<(64-shift)
}

// anyBelow reports whether a bit below bit q is set.
func (w *Words) anyBelow(q int) bool {
	for i := range q / limbBits {
		if w[i] != 0 {
			return true
		}
	}
	return uint64(w[q/limbBits])&(1<<(q%limbBits)-1) != 0
}
