package schedule

import (
	"strconv"
	"strings"
)

// value says what an element holds, up to its index: an element with value v and
// index i holds rank v's input element i if v is below the size, and what two
// values were combined to if v is a node. So the elements of a whole vector share
// one value, and equal values are equal numbers.
type value int32

// node is a value that was combined from two.
type node struct {
	a, b  value
	shift int // index of b's elements less that of a's
	flaws flaws
	// lo and hi bound the ranks of an ordered value: each of them once, ascending.
	lo, hi  int32
	ordered bool
}

// flaws is what is wrong with a value wherever it goes.
type flaws uint8

const (
	stale  flaws = 1 << iota // holds memory that nobody has written
	twice                    // holds a rank's contribution more than once
	skewed                   // combines elements of different indices
)

type pairKey struct {
	a, b  value
	shift int
}

// values makes and remembers the values of one check.
type values struct {
	size  int
	nodes []node   // leaves of the ranks, then garbage and untouched, then what was combined
	sets  []uint64 // which ranks each node holds, words each
	words int
	known map[pairKey]value
	turn  map[value]value // see unturned
}

// garbage is the value of memory that nobody has written; its index is always 0.
func (v *values) garbage() value { return value(v.size) }

// untouched is the value of what rank r's Out held before the call.
func (v *values) untouched(r int) value { return value(v.size + 1 + r) }

// reset makes v the values of so many ranks, with nothing combined yet.
func (v *values) reset(size int) {
	v.size, v.words = size, (size+63)/64
	v.nodes, v.sets = v.nodes[:0], v.sets[:0]
	if v.known == nil {
		v.known, v.turn = make(map[pairKey]value), make(map[value]value)
	}
	clear(v.known)
	clear(v.turn)
	for r := range size {
		v.nodes = append(v.nodes, node{lo: int32(r), hi: int32(r + 1), ordered: true})
		v.sets = append(v.sets, make([]uint64, v.words)...)
		v.set(value(r))[r/64] |= 1 << (r % 64)
	}
	for range size + 1 {
		v.nodes = append(v.nodes, node{flaws: stale})
		v.sets = append(v.sets, make([]uint64, v.words)...)
	}
}

// set returns which ranks x holds.
func (v *values) set(x value) []uint64 {
	return v.sets[int(x)*v.words : (int(x)+1)*v.words]
}

// leaf reports whether x was not combined.
func (v *values) leaf(x value) bool { return int(x) <= 2*v.size }

// combine returns the value of a ⊕ b, where b's index is a's plus shift.
func (v *values) combine(a, b value, shift int) value {
	key := pairKey{a, b, shift}
	if x, ok := v.known[key]; ok {
		return x
	}
	na, nb := &v.nodes[a], &v.nodes[b]
	n := node{a: a, b: b, shift: shift, flaws: na.flaws | nb.flaws}
	if shift != 0 {
		n.flaws |= skewed
	}
	if na.ordered && nb.ordered && na.hi == nb.lo {
		n.lo, n.hi, n.ordered = na.lo, nb.hi, true
	}
	x := value(len(v.nodes))
	for i := range v.words {
		s, t := v.set(a)[i], v.set(b)[i]
		if s&t != 0 {
			n.flaws |= twice
		}
		v.sets = append(v.sets, s|t)
	}
	v.nodes = append(v.nodes, n)
	v.known[key] = x
	return x
}

// unturned returns the value that x and all that differ from it only in which
// operand is the left one have in common: for a commutative operation they are
// the same bits.
func (v *values) unturned(x value) value {
	if v.leaf(x) {
		return x
	}
	if y, ok := v.turn[x]; ok {
		return y
	}
	n := v.nodes[x]
	a, b := v.unturned(n.a), v.unturned(n.b)
	y := v.combine(min(a, b), max(a, b), n.shift)
	v.turn[x] = y
	return y
}

// holds reports whether x holds ranks 0 to n−1 and no others.
func (v *values) holds(x value, n int) bool {
	for i, w := range v.set(x) {
		want := ^uint64(0)
		if rest := n - 64*i; rest <= 0 {
			want = 0
		} else if rest < 64 {
			want = 1<<rest - 1
		}
		if w != want {
			return false
		}
	}
	return true
}

// text spells x, with the ranks' numbers for their contributions, and gives up
// when it gets long.
func (v *values) text(x value) string {
	var b strings.Builder
	v.spell(&b, x)
	return b.String()
}

// spell appends the text of x to b.
func (v *values) spell(b *strings.Builder, x value) {
	switch {
	case b.Len() > 200:
		if !strings.HasSuffix(b.String(), "…") {
			b.WriteString("…")
		}
	case int(x) < v.size:
		b.WriteString(strconv.Itoa(int(x)))
	case x == v.garbage():
		b.WriteString("what was never written")
	case v.leaf(x):
		b.WriteString("what out of rank " + strconv.Itoa(int(x)-v.size-1) + " held before")
	default:
		n := v.nodes[x]
		b.WriteByte('(')
		v.spell(b, n.a)
		b.WriteByte('+')
		v.spell(b, n.b)
		if n.shift != 0 {
			b.WriteString("'")
		}
		b.WriteByte(')')
	}
}
