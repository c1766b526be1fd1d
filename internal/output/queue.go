package output

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// A queue stands before a destination whose slow reader must not slow the
// ranks: what finds no room is dropped, line by line, and counted.
type queue struct {
	d *destination

	mu      sync.Mutex
	more    sync.Cond
	pending []byte // whole lines
	closing bool
	err     error
	drops   map[int]int64 // lines by rank

	done chan struct{}
}

func newQueue(d *destination) *queue {
	q := &queue{d: d, drops: make(map[int]int64), done: make(chan struct{})}
	q.more.L = &q.mu
	go q.run()
	return q
}

// put takes the whole lines b, or as many as there is room for. An empty queue
// has room for all, and there is always room for the launcher's own lines,
// where st is nil: they are few.
func (q *queue) put(b []byte, st *stream) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	if room := max(queueSize-len(q.pending), 0); st != nil && len(b) > room && room < queueSize {
		fit := wholeLines(b[:room])
		lines := int64(bytes.Count(b[len(fit):], []byte{'\n'}))
		q.drops[st.rank] += lines
		q.d.dropped.Add(lines)
		b = fit
	}
	q.pending = append(q.pending, b...)
	q.more.Signal()
	return nil
}

func (q *queue) run() {
	defer close(q.done)
	var writing []byte
	for {
		q.mu.Lock()
		for len(q.pending) == 0 && !q.closing {
			q.more.Wait()
		}
		if len(q.pending) == 0 {
			q.mu.Unlock()
			return
		}
		writing, q.pending = q.pending, writing[:0]
		q.mu.Unlock()

		q.d.mu.Lock()
		err := q.d.write(writing)
		q.d.mu.Unlock()
		if err = q.d.settle(err); err != nil {
			q.mu.Lock()
			q.err, q.pending = err, nil
			q.mu.Unlock()
			return
		}
	}
}

// close waits until everything is written.
func (q *queue) close() error {
	q.mu.Lock()
	q.closing = true
	q.more.Signal()
	q.mu.Unlock()
	<-q.done
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// droppedText says which ranks' lines were dropped; empty if none were.
func (d *destination) droppedText() string {
	if d.queue == nil {
		return ""
	}
	const listed = 8
	q := d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.drops) == 0 {
		return ""
	}
	var ranks []string
	for rank := 0; len(ranks) < min(listed, len(q.drops)); rank++ {
		if n := q.drops[rank]; n > 0 {
			ranks = append(ranks, fmt.Sprintf("rank %d: %d", rank, n))
		}
	}
	if len(q.drops) > listed {
		ranks = append(ranks, "…")
	}
	return fmt.Sprintf("muster: %d lines dropped because the reader of %s was slow (%s)\n",
		d.dropped.Load(), d.name, strings.Join(ranks, ", "))
}
