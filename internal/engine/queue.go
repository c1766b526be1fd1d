package engine

// queue is a first-in first-out ring that grows and keeps its memory.
type queue[T any] struct {
	ring []T // length a power of two
	head int
	n    int
}

func (q *queue[T]) len() int { return q.n }

func (q *queue[T]) push(v T) {
	if q.n == len(q.ring) {
		ring := make([]T, max(8, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = v
	q.n++
}

// front returns the oldest element; q must not be empty.
func (q *queue[T]) front() T { return q.ring[q.head] }

// at returns the element i places behind the oldest.
func (q *queue[T]) at(i int) *T { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

// pop removes the oldest element; q must not be empty.
func (q *queue[T]) pop() {
	var zero T
	q.ring[q.head] = zero
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
}

// remove deletes the first element for which f holds and reports whether there
// was one; the oldest is spared if busy. The order of the others stays.
func (q *queue[T]) remove(busy bool, f func(*T) bool) bool {
	mask := len(q.ring) - 1
	for i := range q.n {
		if i == 0 && busy || !f(&q.ring[(q.head+i)&mask]) {
			continue
		}
		for j := i; j < q.n-1; j++ {
			q.ring[(q.head+j)&mask] = q.ring[(q.head+j+1)&mask]
		}
		var zero T
		q.ring[(q.head+q.n-1)&mask] = zero
		q.n--
		return true
	}
	return false
}
