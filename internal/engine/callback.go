package engine

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// callbacks runs the functions given to Then, on goroutines of its own so that
// none can hold up a link, a few at a time so that a thousand completions do
// not start a thousand goroutines, and first come first served.
var callbacks struct {
	mu      sync.Mutex
	queue   []func()
	workers int
}

// RunCallback runs f soon, on another goroutine.
func RunCallback(f func()) {
	c := &callbacks
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, f)
	if c.workers < max(2, runtime.GOMAXPROCS(0)) {
		c.workers++
		go callbackWorker()
	}
}

// callbackWorker runs what is queued and ends when there is no more.
func callbackWorker() {
	c := &callbacks
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.workers--
			c.mu.Unlock()
			return
		}
		f := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.mu.Unlock()
		guard(f)
	}
}

// guard runs f; a panic there ends f alone and is not lost.
func guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "muster: panic in a Then callback: %v\n%s", p, debug.Stack())
		}
	}()
	f()
}
