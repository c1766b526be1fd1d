package agent

import "sync"

// A queue hands values from any goroutine to one, in order. It never blocks the
// one who puts; what is put is bounded by other means.
type queue[T any] struct {
	mu     sync.Mutex
	some   sync.Cond
	values []T
	closed bool
}

func newQueue[T any]() *queue[T] {
	q := new(queue[T])
	q.some.L = &q.mu
	return q
}

// put reports false after close.
func (q *queue[T]) put(v T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.values = append(q.values, v)
	q.some.Signal()
	return true
}

// take waits for values and returns all there are; none after close, once all
// were taken.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.values) == 0 && !q.closed {
		q.some.Wait()
	}
	values := q.values
	q.values = nil
	return values
}

func (q *queue[T]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Signal()
}
