package engine

import "slices"

// spans is a set of numbers kept as the ranges it consists of, ascending and
// with gaps between. It serves where numbers come nearly in order, so that the
// ranges are few.
type spans []span

// span is the numbers from from up to, not including, to.
type span struct{ from, to uint64 }

// search returns the index of the first range that ends behind n.
func (s spans) search(n uint64) int {
	i, _ := slices.BinarySearchFunc(s, n, func(r span, n uint64) int {
		if r.to <= n {
			return -1
		}
		return 1
	})
	return i
}

func (s spans) has(n uint64) bool {
	i := s.search(n)
	return i < len(s) && s[i].from <= n
}

// add puts in a range, which is not empty. It is false, and s is as before, if
// a part of it is in s already.
func (s *spans) add(from, to uint64) bool {
	list := *s
	i := list.search(from)
	if i < len(list) && list[i].from < to {
		return false
	}
	left := i > 0 && list[i-1].to == from
	right := i < len(list) && list[i].from == to
	switch {
	case left && right:
		list[i-1].to = list[i].to
		list = slices.Delete(list, i, i+1)
	case left:
		list[i-1].to = to
	case right:
		list[i].from = from
	default:
		list = slices.Insert(list, i, span{from, to})
	}
	*s = list
	return true
}
