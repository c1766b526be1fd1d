package output

import "unicode/utf8"

// maxHeld bounds the start of a colour sequence kept while its end has not
// come. The longest in use, two 24-bit colours, needs 38 bytes.
const maxHeld = 48

const resetColor = "\x1b[0m"

// An escaper makes visible whatever could drive a terminal: ESC and the other
// C0 controls, DEL, C1 controls, bidirectional overrides, and bytes that are
// not UTF-8. A byte is shown as \x1b, a character as \u009b. Newline and tab
// pass; a carriage return before a newline is dropped, any other becomes what
// ret says. The result is for reading and cannot be decoded: a backslash of
// the text is left alone.
//
// An escaper works on a stream: however the text is cut into calls of append,
// the bytes that come out are the same. At most 5 bytes, or len(ret), come out
// for each byte that goes in.
type escaper struct {
	colors bool   // let SGR sequences (ESC [ … m) pass; they only colour text
	ret    []byte // what a carriage return inside a line becomes

	held    [maxHeld]byte // a sequence whose end has not come
	n       int
	colored bool // an SGR sequence has passed on this line
}

// plain tells the bytes that pass whatever stands before and after them.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = true
	}
	t['\t'] = true
	return t
}()

// append adds the visible form of src to dst.
func (e *escaper) append(dst, src []byte) []byte {
	for len(src) > 0 {
		if e.n == 0 {
			i := 0
			for i < len(src) && plain[src[i]] {
				i++
			}
			dst = append(dst, src[:i]...)
			if src = src[i:]; len(src) == 0 {
				break
			}
		}
		dst = e.step(dst, src[0])
		src = src[1:]
	}
	return dst
}

// flush ends the text: what was held shows as the incomplete thing it is.
func (e *escaper) flush(dst []byte) []byte {
	if e.n > 0 {
		dst = e.spill(dst)
	}
	return e.uncolor(dst)
}

func (e *escaper) uncolor(dst []byte) []byte {
	if e.colored {
		e.colored = false
		dst = append(dst, resetColor...)
	}
	return dst
}

func (e *escaper) step(dst []byte, c byte) []byte {
	if e.n > 0 {
		return e.extend(dst, c)
	}
	switch {
	case plain[c]:
		return append(dst, c)
	case c == '\n':
		return append(e.uncolor(dst), '\n')
	case c == '\r', c == 0x1b && e.colors, c >= 0xc2 && c <= 0xf4:
		e.hold(c)
		return dst
	}
	return appendHex(dst, c)
}

func (e *escaper) hold(c byte) {
	e.held[e.n] = c
	e.n++
}

// extend takes one more byte after held ones.
func (e *escaper) extend(dst []byte, c byte) []byte {
	switch first := e.held[0]; {
	case first == '\r':
		e.n = 0
		if c != '\n' {
			dst = append(dst, e.ret...)
		}
		return e.step(dst, c)

	case first == 0x1b:
		switch {
		case e.n == 1 && c == '[', e.n > 1 && isParameter(c) && e.n < maxHeld-1:
			e.hold(c)
			return dst
		case e.n > 1 && c == 'm':
			dst = append(append(dst, e.held[:e.n]...), 'm')
			e.n, e.colored = 0, true
			return dst
		}
		return e.step(e.spill(dst), c)
	}

	e.hold(c)
	if !utf8.FullRune(e.held[:e.n]) {
		return dst
	}
	r, size := utf8.DecodeRune(e.held[:e.n])
	switch {
	case r == utf8.RuneError && size == 1:
		return e.spill(dst)
	case isControl(r):
		dst = appendRune(dst, r)
	default:
		dst = append(dst, e.held[:size]...)
	}
	e.n = 0
	return dst
}

// spill gives up on the held sequence: its first byte is shown (or is a
// carriage return), the others start over.
func (e *escaper) spill(dst []byte) []byte {
	rest := e.held
	n := e.n
	e.n = 0
	if rest[0] == '\r' {
		dst = append(dst, e.ret...)
	} else {
		dst = appendHex(dst, rest[0])
	}
	for _, c := range rest[1:n] {
		dst = e.step(dst, c)
	}
	return dst
}

func isParameter(c byte) bool { return c >= '0' && c <= '9' || c == ';' || c == ':' }

// isControl tells the characters beyond ASCII that steer a terminal (C1) or
// reorder the line they stand in.
func isControl(r rune) bool {
	return r >= 0x80 && r <= 0x9f ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

func appendRune(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// Escape returns text with everything that could drive a terminal made
// visible, newlines and tabs excepted. It is for text of the ranks that the
// launcher quotes in messages of its own.
func Escape(text string) string {
	e := escaper{ret: []byte(`\r`)}
	return string(e.flush(e.append(make([]byte, 0, len(text)), []byte(text))))
}
