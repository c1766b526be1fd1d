package match

import "math/bits"

// minSlots is the size that a table starts with and is never shrunk below; 2 KiB.
const minSlots = 64

// index is a hash table of lists of entries, one for each (source, tag, pattern) that
// has any: open addressing, linear probing, no tombstones. A list is in the order of
// the queue, because entries are only added at its end.
type index struct {
	slots []slot // a power of two, at most two thirds in use
	used  int
	count [4]int // slots in use by pattern, so that a search for none of a kind is free
	idle  int    // removals since the table was last an eighth full
}

// slot is one list. It is in use if head is not nil. The pattern is part of the key,
// so that not even a message with a wildcard's value for a tag can enter a wrong list.
type slot struct {
	source     int32
	pattern    pattern
	tag        int64
	head, tail *entry
}

// hash folds the product of source and tag, each spread over 64 bits, so that regular
// numbering of tags (multiples of a power of two, say) does not cluster.
func hash(source int32, tag int64) uint64 {
	hi, lo := bits.Mul64(uint64(tag)^0x9e3779b97f4a7c15, uint64(uint32(source))*0xd1342543de82ef95^0xa0761d6478bd642f)
	return hi ^ lo
}

// lookup returns the slot of a key, or the free slot where it belongs. There is one,
// for a table that is not nil.
func (x *index) lookup(source int32, tag int64, p pattern) (int, *slot) {
	mask := len(x.slots) - 1
	for i := int(hash(source, tag)) & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if s.head == nil || s.tag == tag && s.source == source && s.pattern == p {
			return i, s
		}
	}
}

// first returns the earliest entry under a key, or nil.
func (x *index) first(source int32, tag int64, p pattern) *entry {
	if x.count[p] == 0 {
		return nil
	}
	_, s := x.lookup(source, tag, p)
	return s.head
}

// add appends e to the list of a key.
func (x *index) add(e *entry, source int32, tag int64, p pattern) {
	if 3*(x.used+1) > 2*len(x.slots) {
		x.resize(max(minSlots, 2*len(x.slots)))
	}
	_, s := x.lookup(source, tag, p)
	if s.head == nil {
		*s = slot{source: source, pattern: p, tag: tag, head: e, tail: e}
		x.used++
		x.count[p]++
		if 8*x.used >= len(x.slots) {
			x.idle = 0
		}
		return
	}
	e.links.lists[p].prev = s.tail
	s.tail.links.lists[p].next = e
	s.tail = e
}

// remove takes e, which is there, out of the list of a key. Only an entry at an end of
// its list needs the table.
func (x *index) remove(e *entry, source int32, tag int64, p pattern) {
	l := e.links.lists[p]
	e.links.lists[p] = link{}
	if l.prev != nil {
		l.prev.links.lists[p].next = l.next
	}
	if l.next != nil {
		l.next.links.lists[p].prev = l.prev
	}
	if l.prev != nil && l.next != nil {
		return
	}
	i, s := x.lookup(source, tag, p)
	switch {
	case l.prev != nil:
		s.tail = l.prev
	case l.next != nil:
		s.head = l.next
	default:
		x.used--
		x.count[p]--
		x.free(i)
	}
}

// free empties slot i and closes the gap: each later slot of the same run moves into
// it unless that would put it before the place where its own search begins.
func (x *index) free(i int) {
	mask := len(x.slots) - 1
	for j := (i + 1) & mask; x.slots[j].head != nil; j = (j + 1) & mask {
		home := int(hash(x.slots[j].source, x.slots[j].tag)) & mask
		if (j-home)&mask >= (j-i)&mask {
			x.slots[i] = x.slots[j]
			i = j
		}
	}
	x.slots[i] = slot{}
}

// shrink counts a removal and, once the table has been nearly empty for as many
// removals as it has slots, makes it fit. So a burst does not hold its memory for good,
// and bursts that come again and again do not pay for a table each time.
func (x *index) shrink() {
	if 8*x.used >= len(x.slots) {
		return
	}
	x.idle++
	if x.idle <= len(x.slots) {
		return
	}
	size := minSlots
	for size < 4*x.used {
		size *= 2
	}
	x.resize(size)
}

func (x *index) resize(size int) {
	old := x.slots
	x.slots = make([]slot, size)
	x.idle = 0
	for i := range old {
		if s := &old[i]; s.head != nil {
			_, to := x.lookup(s.source, s.tag, s.pattern)
			*to = *s
		}
	}
}
