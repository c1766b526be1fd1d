package layout

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Plan says where, relative to a base, the runs of a strided buffer lie. The
// zero Plan is empty.
//
// A Plan is immutable once built and may be shared.
type Plan struct {
	size    int  // packed bytes
	lo, hi  int  // every byte lies in [lo, hi)
	longest int  // bytes of the longest run
	overlap bool // see Overlaps

	// Strided: run (k, j, i) has block bytes and begins at
	// base + outerAt(k) + j·mid.Stride + i·inner.Stride. Two dimensions lie
	// in the Plan itself: they are all that a vector or a three-dimensional
	// block needs, and a cursor steps through them without dividing.
	base, block int
	inner, mid  Dim
	outer       []Dim // outermost first

	// Indexed, if not nil: the runs in packed order and one more entry that
	// ends the last.
	runs []placed
}

// Dim is one dimension of a strided plan: Count steps of Stride bytes. Stride
// may be negative or zero.
type Dim struct{ Count, Stride int }

// ErrPlan is the class of every error about a plan that cannot exist.
var ErrPlan = errors.New("impossible memory layout")

// Strided returns the plan of blocks of block bytes, the first at offset base,
// repeated over dims, outermost first. Dimensions that go on where the next
// inner one ends are joined with it, so that the plan has as few and as long
// runs as its shape allows. Errors: ErrPlan for a negative block or count and
// for a plan whose offsets or size exceed an int.
func Strided(base, block int, dims ...Dim) (*Plan, error) {
	if block < 0 {
		return nil, fmt.Errorf("layout: block is %d bytes, want 0 or more: %w", block, ErrPlan)
	}
	empty := block == 0
	for i, d := range dims {
		if d.Count < 0 {
			return nil, fmt.Errorf("layout: dimension %d has count %d, want 0 or more: %w", i, d.Count, ErrPlan)
		}
		empty = empty || d.Count == 0
	}
	if empty {
		return &Plan{}, nil
	}

	p := &Plan{base: base, block: block}
	if err := p.measure(dims); err != nil {
		return nil, err
	}
	p.join(dims)
	p.longest = p.block
	p.overlap = p.interleaves()
	return p, nil
}

// measure sets size, lo and hi.
func (p *Plan) measure(dims []Dim) error {
	var ok bool
	p.size, p.lo = p.block, p.base
	if p.hi, ok = add(p.base, p.block); !ok {
		return fmt.Errorf("layout: a block of %d bytes at offset %d leaves the range of an int: %w", p.block, p.base, ErrPlan)
	}
	for i, d := range dims {
		size, ok := mul(p.size, d.Count)
		span, ok2 := mul(d.Count-1, d.Stride)
		lo, ok3 := add(p.lo, min(span, 0))
		hi, ok4 := add(p.hi, max(span, 0))
		if !ok || !ok2 || !ok3 || !ok4 {
			return fmt.Errorf("layout: blocks of %d bytes from offset %d: dimension %d (count %d, stride %d) leaves the range of an int: %w",
				p.block, p.base, i, d.Count, d.Stride, ErrPlan)
		}
		p.size, p.lo, p.hi = size, lo, hi
	}
	return nil
}

// join takes dims into p without those that step over nothing or only go on
// where the ones inside them end.
func (p *Plan) join(dims []Dim) {
	var room [4]Dim
	kept := room[:0] // innermost first
	for _, d := range slices.Backward(dims) {
		n := len(kept)
		switch {
		case d.Count == 1:
		case n == 0 && d.Stride == p.block:
			p.block *= d.Count
		case n > 0 && kept[n-1].end() == d.Stride:
			kept[n-1].Count *= d.Count
		default:
			kept = append(kept, d)
		}
	}
	p.inner, p.mid = Dim{1, 0}, Dim{1, 0}
	if len(kept) > 0 {
		p.inner = kept[0]
	}
	if len(kept) > 1 {
		p.mid = kept[1]
	}
	if len(kept) > 2 {
		p.outer = slices.Clone(kept[2:])
		slices.Reverse(p.outer)
	}
}

// end returns the stride of a dimension that would go on where d ends. Where it
// wraps, the offsets of the joined dimension wrap with it, to the same places.
func (d Dim) end() int { return d.Count * d.Stride }

// step returns the distance of neighbours in d whatever its direction.
func (d Dim) step() uint { return uint(max(d.Stride, -d.Stride)) }

// interleaves reports whether the dimensions of p fail to nest, that is
// whether one of them steps less far than the smaller ones reach.
func (p *Plan) interleaves() bool {
	if p.mid.Count == 1 {
		return p.inner.Count > 1 && p.inner.step() < uint(p.block)
	}
	room := [2]Dim{p.inner, p.mid}
	all := room[:]
	if p.outer != nil {
		all = slices.Concat(all, p.outer)
	}
	slices.SortFunc(all, func(a, b Dim) int {
		if a.step() < b.step() {
			return -1
		}
		return 1
	})
	reach := uint(p.block)
	for _, d := range all {
		if d.Count > 1 && d.step() < reach {
			return true
		}
		reach += uint(d.Count-1) * d.step()
	}
	return false
}

// Len returns the number of packed bytes.
func (p *Plan) Len() int { return p.size }

// Bounds returns the range [lo, hi) of offsets that the runs lie in.
func (p *Plan) Bounds() (lo, hi int) { return p.lo, p.hi }

// Overlaps reports whether two runs share a byte, so that nothing can be
// received into the plan. It is cautious for strided plans of two and more
// dimensions: those that interleave count as overlapping even if no two runs
// meet.
func (p *Plan) Overlaps() bool { return p.overlap }

// count returns the number of runs.
func (p *Plan) count() int {
	switch {
	case p.size == 0:
		return 0
	case p.runs != nil:
		return len(p.runs) - 1
	}
	return p.size / p.block
}

// mean returns the average length of a run; the plan is not empty.
func (p *Plan) mean() int {
	if p.runs != nil {
		return p.size / (len(p.runs) - 1)
	}
	return p.block
}

func add(a, b int) (sum int, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// mul multiplies a ≥ 0 with b.
func mul(a, b int) (product int, ok bool) {
	most := uint(math.MaxInt)
	if b < 0 {
		most++
	}
	hi, lo := bits.Mul(uint(a), Dim{Stride: b}.step())
	product = int(lo)
	if b < 0 {
		product = -product
	}
	return product, hi == 0 && lo <= most
}
