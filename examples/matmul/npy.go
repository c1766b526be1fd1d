package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/blas/blas64"
)

const npyMagic = "\x93NUMPY"

// npyTypes are the element types read: kind and size in bytes.
var npyTypes = []string{"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}

// readNPY reads NumPy's array file format, versions 1, 2 and 3 (NEP 1): two
// dimensions, float64, float32 or integers of 1 to 8 bytes, either byte order, C
// or Fortran order. Elements that are not finite, or integers that float64 does
// not hold exactly, are refused. Errors name the byte offset. It allocates at most
// 8 bytes per byte of file.
func readNPY(file []byte) (*content, error) {
	h, err := npyHeader(file)
	if err != nil {
		return nil, err
	}
	data := file[h.end:]
	if len(data)%h.size != 0 || h.rows*h.cols != len(data)/h.size {
		return nil, fmt.Errorf("byte %d: a %d×%d array of %s needs %d elements of %d bytes, %d bytes follow the header",
			h.end, h.rows, h.cols, h.descr, h.rows*h.cols, h.size, len(data))
	}
	c := &content{rows: h.rows, cols: h.cols, dense: make([]float64, h.rows*h.cols)}
	for at := range h.rows * h.cols {
		v, ok := h.element(data[at*h.size:][:h.size])
		if !ok {
			return nil, fmt.Errorf("byte %d: element %d is not finite, or not exact, as float64", h.end+at*h.size, at)
		}
		to := at
		if h.fortran {
			to = at%h.rows*h.cols + at/h.rows
		}
		c.dense[to] = v
	}
	return c, nil
}

// An npyHead is what the header of an npy file says.
type npyHead struct {
	descr      string
	kind       byte // f, i or u
	size       int  // of an element, in bytes
	order      binary.ByteOrder
	fortran    bool
	rows, cols int
	end        int // offset of the first element
}

// element converts one element; ok is false if float64 cannot hold it, or it is
// not finite.
func (h *npyHead) element(b []byte) (v float64, ok bool) {
	var raw uint64
	switch h.size {
	case 1:
		raw = uint64(b[0])
	case 2:
		raw = uint64(h.order.Uint16(b))
	case 4:
		raw = uint64(h.order.Uint32(b))
	case 8:
		raw = h.order.Uint64(b)
	}
	switch h.kind {
	case 'u':
		return float64(raw), exactUint(raw)
	case 'i':
		unused := 64 - 8*h.size
		n := int64(raw<<unused) >> unused
		return float64(n), exactInt(n)
	}
	v = math.Float64frombits(raw)
	if h.size == 4 {
		v = float64(math.Float32frombits(uint32(raw)))
	}
	return v, !math.IsInf(v, 0) && !math.IsNaN(v)
}

func npyHeader(file []byte) (npyHead, error) {
	var h npyHead
	if !bytes.HasPrefix(file, []byte(npyMagic)) {
		return h, fmt.Errorf("byte 0: expected %q, found %s", npyMagic, quoted(file[:min(len(file), len(npyMagic))]))
	}
	if len(file) < 10 {
		return h, fmt.Errorf("byte %d: the file ends within the header", len(file))
	}
	start, length := 10, uint64(binary.LittleEndian.Uint16(file[8:]))
	switch version := file[6]; {
	case file[7] != 0 || version < 1 || version > 3:
		return h, fmt.Errorf("byte 6: expected version 1.0, 2.0 or 3.0, found %d.%d", version, file[7])
	case version >= 2:
		if len(file) < 12 {
			return h, fmt.Errorf("byte %d: the file ends within the header", len(file))
		}
		start, length = 12, uint64(binary.LittleEndian.Uint32(file[8:]))
	}
	if length > uint64(len(file)-start) {
		return h, fmt.Errorf("byte 8: a header of %d bytes is declared, only %d follow", length, len(file)-start)
	}
	h.end = start + int(length)
	p := literal{text: file[:h.end], pos: start}
	p.head(&h)
	return h, p.err
}

// head reads the dictionary of the header: descr, fortran_order and shape, each
// once, in any order.
func (p *literal) head(h *npyHead) {
	seen := map[string]bool{}
	p.expect('{')
	for p.err == nil && !p.accept('}') {
		at := p.pos
		key := p.quotedString()
		if seen[key] {
			p.fail(at, "%q is given twice", key)
		}
		seen[key] = true
		p.expect(':')
		switch key {
		case "descr":
			p.descr(h)
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			p.shape(h)
		default:
			p.fail(at, "expected 'descr', 'fortran_order' or 'shape', found %s", quoted([]byte(key)))
		}
		if !p.accept(',') {
			p.expect('}')
			break
		}
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			p.fail(p.pos, "the header does not give %q", key)
		}
	}
	if rest := bytes.TrimLeft(p.text[p.pos:], " "); p.err == nil && string(rest) != "\n" {
		p.fail(p.pos, "expected blanks and a newline to the end of the header, found %s", quoted(rest))
	}
}

func (p *literal) descr(h *npyHead) {
	p.skipBlanks()
	at := p.pos
	h.descr = p.quotedString()
	if p.err != nil {
		return
	}
	if len(h.descr) == 3 {
		h.kind, h.size = h.descr[1], int(h.descr[2]-'0')
		switch h.descr[0] {
		case '<':
			h.order = binary.LittleEndian
		case '>':
			h.order = binary.BigEndian
		case '|':
			if h.size == 1 {
				h.order = binary.LittleEndian
			}
		}
	}
	if h.order == nil || !slices.Contains(npyTypes, h.descr[1:]) {
		p.fail(at, "expected elements of type f8, f4, or i or u with 1, 2, 4 or 8, after < or >; found %s", quoted([]byte(h.descr)))
	}
}

func (p *literal) shape(h *npyHead) {
	p.skipBlanks()
	at := p.pos
	p.expect('(')
	var dims []int
	for p.err == nil && !p.accept(')') {
		dims = append(dims, p.count())
		if len(dims) > 2 {
			break
		}
		if !p.accept(',') {
			p.expect(')')
			break
		}
	}
	if p.err != nil {
		return
	}
	if len(dims) != 2 {
		p.fail(at, "expected a shape of two dimensions")
		return
	}
	h.rows, h.cols = dims[0], dims[1]
	if h.rows < 1 || h.cols < 1 || h.rows > maxDimension || h.cols > maxDimension {
		p.fail(at, "expected from 1 to %d rows and columns, found %d×%d", maxDimension, h.rows, h.cols)
	}
}

// writeNPY writes a as version 1.0, little-endian float64, C order. The header is
// padded so that the elements start at a multiple of 64, as NEP 1 asks.
func writeNPY(to io.Writer, a blas64.General) error {
	w := bufio.NewWriter(to)
	dict := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", a.Rows, a.Cols)
	unpadded := len(npyMagic) + 4 + len(dict) + 1
	dict += strings.Repeat(" ", (64-unpadded%64)%64) + "\n"
	w.WriteString(npyMagic + "\x01\x00")
	w.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(dict))))
	w.WriteString(dict)
	var element [8]byte
	for i := range a.Rows {
		for _, v := range a.Data[i*a.Stride:][:a.Cols] {
			binary.LittleEndian.PutUint64(element[:], math.Float64bits(v))
			w.Write(element[:])
		}
	}
	return w.Flush() // bufio keeps the first error of all writes
}
