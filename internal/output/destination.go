package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	idleLimit = time.Second      // how long others wait for the next piece of a long line
	lineLimit = 10 * time.Second // how long others wait for the end of a long line
)

// A destination is where lines end: standard output, standard error, or both
// if they are one file. It knows whether the last byte written ended a line,
// and whose line is open otherwise.
type destination struct {
	sink     *Sink
	name     string
	w        io.Writer
	terminal bool
	alone    bool   // one rank writes here: breaking its lines for its own sake would change bytes
	queue    *queue // nil: a slow reader blocks

	mu      sync.Mutex
	open    *stream // whose line is open; nil at the start of a line
	began   time.Time
	until   time.Time     // others wait for the end of the open line until then
	changed chan struct{} // closed when the open line ends; nil if nobody waits
	torn    bool          // a failed write left part of a line
	gone    bool          // the reader has closed
	warned  bool

	dropped atomic.Int64
	lost    atomic.Int64
}

func (s *Sink) newDestination(name string, w io.Writer, terminal, alone, drop bool) *destination {
	d := &destination{sink: s, name: name, w: w, alone: alone, terminal: terminal}
	if drop {
		d.queue = newQueue(d)
	}
	return d
}

// A piece is bytes of one stream on their way to a destination.
type piece struct {
	bytes     []byte
	continues bool   // the line begun by the stream's piece before
	prefix    []byte // to repeat if that line was broken meanwhile
	open      bool   // the last line of bytes does not end here
	hold      bool   // others shall wait for its end
}

// put writes a piece when it is its turn.
func (d *destination) put(st *stream, p piece) error {
	if len(p.bytes) == 0 {
		return nil
	}
	if d.queue != nil {
		return d.queue.put(p.bytes, st)
	}
	d.mu.Lock()
	for d.others(st) && !d.gone {
		wait := time.Until(d.until)
		if wait <= 0 {
			break
		}
		d.await(wait)
	}
	resumes := p.continues && d.open == st
	var head []byte
	if d.open != nil && d.open != st && !d.alone {
		head = append(head, '\n')
	}
	if p.continues && !resumes {
		head = append(head, p.prefix...)
	}
	err := d.write(head)
	if err == nil {
		err = d.write(p.bytes)
	}
	if p.open {
		now := time.Now()
		if !resumes {
			d.began = now
		}
		d.open, d.until = st, time.Time{}
		if p.hold {
			d.until = now.Add(idleLimit)
			if last := d.began.Add(lineLimit); last.Before(d.until) {
				d.until = last
			}
		}
	} else {
		d.open = nil
		d.wake()
	}
	d.mu.Unlock()
	return d.settle(err)
}

// message writes whole lines at once.
func (d *destination) message(text []byte) error {
	if d.queue != nil {
		return d.queue.put(text, nil)
	}
	d.mu.Lock()
	var err error
	if d.open != nil {
		err = d.write([]byte{'\n'})
		d.open = nil
		d.wake()
	}
	if err == nil {
		err = d.write(text)
	}
	d.mu.Unlock()
	return d.settle(err)
}

// others tells whether another rank's line is open. A rank's two streams do not
// wait for each other: one goroutine may be writing both.
func (d *destination) others(st *stream) bool { return d.open != nil && d.open.rank != st.rank }

// await gives up the lock until the open line ends, at most for limit.
func (d *destination) await(limit time.Duration) {
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	changed := d.changed
	d.mu.Unlock()
	t := time.NewTimer(limit)
	select {
	case <-changed:
	case <-t.C:
	}
	t.Stop()
	d.mu.Lock()
}

func (d *destination) wake() {
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// write writes b under d.mu. After a failure that tore a line the next
// write starts a new one.
func (d *destination) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if d.gone {
		return ErrClosed
	}
	if d.torn {
		if _, err := d.w.Write([]byte{'\n'}); err != nil {
			d.lost.Add(int64(len(b)))
			return d.failed(err)
		}
		d.torn = false
	}
	n, err := d.w.Write(b)
	if err == nil {
		return nil
	}
	d.torn = n > 0 && b[n-1] != '\n' || n == 0 && d.open != nil
	d.lost.Add(int64(len(b) - n))
	return d.failed(err)
}

func (d *destination) failed(err error) error {
	if isBrokenPipe(err) || errors.Is(err, io.ErrClosedPipe) {
		d.gone = true
		d.wake()
		return ErrClosed
	}
	return err
}

// settle is what follows a write, without the lock: a reader that has gone
// is the caller's business, any other failure is reported once and the job
// goes on.
func (d *destination) settle(err error) error {
	if err == nil {
		return nil
	}
	if err == ErrClosed {
		d.sink.readerGone()
		return err
	}
	d.mu.Lock()
	first := !d.warned
	d.warned = true
	d.mu.Unlock()
	if first && d != d.sink.stderr {
		d.sink.Message(fmt.Sprintf("muster: writing %s: %v; the job goes on, what cannot be written is lost\n", d.name, cause(err)))
	}
	return nil
}

// drain waits until a queue is written.
func (d *destination) drain() error {
	if d.queue != nil {
		return d.queue.close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return ErrClosed
	}
	return nil
}

// wholeLines returns the longest start of b that ends with a newline.
func wholeLines(b []byte) []byte { return b[:bytes.LastIndexByte(b, '\n')+1] }
