package main

import (
	"bytes"
	"math"
	"strconv"
)

// lines walks through a text. A line ends with \n or \r\n; the last may end with
// the text.
type lines struct {
	rest   []byte
	number int // of the line returned last, from 1
}

func (l *lines) next() (line []byte, ok bool) {
	if len(l.rest) == 0 {
		return nil, false
	}
	l.number++
	line, rest, found := bytes.Cut(l.rest, []byte{'\n'})
	l.rest = rest
	if found {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	return line, true
}

// A words walks through the words of a line, separated by blanks and tabs.
type words struct {
	line []byte
	pos  int
}

// next returns the next word and its column; at the end of the line the word is
// empty and the column is the one after the last byte.
func (w *words) next() (word []byte, column int) {
	for w.pos < len(w.line) && blank(w.line[w.pos]) {
		w.pos++
	}
	start := w.pos
	for w.pos < len(w.line) && !blank(w.line[w.pos]) {
		w.pos++
	}
	return w.line[start:w.pos], start + 1
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

// parseReal reads a finite decimal number and says what is wrong with it
// otherwise. Hexadecimal, underscores, Inf and NaN, all known to strconv, are
// refused: no bound on the error of a product holds for what is not finite, and
// no other program writes the rest.
func parseReal(word []byte) (value float64, wrong string) {
	if len(word) == 0 {
		return 0, "expected a number, found nothing"
	}
	for _, b := range word {
		if (b < '0' || b > '9') && b != '+' && b != '-' && b != '.' && b != 'e' && b != 'E' {
			return 0, "expected a finite decimal number, found " + quoted(word)
		}
	}
	value, err := strconv.ParseFloat(string(word), 64)
	switch {
	case err == nil:
		return value, ""
	case math.IsInf(value, 0):
		return 0, quoted(word) + " is beyond the range of float64"
	default:
		return 0, "expected a finite decimal number, found " + quoted(word)
	}
}

// parseInteger reads an integer that float64 holds exactly.
func parseInteger(word []byte) (value float64, wrong string) {
	if len(word) == 0 {
		return 0, "expected an integer, found nothing"
	}
	digits := word
	if digits[0] == '+' || digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || !decimal(digits) {
		return 0, "expected an integer, found " + quoted(word)
	}
	n, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil || !exactInt(n) {
		return 0, quoted(word) + " cannot be held exactly as float64"
	}
	return float64(n), ""
}

// parseCount reads a number of rows, columns or entries.
func parseCount(word []byte) (n int, ok bool) {
	if !decimal(word) || len(word) == 0 || len(word) > 18 {
		return 0, false
	}
	n, err := strconv.Atoi(string(word))
	return n, err == nil
}

func decimal(word []byte) bool {
	for _, b := range word {
		if b < '0' || b > '9' {
			return false
		}
	}
	return true
}

// exactInt reports whether float64 holds n exactly. The comparison with 2⁶³ keeps
// the conversion back within the range where Go defines it.
func exactInt(n int64) bool {
	f := float64(n)
	return f < 0x1p63 && int64(f) == n
}

// exactUint is exactInt for unsigned numbers.
func exactUint(n uint64) bool {
	f := float64(n)
	return f < 0x1p64 && uint64(f) == n
}
