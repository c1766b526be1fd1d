package main

import (
	"bufio"
	"bytes"
	"io"
	"strconv"

	"gonum.org/v1/gonum/blas/blas64"
)

// readCSV reads one matrix row per line, numbers separated by commas, blanks
// around them allowed; no heading, quotes, comments or empty lines. Errors name
// line and column. It allocates at most 8 bytes per 2 bytes of text.
func readCSV(text []byte) (*content, error) {
	if len(text) == 0 {
		return nil, errorAt(1, 1, "expected numbers separated by commas, the file is empty")
	}
	// A number and its separator take two bytes at least, so text full of
	// commas cannot ask for more than half its length.
	fields := bytes.Count(text, []byte{','}) + bytes.Count(text, []byte{'\n'}) + 1
	c := &content{dense: make([]float64, 0, min(fields, len(text)/2+1))}
	l := lines{rest: text}
	for {
		line, ok := l.next()
		if !ok {
			return c, nil
		}
		n, err := c.appendCSV(line, l.number)
		if err != nil {
			return nil, err
		}
		if c.rows == 0 {
			c.cols = n
		}
		if n != c.cols {
			return nil, errorAt(l.number, len(line)+1, "this row has %d numbers, the first has %d", n, c.cols)
		}
		if c.rows++; c.rows > maxDimension || c.cols > maxDimension {
			return nil, errorAt(l.number, 1, "more than %d rows or columns", maxDimension)
		}
	}
}

// appendCSV appends the numbers of one line and returns how many there are.
func (c *content) appendCSV(line []byte, number int) (n int, err error) {
	for start := 0; ; {
		end := bytes.IndexByte(line[start:], ',')
		last := end < 0
		if last {
			end = len(line)
		} else {
			end += start
		}
		lo, hi := start, end
		for lo < hi && blank(line[lo]) {
			lo++
		}
		for lo < hi && blank(line[hi-1]) {
			hi--
		}
		value, wrong := parseReal(line[lo:hi])
		if wrong != "" {
			return n, errorAt(number, lo+1, "%s", wrong)
		}
		c.dense = append(c.dense, value)
		n++
		if last {
			return n, nil
		}
		start = end + 1
	}
}

// writeCSV writes a row per line, each number in the fewest digits that read back
// as the same float64.
func writeCSV(to io.Writer, a blas64.General) error {
	w := bufio.NewWriter(to)
	var digits [32]byte
	for i := range a.Rows {
		for j, v := range a.Data[i*a.Stride:][:a.Cols] {
			if j > 0 {
				w.WriteByte(',')
			}
			w.Write(strconv.AppendFloat(digits[:0], v, 'g', -1, 64))
		}
		w.WriteByte('\n')
	}
	return w.Flush() // bufio keeps the first error of all writes
}
