package output

import (
	"bytes"
	"sync"
	"time"
)

// promptDelay is how long the start of a line waits for its end before a
// terminal shows it.
const promptDelay = 100 * time.Millisecond

// A stream assembles the lines of one rank's standard output or error.
type stream struct {
	rank  int
	d     *destination
	tags  *tagger
	plain bool // lines pass as they are

	mu     sync.Mutex
	line   []byte  // a line whose end has not come, at most maxLine of it
	begun  bool    // part of the line has been put already
	prefix []byte  // of the line, once begun
	esc    escaper // at work unless plain or Raw
	raw    bool    // of esc: do not use it
	ended  bool
	prompt *time.Timer // nil unless the destination is a terminal
}

func newStream(rank int, d *destination, tags *tagger, raw bool) *stream {
	st := &stream{rank: rank, d: d, tags: tags}
	st.raw = raw || !tags.on() && !d.terminal
	st.plain = st.raw && !tags.on()
	st.esc.colors = tags.color && d.terminal
	st.esc.ret = []byte(`\r`)
	return st
}

func (st *stream) write(chunk []byte, eof bool) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ended {
		return nil
	}
	st.ended = eof
	if st.prompt != nil {
		st.prompt.Stop()
	}
	if st.d.alone {
		return st.pass(chunk, eof)
	}
	err := st.lines(chunk)
	if err == nil && eof && (len(st.line) > 0 || st.begun) {
		st.line = append(st.line, '\n')
		err = st.emit(st.line, false, false)
		st.line = nil
	}
	if err == nil && len(st.line) > 0 && st.d.terminal && st.d.queue == nil {
		st.promptLater()
	}
	return err
}

// pass writes the bytes of a job's only rank at once.
func (st *stream) pass(chunk []byte, eof bool) error {
	if !st.raw {
		st.esc.ret = []byte{'\r'}
		chunk = st.esc.append(nil, chunk)
		if eof {
			chunk = st.esc.flush(chunk)
		}
	}
	return st.d.put(st, piece{bytes: chunk, continues: true, open: len(chunk) > 0 && chunk[len(chunk)-1] != '\n'})
}

// lines puts the lines that chunk completes and keeps what follows the last
// of them.
func (st *stream) lines(chunk []byte) error {
	whole := wholeLines(chunk)
	rest := chunk[len(whole):]
	if len(whole) > 0 {
		if len(st.line) > 0 {
			// Only the first line of chunk belongs to what was kept.
			first := bytes.IndexByte(whole, '\n') + 1
			st.line = append(st.line, whole[:first]...)
			if err := st.emitLine(false, false); err != nil {
				return err
			}
			whole = whole[first:]
		}
		if err := st.emit(whole, false, false); err != nil {
			return err
		}
	}
	for len(st.line)+len(rest) >= maxLine {
		n := maxLine - len(st.line)
		st.line = append(st.line, rest[:n]...)
		rest = rest[n:]
		if err := st.emitLine(true, true); err != nil {
			return err
		}
	}
	st.line = append(st.line, rest...)
	return nil
}

// emitLine emits what was kept, and keeps it no longer, also if nobody takes it.
func (st *stream) emitLine(open, hold bool) error {
	err := st.emit(st.line, open, hold)
	st.line = st.line[:0]
	return err
}

// buffers holds the rendered form of a batch of lines.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// emit puts b, whole lines or with open a piece of one.
func (st *stream) emit(b []byte, open, hold bool) error {
	if len(b) == 0 {
		return nil
	}
	p := piece{bytes: b, continues: st.begun, open: open, hold: hold}
	if !st.plain {
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		p.prefix = st.prefix
		*buf = st.render((*buf)[:0], b)
		p.bytes = *buf
		if cap(*buf) > 4*maxLine {
			*buf = nil
		}
	}
	if open && st.d.queue != nil {
		// Nobody waits for the rest of a line before a queue, so it
		// ends here.
		p.bytes = append(p.bytes[:len(p.bytes):len(p.bytes)], '\n')
		open = false
	}
	st.begun = open
	return st.d.put(st, p)
}

// render adds prefixes and makes controls visible.
func (st *stream) render(dst, b []byte) []byte {
	now := st.tags.now()
	for begun := st.begun; len(b) > 0; begun = false {
		if !begun {
			st.prefix = st.tags.append(st.prefix[:0], st.rank, now)
			dst = append(dst, st.prefix...)
			if st.d.terminal {
				st.esc.ret = append(append(st.esc.ret[:0], '\r'), st.prefix...)
			}
		}
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		if st.raw {
			dst = append(dst, b[:n]...)
		} else {
			dst = st.esc.append(dst, b[:n])
		}
		b = b[n:]
	}
	return dst
}

func (st *stream) promptLater() {
	if st.prompt == nil {
		st.prompt = time.AfterFunc(promptDelay, st.showPrompt)
		return
	}
	st.prompt.Reset(promptDelay)
}

// showPrompt shows the start of a line. Nobody is told of an error: the next
// write meets it as well.
func (st *stream) showPrompt() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.line) == 0 || st.ended {
		return
	}
	st.emitLine(true, false)
}
