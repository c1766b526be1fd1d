package main

import (
	"bytes"
	"fmt"
	"regexp"
	"time"
)

// A timeReader takes the output of a program and looks in its lines for the time
// that the program says it took. Of a line that is longer than longestLine it sees
// only so much.
type timeReader struct {
	form  *regexp.Regexp // its group is the time
	line  []byte         // the last one, without its end
	found []string
}

const longestLine = 4096

func (r *timeReader) Write(p []byte) (int, error) {
	n := len(p)
	for {
		text, rest, whole := bytes.Cut(p, []byte("\n"))
		r.line = append(r.line, text[:min(len(text), longestLine-len(r.line))]...)
		if !whole {
			return n, nil
		}
		r.end()
		p = rest
	}
}

// end looks at the line that is there.
func (r *timeReader) end() {
	if m := r.form.FindSubmatch(bytes.TrimSuffix(r.line, []byte("\r"))); m != nil {
		r.found = append(r.found, string(m[1]))
	}
	r.line = r.line[:0]
}

// time is the time that the program said; ok is false if it said none. It is
// called after the last Write.
func (r *timeReader) time() (t time.Duration, ok bool, err error) {
	if len(r.line) > 0 {
		r.end()
	}
	switch len(r.found) {
	case 0:
		return 0, false, nil
	case 1:
		if t, err = parseDuration(r.found[0]); err != nil {
			return 0, false, fmt.Errorf("the program says its time is %w", err)
		}
		return t, true, nil
	}
	return 0, false, fmt.Errorf("the program says its time %d times, first %s and then %s: expected one line, of one rank", len(r.found), quote(r.found[0]), quote(r.found[1]))
}

// A tail keeps the last bytes that are written to it.
type tail struct{ kept []byte }

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*tailBytes {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.kept[max(0, len(t.kept)-tailBytes):]) }
