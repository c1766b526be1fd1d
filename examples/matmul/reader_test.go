package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
)

func matrixOf(rows, cols int, data ...float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

func TestMatrixMarketFilesMeanWhatTheirFormatSays(t *testing.T) {
	for _, test := range []struct {
		name, file string
		want       blas64.General
	}{
		{"array real general is column by column",
			"%%MatrixMarket matrix array real general\n% a comment\n\n2 3\n1\n2.5\n-3e2\n4\n.5\n6.\n",
			matrixOf(2, 3, 1, -300, .5, 2.5, 4, 6)},
		{"array integer symmetric holds the lower triangle",
			"%%MatrixMarket matrix array integer symmetric\n2 2\n1\n2\n3\n", matrixOf(2, 2, 1, 2, 2, 3)},
		{"array real skew-symmetric leaves the diagonal out",
			"%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n", matrixOf(3, 3, 0, -1, -2, 1, 0, -3, 2, 3, 0)},
		{"a skew-symmetric matrix of one element holds none",
			"%%MatrixMarket matrix array real skew-symmetric\n1 1\n", matrixOf(1, 1, 0)},
		{"coordinate real general in any order, keywords in any case, no newline at the end",
			"%%MatrixMarket MATRIX Coordinate Real General\r\n2 3 2\r\n2 3 -1.5\r\n\r\n1 1\t7", matrixOf(2, 3, 7, 0, 0, 0, 0, -1.5)},
		{"coordinate integer symmetric",
			"%%MatrixMarket matrix coordinate integer symmetric\n3 3 2\n2 1 +5\n3 3 9\n", matrixOf(3, 3, 0, 5, 0, 5, 0, 0, 0, 0, 9)},
		{"coordinate real skew-symmetric",
			"%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 5\n", matrixOf(2, 2, 0, -5, 5, 0)},
		{"coordinate pattern has ones",
			"%%MatrixMarket matrix coordinate pattern general\n1 2 1\n1 2\n", matrixOf(1, 2, 0, 1)},
		{"coordinate pattern symmetric without entries",
			"%%MatrixMarket matrix coordinate pattern symmetric\n2 2 0\n", matrixOf(2, 2, 0, 0, 0, 0)},
	} {
		c, err := readMatrixMarket([]byte(test.file))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if got := c.matrix(); !same(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestMatrixMarketErrorsNameThePlace(t *testing.T) {
	const general = "%%MatrixMarket matrix coordinate real general\n"
	for _, test := range []struct{ file, want string }{
		{"", "line 1, column 1: expected %%MatrixMarket, found \"\""},
		{"%MatrixMarket", "line 1, column 1: expected %%MatrixMarket"},
		{"%%MatrixMarket vector", "line 1, column 16: expected matrix, found \"vector\""},
		{"%%MatrixMarket matrix dense", "line 1, column 23: expected coordinate or array"},
		{"%%MatrixMarket matrix array complex general", "line 1, column 29: expected real, integer or pattern, found \"complex\""},
		{"%%MatrixMarket matrix array real hermitian", "line 1, column 34: expected general, symmetric or skew-symmetric"},
		{"%%MatrixMarket matrix array real general x", "line 1, column 42: expected the end of the line"},
		{"%%MatrixMarket matrix array pattern general", "line 1, column 1: pattern goes with coordinate"},
		{"%%MatrixMarket matrix coordinate pattern skew-symmetric", "line 1, column 1: pattern goes with"},
		{general, "line 2, column 1: expected the line with the dimensions, found the end"},
		{general + "% only a comment\n", "line 3, column 1: expected the line with the dimensions"},
		{general + "2 0 1\n", "line 2, column 3: expected a number of rows and of columns from 1"},
		{general + "2 3000000000 1\n", "line 2, column 3: expected a number of rows and of columns from 1 to 2147483647"},
		{general + "2\n", "line 2, column 2: expected a number of rows and of columns"},
		{general + "2 2 x\n", "line 2, column 5: expected the number of entries, found \"x\""},
		{general + "2 2 1 1\n1 1 1\n", "line 2, column 7: expected the end of the line"},
		{general + "2 2 1000000000000\n1 1 1\n", "line 2, column 1: the dimensions declare 1000000000000 elements, but the 6 bytes that follow hold at most 1"},
		{general + "2 2 1\n3 1 1\n", "line 3, column 1: expected a row number from 1 to 2, found \"3\""},
		{general + "2 2 1\n1 0 1\n", "line 3, column 3: expected a column number from 1 to 2, found \"0\""},
		{general + "2 2 1\n1 1  \n", "line 3, column 6: expected a number, found nothing"},
		{general + "2 2 1\n1 1 nan\n", "line 3, column 5: expected a finite decimal number, found \"nan\""},
		{general + "2 2 1\n1 1 0x1p3\n", "line 3, column 5: expected a finite decimal number"},
		{general + "2 2 1\n1 1 1e999\n", "line 3, column 5: \"1e999\" is beyond the range of float64"},
		{general + "2 2 1\n1 1 1 1\n", "line 3, column 7: expected the end of the line"},
		{general + "2 2 2\n1 1 1.0000000\n\n", "line 5, column 1: expected element 2 of 2, found the end of the file"},
		{general + "2 2 2\n1 1 1\n1 1 1\n", "line 4, column 1: element (1, 1) was given before, in line 3"},
		{general + "2 2 1\n1 1 1\n2 2 2\n", "line 4, column 1: expected the end of the file"},
		{"%%MatrixMarket matrix array real symmetric\n2 3\n", "line 2, column 1: a symmetric matrix is square, this one is 2×3"},
		{"%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1\n", "line 3, column 1: a symmetric file holds the lower triangle"},
		{"%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n1 1 1\n", "line 3, column 1: the diagonal of a skew-symmetric"},
		{"%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1.0\n", "line 3, column 5: expected an integer, found \"1.0\""},
		{"%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 9007199254740993\n", "line 3, column 5: \"9007199254740993\" cannot be held exactly"},
		{"%%MatrixMarket matrix array real general\n2000000000 2000000000\n1\n", "line 2, column 1: the dimensions declare 4000000000000000000 elements"},
		{"%%MatrixMarket matrix array real general\n1 1\n1 2\n", "line 3, column 3: expected the end of the line"},
	} {
		wantError(t, readMatrixMarket, test.file, test.want)
	}
}

func wantError(t *testing.T, read func([]byte) (*content, error), file, want string) {
	t.Helper()
	switch _, err := read([]byte(file)); {
	case err == nil:
		t.Errorf("%q: no error, want %q", file, want)
	case !strings.HasPrefix(err.Error(), want):
		t.Errorf("%q: error %q, want it to begin with %q", file, err, want)
	}
}

func TestCSV(t *testing.T) {
	for _, file := range []string{"1,2\n3,4\n", "1,2\n3,4", "1 ,\t2\r\n 3,4.0\r\n"} {
		c, err := readCSV([]byte(file))
		if err != nil {
			t.Errorf("%q: %v", file, err)
		} else if want := matrixOf(2, 2, 1, 2, 3, 4); !same(c.matrix(), want) {
			t.Errorf("%q: got %v, want %v", file, c.dense, want.Data)
		}
	}
	for _, test := range []struct{ file, want string }{
		{"", "line 1, column 1: expected numbers separated by commas, the file is empty"},
		{"\n", "line 1, column 1: expected a number, found nothing"},
		{"1,2\n\n3,4\n", "line 2, column 1: expected a number, found nothing"},
		{"1,2\n3\n", "line 2, column 2: this row has 1 numbers, the first has 2"},
		{"1,2\n3,4,5\n", "line 2, column 6: this row has 3 numbers, the first has 2"},
		{"1,2,\n", "line 1, column 5: expected a number, found nothing"},
		{"1,x\n", "line 1, column 3: expected a finite decimal number, found \"x\""},
		{"1,\"2\"\n", "line 1, column 3: expected a finite decimal number"},
		{"1;2\n", "line 1, column 1: expected a finite decimal number, found \"1;2\""},
		{"1_0\n", "line 1, column 1: expected a finite decimal number"},
		{"\ufeff1\n", "line 1, column 1: expected a finite decimal number, found \"\\ufeff1\""},
		{"1,1e400\n", "line 1, column 3: \"1e400\" is beyond the range of float64"},
		{"1" + strings.Repeat("0", 40) + "x", "line 1, column 1: expected a finite decimal number, found \"100000000000000000000000\"…"},
	} {
		wantError(t, readCSV, test.file, test.want)
	}
}

// TestWritersReadBack writes matrices with every kind of float64 and reads them
// again, bit for bit, also out of the middle of a larger one.
func TestWritersReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		whole := normal(r, 9, 11)
		whole.Data[r.IntN(99)], whole.Data[r.IntN(99)], whole.Data[r.IntN(99)] = 0, 5e-324, -1.7976931348623157e308
		lo := span{r.IntN(8), 9}
		a := block(whole, lo, span{r.IntN(10), 11})
		for name, f := range formats {
			var file bytes.Buffer
			if err := f.write(&file, a); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			c, err := f.read(file.Bytes())
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, file.Bytes())
			}
			if !same(c.matrix(), a) {
				t.Fatalf("%s: got %v, want %v", name, c.matrix(), a)
			}
		}
	}
}
