package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/blas/blas64"
)

// A mmKind is what the first line of a MatrixMarket file says about the rest.
type mmKind struct {
	coordinate bool
	field      string // real, integer or pattern
	symmetry   string // general, symmetric or skew-symmetric
}

// readMatrixMarket reads the exchange format of Boisvert, Pozo and Remington
// (NISTIR 5935, 1996): coordinate or array; real, integer or pattern; general,
// symmetric or skew-symmetric. Complex and Hermitian matrices are refused, as are
// a place given twice, and an element above the diagonal of a symmetric file,
// which stores the lower triangle. Errors name line and column. It allocates at
// most 24 bytes per 4 bytes of text.
func readMatrixMarket(text []byte) (*content, error) {
	l := lines{rest: text}
	kind, err := mmBanner(&l)
	if err != nil {
		return nil, err
	}
	line, err := mmSizeLine(&l)
	if err != nil {
		return nil, err
	}
	w := words{line: line}
	var c content
	for _, dim := range []*int{&c.rows, &c.cols} {
		word, column := w.next()
		n, ok := parseCount(word)
		if !ok || n < 1 || n > maxDimension {
			return nil, errorAt(l.number, column, "expected a number of rows and of columns from 1 to %d, found %s", maxDimension, quoted(word))
		}
		*dim = n
	}
	if kind.symmetry != "general" && c.rows != c.cols {
		return nil, errorAt(l.number, 1, "a %s matrix is square, this one is %d×%d", kind.symmetry, c.rows, c.cols)
	}
	if kind.coordinate {
		err = c.readEntries(&l, &w, kind)
	} else {
		err = c.readArray(&l, &w, kind)
	}
	if err != nil {
		return nil, err
	}
	for line, ok := l.next(); ok; line, ok = l.next() {
		w := words{line: line}
		if word, column := w.next(); len(word) > 0 {
			return nil, errorAt(l.number, column, "expected the end of the file after the last element, found %s", quoted(word))
		}
	}
	return &c, nil
}

func mmBanner(l *lines) (mmKind, error) {
	line, _ := l.next()
	w := words{line: line}
	if word, _ := w.next(); string(word) != "%%MatrixMarket" {
		return mmKind{}, errorAt(1, 1, "expected %%%%MatrixMarket, found %s", quoted(word))
	}
	choices := [][]string{
		{"matrix"},
		{"coordinate", "array"},
		{"real", "integer", "pattern"},
		{"general", "symmetric", "skew-symmetric"},
	}
	var got [4]string
	for i, allowed := range choices {
		word, column := w.next()
		at := slices.IndexFunc(allowed, func(s string) bool { return bytes.EqualFold([]byte(s), word) })
		if at < 0 {
			return mmKind{}, errorAt(1, column, "expected %s, found %s", alternatives(allowed), quoted(word))
		}
		got[i] = allowed[at]
	}
	if word, column := w.next(); len(word) > 0 {
		return mmKind{}, errorAt(1, column, "expected the end of the line, found %s", quoted(word))
	}
	kind := mmKind{coordinate: got[1] == "coordinate", field: got[2], symmetry: got[3]}
	if kind.field == "pattern" && (!kind.coordinate || kind.symmetry == "skew-symmetric") {
		return mmKind{}, errorAt(1, 1, "pattern goes with coordinate, and with general or symmetric; found %s %s", got[1], got[3])
	}
	return kind, nil
}

// alternatives lists words as a sentence does: a, b or c.
func alternatives(list []string) string {
	s := list[0]
	for i, word := range list[1:] {
		if i == len(list)-2 {
			s += " or " + word
		} else {
			s += ", " + word
		}
	}
	return s
}

// mmSizeLine skips comments and empty lines and returns the line after them.
func mmSizeLine(l *lines) ([]byte, error) {
	for {
		line, ok := l.next()
		if !ok {
			return nil, errorAt(l.number+1, 1, "expected the line with the dimensions, found the end of the file")
		}
		w := words{line: line}
		if word, _ := w.next(); len(word) > 0 && line[0] != '%' {
			return line, nil
		}
	}
}

// mmDataLine returns the next line that is not empty.
func mmDataLine(l *lines, have, want int) ([]byte, error) {
	for {
		line, ok := l.next()
		if !ok {
			return nil, errorAt(l.number+1, 1, "expected element %d of %d, found the end of the file", have+1, want)
		}
		w := words{line: line}
		if word, _ := w.next(); len(word) > 0 {
			return line, nil
		}
	}
}

// mmEnd reports whatever follows the last word expected in a line.
func mmEnd(l *lines, w *words) error {
	if word, column := w.next(); len(word) > 0 {
		return errorAt(l.number, column, "expected the end of the line, found %s", quoted(word))
	}
	return nil
}

// value reads an element as the file's field has it.
func (kind mmKind) value(l *lines, w *words) (float64, error) {
	word, column := w.next()
	parse := parseReal
	if kind.field == "integer" {
		parse = parseInteger
	}
	v, wrong := parse(word)
	if wrong != "" {
		return 0, errorAt(l.number, column, "%s", wrong)
	}
	return v, nil
}

