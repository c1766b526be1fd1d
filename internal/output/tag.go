package output

import (
	"strconv"
	"time"
)

// A tagger makes the prefixes of lines: 15:04:05.000 [ 3] .
type tagger struct {
	tag, timestamp, color bool
	width                 int // digits of the highest rank
}

func newTagger(o Options) *tagger {
	return &tagger{tag: o.Tag, timestamp: o.Timestamp, color: o.Color, width: len(strconv.Itoa(o.Size - 1))}
}

func (t *tagger) on() bool { return t.tag || t.timestamp }

// now is the time that append wants; reading the clock is not free.
func (t *tagger) now() time.Time {
	if !t.timestamp {
		return time.Time{}
	}
	return time.Now()
}

// palette holds SGR colours that can be read on dark and on light ground.
var palette = []string{"32", "36", "35", "34", "33", "31", "92", "96", "95", "94"}

func (t *tagger) append(dst []byte, rank int, now time.Time) []byte {
	if !t.on() {
		return dst
	}
	if t.color {
		dst = append(append(append(dst, "\x1b["...), palette[rank%len(palette)]...), 'm')
	}
	if t.timestamp {
		dst = now.AppendFormat(dst, "15:04:05.000")
		if t.tag {
			dst = append(dst, ' ')
		}
	}
	if t.tag {
		number := strconv.Itoa(rank)
		dst = append(dst, '[')
		for range t.width - len(number) {
			dst = append(dst, ' ')
		}
		dst = append(append(dst, number...), ']')
	}
	if t.color {
		dst = append(dst, resetColor...)
	}
	return append(dst, ' ')
}
