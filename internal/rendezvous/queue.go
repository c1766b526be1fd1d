package rendezvous

import "sync"

// queue hands items from those that put, who never wait, to one that takes.
type queue[T any] struct {
	mu     sync.Mutex
	filled sync.Cond
	items  []T
	end    error // what take returns once the items are taken; nil: it waits
}

func newQueue[T any]() *queue[T] {
	q := new(queue[T])
	q.filled.L = &q.mu
	return q
}

// put reports false if the queue has ended.
func (q *queue[T]) put(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end != nil {
		return false
	}
	q.items = append(q.items, item)
	q.filled.Signal()
	return true
}

// close ends the queue unless it has ended before. What is in it can still be taken.
func (q *queue[T]) close(end error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = end
		q.filled.Broadcast()
	}
}

// take waits for the next item, and returns how the queue has ended if there is none.
func (q *queue[T]) take() (item T, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		if q.end != nil {
			return item, q.end
		}
		q.filled.Wait()
	}
	item = q.items[0]
	q.items = q.items[1:]
	return item, nil
}
