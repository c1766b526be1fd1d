package main

import (
	"fmt"

	"gonum.org/v1/gonum/blas/blas64"
)

// maxDimension is the largest row or column number a file may declare.
const maxDimension = 1<<31 - 1

// A content is a matrix as its file gives it. Readers allocate in proportion to
// the bytes they were given, never to the dimensions these declare; only matrix
// makes a sparse file dense, after its caller has agreed to the size.
type content struct {
	rows, cols int
	dense      []float64 // row by row; nil if the file lists entries
	entries    []entry   // in order of row and column, no place twice
	mirror     float64   // entry (i, j) also stands for mirror × itself at (j, i); 0 for none
}

// An entry is one element of a sparse file, numbered from 0.
type entry struct {
	row, col int32
	line     int32
	value    float64
}

// matrix returns the whole matrix in rows·cols·8 bytes. It may share c's memory.
func (c *content) matrix() blas64.General {
	if c.dense != nil {
		return blas64.General{Rows: c.rows, Cols: c.cols, Stride: c.cols, Data: c.dense}
	}
	a := newMatrix(c.rows, c.cols)
	for _, e := range c.entries {
		a.Data[int(e.row)*a.Stride+int(e.col)] = e.value
		if c.mirror != 0 {
			a.Data[int(e.col)*a.Stride+int(e.row)] = c.mirror * e.value
		}
	}
	return a
}

// errorAt reports what is wrong at a place of a text file. Lines and columns count
// from 1, columns in bytes.
func errorAt(line, column int, format string, args ...any) error {
	return fmt.Errorf("line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
}

// quoted is a token as an error shows it, cut where it stops being helpful.
func quoted(token []byte) string {
	if len(token) > 24 {
		return fmt.Sprintf("%q…", token[:24])
	}
	return fmt.Sprintf("%q", token)
}