// mmRoom checks a declared number of elements against the text that is left, in
// which each takes bytes at least (the last one need not end its line).
func mmRoom(l *lines, want, bytes int) error {
	if room := (len(l.rest) + 1) / bytes; want > room {
		return errorAt(l.number, 1, "the dimensions declare %d elements, but the %d bytes that follow hold at most %d", want, len(l.rest), room)
	}
	return nil
}

func (c *content) readEntries(l *lines, size *words, kind mmKind) error {
	word, column := size.next()
	want, ok := parseCount(word)
	if !ok {
		return errorAt(l.number, column, "expected the number of entries, found %s", quoted(word))
	}
	if err := mmEnd(l, size); err != nil {
		return err
	}
	shortest := len("1 1 1\n")
	if kind.field == "pattern" {
		shortest = len("1 1\n")
	}
	if err := mmRoom(l, want, shortest); err != nil {
		return err
	}
	switch kind.symmetry {
	case "symmetric":
		c.mirror = 1
	case "skew-symmetric":
		c.mirror = -1
	}
	c.entries = make([]entry, 0, want)
	for len(c.entries) < want {
		line, err := mmDataLine(l, len(c.entries), want)
		if err != nil {
			return err
		}
		e, err := c.readEntry(l, line, kind)
		if err != nil {
			return err
		}
		c.entries = append(c.entries, e)
	}
	slices.SortFunc(c.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col), cmp.Compare(a.line, b.line))
	})
	for i := 1; i < len(c.entries); i++ {
		if a, b := c.entries[i-1], c.entries[i]; a.row == b.row && a.col == b.col {
			return errorAt(int(b.line), 1, "element (%d, %d) was given before, in line %d", b.row+1, b.col+1, a.line)
		}
	}
	return nil
}

func (c *content) readEntry(l *lines, line []byte, kind mmKind) (entry, error) {
	w := words{line: line}
	var at [2]int
	for i, limit := range []int{c.rows, c.cols} {
		word, column := w.next()
		n, ok := parseCount(word)
		if !ok || n < 1 || n > limit {
			return entry{}, errorAt(l.number, column, "expected a %s number from 1 to %d, found %s", [2]string{"row", "column"}[i], limit, quoted(word))
		}
		at[i] = n - 1
	}
	switch {
	case c.mirror != 0 && at[0] < at[1]:
		return entry{}, errorAt(l.number, 1, "a %s file holds the lower triangle, element (%d, %d) is above it", kind.symmetry, at[0]+1, at[1]+1)
	case c.mirror < 0 && at[0] == at[1]:
		return entry{}, errorAt(l.number, 1, "the diagonal of a skew-symmetric matrix is zero and not listed, found element (%d, %d)", at[0]+1, at[1]+1)
	}
	if l.number > math.MaxInt32 {
		return entry{}, errorAt(l.number, 1, "more than %d lines", math.MaxInt32)
	}
	e := entry{row: int32(at[0]), col: int32(at[1]), line: int32(l.number), value: 1}
	if kind.field != "pattern" {
		var err error
		if e.value, err = kind.value(l, &w); err != nil {
			return entry{}, err
		}
	}
	return e, mmEnd(l, &w)
}

// readArray reads a dense matrix, column by column, of which symmetric files hold
// the lower triangle and skew-symmetric ones that without its diagonal.
func (c *content) readArray(l *lines, size *words, kind mmKind) error {
	if err := mmEnd(l, size); err != nil {
		return err
	}
	want := c.rows * c.cols
	first := func(j int) int { return 0 }
	switch kind.symmetry {
	case "symmetric":
		want, first = c.rows*(c.rows+1)/2, func(j int) int { return j }
	case "skew-symmetric":
		want, first = c.rows*(c.rows-1)/2, func(j int) int { return j + 1 }
	}
	if err := mmRoom(l, want, len("1\n")); err != nil {
		return err
	}
	c.dense = make([]float64, c.rows*c.cols)
	have := 0
	for j := range c.cols {
		for i := first(j); i < c.rows; i++ {
			line, err := mmDataLine(l, have, want)
			if err != nil {
				return err
			}
			w := words{line: line}
			v, err := kind.value(l, &w)
			if err == nil {
				err = mmEnd(l, &w)
			}
			if err != nil {
				return err
			}
			have++
			c.dense[i*c.cols+j] = v
			switch {
			case kind.symmetry == "symmetric":
				c.dense[j*c.cols+i] = v
			case kind.symmetry == "skew-symmetric":
				c.dense[j*c.cols+i] = -v
			}
		}
	}
	return nil
}

// writeMatrixMarket writes a as "array real general", each number in the fewest
// digits that read back as the same float64.
func writeMatrixMarket(to io.Writer, a blas64.General) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%%%%MatrixMarket matrix array real general\n%d %d\n", a.Rows, a.Cols)
	var digits [32]byte
	for j := range a.Cols {
		for i := range a.Rows {
			w.Write(append(strconv.AppendFloat(digits[:0], a.Data[i*a.Stride+j], 'g', -1, 64), '\n'))
		}
	}
	return w.Flush() // bufio keeps the first error of all writes
}
