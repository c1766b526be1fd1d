package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
)

// npyFile builds a file of the given version around a header and its elements.
func npyFile(version byte, header string, elements any, order binary.ByteOrder) string {
	var b bytes.Buffer
	b.WriteString(npyMagic)
	b.Write([]byte{version, 0})
	if version == 1 {
		binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	} else {
		binary.Write(&b, binary.LittleEndian, uint32(len(header)))
	}
	b.WriteString(header)
	if elements != nil {
		if err := binary.Write(&b, order, elements); err != nil {
			panic(err)
		}
	}
	return b.String()
}

func npyDict(descr, fortran, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }   \n", descr, fortran, shape)
}

func TestNPYElementTypesOrdersAndVersions(t *testing.T) {
	want := matrixOf(2, 3, 1, 2, 3, 4, 5, 100)
	for _, test := range []struct {
		descr    string
		elements any
		order    binary.ByteOrder
	}{
		{"<f8", []float64{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{">f8", []float64{1, 2, 3, 4, 5, 100}, binary.BigEndian},
		{"<f4", []float32{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{">f4", []float32{1, 2, 3, 4, 5, 100}, binary.BigEndian},
		{"|i1", []int8{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{"|u1", []uint8{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{"<i2", []int16{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{">u2", []uint16{1, 2, 3, 4, 5, 100}, binary.BigEndian},
		{"<i4", []int32{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{"<u4", []uint32{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
		{">i8", []int64{1, 2, 3, 4, 5, 100}, binary.BigEndian},
		{"<u8", []uint64{1, 2, 3, 4, 5, 100}, binary.LittleEndian},
	} {
		for version := byte(1); version <= 3; version++ {
			c, err := readNPY([]byte(npyFile(version, npyDict(test.descr, "False", "(2, 3)"), test.elements, test.order)))
			if err != nil {
				t.Errorf("%s version %d: %v", test.descr, version, err)
			} else if !same(c.matrix(), want) {
				t.Errorf("%s version %d: got %v, want %v", test.descr, version, c.dense, want.Data)
			}
		}
	}
	// Fortran order, negative integers, keys in another order, other quotes and
	// no comma at the ends.
	file := npyFile(1, "{\"shape\": (2,3), 'fortran_order':True , 'descr':'<i2'}\n", []int16{-1, 4, 2, 5, 3, -6}, binary.LittleEndian)
	c, err := readNPY([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if want := matrixOf(2, 3, -1, 2, 3, 4, 5, -6); !same(c.matrix(), want) {
		t.Errorf("Fortran order: got %v, want %v", c.dense, want.Data)
	}
}

func TestNPYIsWrittenAsNumPyWritesIt(t *testing.T) {
	var got bytes.Buffer
	if err := writeNPY(&got, matrixOf(1, 2, 1, -2)); err != nil {
		t.Fatal(err)
	}
	dict := "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }"
	want := "\x93NUMPY\x01\x00v\x00" + dict + strings.Repeat(" ", 0x76-1-len(dict)) + "\n" +
		"\x00\x00\x00\x00\x00\x00\xf0\x3f" + "\x00\x00\x00\x00\x00\x00\x00\xc0"
	if got.String() != want {
		t.Errorf("got  %q\nwant %q", got.String(), want)
	}
}

func TestNPYErrorsNameTheByte(t *testing.T) {
	le := binary.LittleEndian
	one := []float64{1}
	for _, test := range []struct{ file, want string }{
		{"", "byte 0: expected \"\\x93NUMPY\", found \"\""},
		{"PK\x03\x04 a zip file", "byte 0: expected"},
		{npyMagic + "\x01\x00", "byte 8: the file ends within the header"},
		{npyMagic + "\x02\x00\x00\x00\x00", "byte 11: the file ends within the header"},
		{npyMagic + "\x04\x00\x00\x00\x00\x00", "byte 6: expected version 1.0, 2.0 or 3.0, found 4.0"},
		{npyMagic + "\x01\x01\x00\x00", "byte 6: expected version"},
		{npyMagic + "\x02\x00\xff\xff\xff\xff", "byte 8: a header of 4294967295 bytes is declared, only 0 follow"},
		{npyFile(1, "", nil, le), "byte 10: expected '{', found the end of the header"},
		{npyFile(1, "[", nil, le), "byte 10: expected '{', found \"[\""},
		{npyFile(1, "{'descr': '<f8", nil, le), "byte 21: the string has no end"},
		{npyFile(1, "{'descr': '<f8', 'descr': '<f8'}\n", nil, le), "byte 27: \"descr\" is given twice"},
		{npyFile(1, "{'color': 'red'}\n", nil, le), "byte 11: expected 'descr', 'fortran_order' or 'shape', found \"color\""},
		{npyFile(1, "{'descr': '<f8', 'shape': (1, 1)}\n", one, le), "byte 43: the header does not give \"fortran_order\""},
		{npyFile(1, npyDict("<c16", "False", "(1, 1)"), one, le), "byte 20: expected elements of type f8, f4"},
		{npyFile(1, npyDict("|f8", "False", "(1, 1)"), one, le), "byte 20: expected elements"},
		{npyFile(1, npyDict("<4 ", "False", "(1, 1)"), one, le), "byte 20: expected elements"},
		{npyFile(1, npyDict("<i3", "False", "(1, 1)"), one, le), "byte 20: expected elements"},
		{npyFile(1, npyDict("|O", "False", "(1, 1)"), one, le), "byte 20: expected elements"},
		{npyFile(1, npyDict("", "False", "(1, 1)"), one, le), "byte 20: expected elements"},
		{npyFile(1, npyDict("<f8", "Maybe", "(1, 1)"), one, le), "byte 44: expected True or False, found \"M\""},
		{npyFile(1, npyDict("<f8", "False", "(1,)"), one, le), "byte 60: expected a shape of two dimensions"},
		{npyFile(1, npyDict("<f8", "False", "()"), one, le), "byte 60: expected a shape of two dimensions"},
		{npyFile(1, npyDict("<f8", "False", "(1, 1, 1)"), one, le), "byte 60: expected a shape of two dimensions"},
		{npyFile(1, npyDict("<f8", "False", "(-1, 1)"), one, le), "byte 61: expected a number of rows or columns, found \"-\""},
		{npyFile(1, npyDict("<f8", "False", "(0, 1)"), nil, le), "byte 60: expected from 1 to 2147483647 rows and columns, found 0×1"},
		{npyFile(1, npyDict("<f8", "False", "(1, 1)")+"x", one, le), "byte 69: expected blanks and a newline"},
		{npyFile(1, npyDict("<f8", "False", "(1, 2)"), one, le), "byte 73: a 1×2 array of <f8 needs 2 elements of 8 bytes, 8 bytes follow"},
		{npyFile(1, npyDict("<f8", "False", "(2147483647, 2147483647)"), one, le), "byte 91: a 2147483647×2147483647 array"},
		{npyFile(1, npyDict("<f8", "False", "(1, 1)"), []float64{1, 2}, le), "byte 73: a 1×1 array"},
		{npyFile(1, npyDict("<f8", "False", "(1, 2)"), []float64{1, math.NaN()}, le), "byte 81: element 1 is not finite"},
		{npyFile(1, npyDict("<f4", "False", "(1, 1)"), []float32{float32(math.Inf(1))}, le), "byte 73: element 0 is not finite"},
		{npyFile(1, npyDict("<i8", "False", "(1, 1)"), []int64{1<<53 + 1}, le), "byte 73: element 0 is not finite, or not exact"},
		{npyFile(1, npyDict("<u8", "False", "(1, 1)"), []uint64{math.MaxUint64}, le), "byte 73: element 0"},
	} {
		wantError(t, readNPY, test.file, test.want)
	}
}
