// Package queue hands values from any goroutine to one, in order.
package queue

import "sync"

// A Queue never blocks the one who puts; what is put is bounded by other means.
type Queue[T any] struct {
	mu     sync.Mutex
	some   sync.Cond
	values []T
	end    error // nil: more may come
}

// New returns a queue in which there is nothing.
func New[T any]() *Queue[T] {
	q := new(Queue[T])
	q.some.L = &q.mu
	return q
}

// Put adds v to the queue and never waits. It adds nothing and reports false after Close.
func (q *Queue[T]) Put(v T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end != nil {
		return false
	}
	q.values = append(q.values, v)
	q.some.Signal()
	return true
}

// Close ends the queue with end, which is not nil, unless it has ended before. What is in it
// can still be taken.
func (q *Queue[T]) Close(end error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = end
		q.some.Broadcast()
	}
}

// Take waits for values, and removes and returns all there are, in order; nil after Close,
// once all were taken.
func (q *Queue[T]) Take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.awaitLocked()
	values := q.values
	q.values = nil
	return values
}

// Next waits for a value and returns it; once all were taken, how the queue has ended.
func (q *Queue[T]) Next() (v T, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.awaitLocked()
	if len(q.values) == 0 {
		return v, q.end
	}
	v = q.values[0]
	if q.values = q.values[1:]; len(q.values) == 0 {
		q.values = nil // and with it what was taken
	}
	return v, nil
}

func (q *Queue[T]) awaitLocked() {
	for len(q.values) == 0 && q.end == nil {
		q.some.Wait()
	}
}
