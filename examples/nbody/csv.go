package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// csvHeader is the first line of every file of bodies. Units are such that
// G = 1: the mass column holds G times the mass.
const csvHeader = "mass,x,y,z,vx,vy,vz"

const (
	csvColumns = 7
	// csvLine is the longest line read, its end included: seven exact float64
	// numbers take less than 180 bytes.
	csvLine = 4096
	// csvChunk is the number of bodies stored at a time while their total is
	// not known, so that growth copies nothing.
	csvChunk = 512
	// maxBodies is what a command or a file may ask for.
	maxBodies = 1 << 24
)

// readCSV returns the bodies in r: a line with csvHeader, then one line for each
// body with seven decimal numbers. Lines end in LF or CRLF, the last one may
// lack its end. Quotes, spaces, empty lines and comments are refused, as are
// numbers that are not finite, negative masses and a file without bodies. An
// error begins with name:line:column, both counted from 1, columns in bytes. It
// allocates about 9 bytes for each byte of input.
func readCSV(r io.Reader, name string) (*bodies, error) {
	in := bufio.NewReaderSize(r, csvLine)
	at := func(line, column int, format string, args ...any) error {
		return fmt.Errorf("%s:%d:%d: %s", name, line, column, fmt.Sprintf(format, args...))
	}
	var chunks []*[csvChunk]body
	n := 0
	for line := 1; ; line++ {
		text, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, at(line, csvLine, "the line is longer than %d bytes", csvLine-1)
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		last := err != nil
		text = bytes.TrimSuffix(text, []byte("\n"))
		text = bytes.TrimSuffix(text, []byte("\r"))
		if line == 1 {
			if string(text) != csvHeader {
				return nil, at(1, 1, "the first line must be %q, found %q", csvHeader, clip(text))
			}
		} else if len(text) > 0 || !last {
			v, column, err := parseBody(text)
			if err != nil {
				return nil, at(line, column, "%v", err)
			}
			if n == maxBodies {
				return nil, at(line, 1, "more than %d bodies", maxBodies)
			}
			if n%csvChunk == 0 {
				chunks = append(chunks, new([csvChunk]body))
			}
			chunks[n/csvChunk][n%csvChunk] = v
			n++
		}
		if last {
			if n == 0 {
				return nil, at(line, 1, "no bodies after the header")
			}
			break
		}
	}
	b := newBodies(0, n)
	for i := range n {
		b.set(i, chunks[i/csvChunk][i%csvChunk])
	}
	return b, nil
}

// parseBody returns the body that a line describes, or an error and the column,
// counted from 1, where it lies.
func parseBody(line []byte) (body, int, error) {
	var v [csvColumns]float64
	column := 1
	for k := range v {
		field, rest, more := bytes.Cut(line, []byte(","))
		if !more && k < csvColumns-1 {
			return body{}, column + len(field), fmt.Errorf("%d columns, expected %d (%s)", k+1, csvColumns, csvHeader)
		}
		if more && k == csvColumns-1 {
			return body{}, column + len(field), fmt.Errorf("more than the %d columns %s", csvColumns, csvHeader)
		}
		x, err := parseDecimal(field)
		if err != nil {
			return body{}, column, err
		}
		v[k] = x
		line = rest
		column += len(field) + 1
	}
	if v[0] < 0 {
		return body{}, 1, fmt.Errorf("negative mass %v", v[0])
	}
	return body{v[0], v[1], v[2], v[3], v[4], v[5], v[6]}, 0, nil
}

// parseDecimal returns the finite number that field writes in decimal. It is
// narrower than strconv.ParseFloat, which also takes NaN, Inf and hexadecimal.
func parseDecimal(field []byte) (float64, error) {
	if len(field) == 0 {
		return 0, errors.New("empty field, expected a number")
	}
	for _, c := range field {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, fmt.Errorf("%q is not a decimal number", clip(field))
		}
	}
	x, err := strconv.ParseFloat(string(field), 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) && math.IsInf(x, 0) {
			return 0, fmt.Errorf("%q is beyond the range of a float64", clip(field))
		}
		return 0, fmt.Errorf("%q is not a decimal number", clip(field))
	}
	return x, nil
}

// clip returns the beginning of text, for an error message.
func clip(text []byte) string {
	const most = 40
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}

// csvWriter writes bodies so that readCSV returns them bit by bit.
type csvWriter struct {
	out  *bufio.Writer
	line []byte
}

func newCSVWriter(w io.Writer) (*csvWriter, error) {
	c := &csvWriter{out: bufio.NewWriterSize(w, 1<<16)}
	_, err := c.out.WriteString(csvHeader + "\n")
	return c, err
}

// write adds the bodies of b.
func (c *csvWriter) write(b *bodies) error {
	for i := range b.len() {
		v := b.at(i)
		c.line = c.line[:0]
		for k, x := range [csvColumns]float64{v.m, v.x, v.y, v.z, v.vx, v.vy, v.vz} {
			if k > 0 {
				c.line = append(c.line, ',')
			}
			c.line = strconv.AppendFloat(c.line, x, 'g', -1, 64)
		}
		c.line = append(c.line, '\n')
		if _, err := c.out.Write(c.line); err != nil {
			return err
		}
	}
	return nil
}

func (c *csvWriter) flush() error { return c.out.Flush() }
