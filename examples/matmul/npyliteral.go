package main

import (
	"bytes"
	"fmt"
)

// A literal reads the few forms of a Python literal that occur in a header. The
// first error sticks.
type literal struct {
	text []byte
	pos  int
	err  error
}

func (p *literal) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("byte %d: %s", at, fmt.Sprintf(format, args...))
	}
}

func (p *literal) skipBlanks() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

// found names what stands at the reading position.
func (p *literal) found() string {
	if p.pos == len(p.text) {
		return "the end of the header"
	}
	return quoted(p.text[p.pos : p.pos+1])
}

func (p *literal) accept(b byte) bool {
	p.skipBlanks()
	if p.err != nil || p.pos == len(p.text) || p.text[p.pos] != b {
		return false
	}
	p.pos++
	return true
}

func (p *literal) expect(b byte) {
	if !p.accept(b) {
		p.fail(p.pos, "expected %q, found %s", b, p.found())
	}
}

func (p *literal) quotedString() string {
	quote := byte('\'')
	if !p.accept(quote) {
		quote = '"'
		p.expect(quote)
	}
	if p.err != nil {
		return ""
	}
	n := bytes.IndexByte(p.text[p.pos:], quote)
	if n < 0 {
		p.fail(p.pos, "the string has no end")
		return ""
	}
	s := string(p.text[p.pos : p.pos+n])
	p.pos += n + 1
	return s
}

func (p *literal) boolean() bool {
	p.skipBlanks()
	for _, word := range []string{"True", "False"} {
		if bytes.HasPrefix(p.text[p.pos:], []byte(word)) {
			p.pos += len(word)
			return word == "True"
		}
	}
	p.fail(p.pos, "expected True or False, found %s", p.found())
	return false
}

func (p *literal) count() int {
	p.skipBlanks()
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	n, ok := parseCount(p.text[start:p.pos])
	if !ok {
		p.fail(start, "expected a number of rows or columns, found %s", p.found())
	}
	return n
}
