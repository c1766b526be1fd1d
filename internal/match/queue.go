package match

// entry is what both queues link. Message and Recv have the same fields in the same
// order, so that a pointer to either converts to *entry; one queue then serves both.
type entry struct {
	Source int32
	Tag    int64
	Ref    any

	links links
}

type links struct {
	in    *queue // the queue that holds the entry; nil if none does
	seq   uint64 // place in the order of that queue
	order link   // all entries of the queue
	lists [4]link
}

type link struct{ prev, next *entry }

// A pattern says which of source and tag are wild; it is also the number of the list
// that an entry is in under it.
type pattern uint32

const (
	exact      pattern = 0
	wildTag    pattern = 1
	wildSource pattern = 2
	wild               = wildTag | wildSource
)

func patternOf(source int32, tag int64) pattern {
	p := exact
	if tag == AnyTag {
		p = wildTag
	}
	if source == AnySource {
		p |= wildSource
	}
	return p
}

// role says under which patterns a queue indexes its entries.
type role bool

const (
	// A message is in three lists, for the three ways to ask for it by name; the
	// fourth, any source and any tag, is the order of the queue.
	asMessages role = false
	// A receive is in the list of the pattern that it has.
	asReceives role = true
)

// A queue is searched from its head, and a search that has passed more than scanLimit
// entries without a match builds an index. So a queue whose entries are taken in their order,
// however long, never pays for one. The index goes when the queue has shrunk to
// dropLimit; the gap between the two pays for building it.
const (
	scanLimit = 8
	dropLimit = 2
)

// queue holds entries in order, and an index over them once a search has gone far.
type queue struct {
	n          int
	head, tail *entry
	seq        uint64
	indexed    bool
	index      index
}

func (q *queue) push(e *entry, as role) {
	if e.links.in != nil {
		panic("match: the record is already queued")
	}
	q.seq++
	e.links.in, e.links.seq, e.links.order.prev = q, q.seq, q.tail
	if q.tail == nil {
		q.head = e
	} else {
		q.tail.links.order.next = e
	}
	q.tail = e
	q.n++
	if q.indexed {
		q.list(e, as)
	}
}

func (q *queue) remove(e *entry, as role) {
	if q.indexed {
		q.unlist(e, as)
	}
	prev, next := e.links.order.prev, e.links.order.next
	if prev == nil {
		q.head = next
	} else {
		prev.links.order.next = next
	}
	if next == nil {
		q.tail = prev
	} else {
		next.links.order.prev = prev
	}
	e.links.order = link{}
	e.links.in = nil
	q.n--
	if q.indexed && q.n <= dropLimit {
		for e := q.head; e != nil; e = e.links.order.next {
			q.unlist(e, as)
		}
		q.indexed = false
	}
	if len(q.index.slots) > minSlots {
		q.index.shrink()
	}
}

func (q *queue) build(as role) {
	q.indexed = true
	for e := q.head; e != nil; e = e.links.order.next {
		q.list(e, as)
	}
}

func (q *queue) list(e *entry, as role) {
	if as == asReceives {
		q.index.add(e, e.Source, e.Tag, patternOf(e.Source, e.Tag))
		return
	}
	q.index.add(e, e.Source, e.Tag, exact)
	q.index.add(e, e.Source, AnyTag, wildTag)
	q.index.add(e, AnySource, e.Tag, wildSource)
}

func (q *queue) unlist(e *entry, as role) {
	if as == asReceives {
		q.index.remove(e, e.Source, e.Tag, patternOf(e.Source, e.Tag))
		return
	}
	q.index.remove(e, e.Source, e.Tag, exact)
	q.index.remove(e, e.Source, AnyTag, wildTag)
	q.index.remove(e, AnySource, e.Tag, wildSource)
}

// find returns the first message that a receive with this source and tag matches.
func (q *queue) find(source int32, tag int64) *entry {
	if !q.indexed {
		e := q.head
		for range scanLimit + 1 {
			if e == nil {
				return nil
			}
			if (e.Source == source || source == AnySource) && (e.Tag == tag || tag == AnyTag) {
				return e
			}
			e = e.links.order.next
		}
		q.build(asMessages)
	}
	p := patternOf(source, tag)
	if p == wild {
		return q.head
	}
	return q.index.first(source, tag, p)
}

// findReceive returns the first receive that matches a message from source with tag.
func (q *queue) findReceive(source int32, tag int64) *entry {
	if !q.indexed {
		e := q.head
		for range scanLimit + 1 {
			if e == nil {
				return nil
			}
			if (e.Source == source || e.Source == AnySource) && (e.Tag == tag || e.Tag == AnyTag) {
				return e
			}
			e = e.links.order.next
		}
		q.build(asReceives)
	}
	e := q.index.first(source, tag, exact)
	e = earlier(e, q.index.first(source, AnyTag, wildTag))
	e = earlier(e, q.index.first(AnySource, tag, wildSource))
	return earlier(e, q.index.first(AnySource, AnyTag, wild))
}

func earlier(a, b *entry) *entry {
	if a == nil || b != nil && b.links.seq < a.links.seq {
		return b
	}
	return a
}
