package main

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// readsSafely checks what holds for any file: the reader allocates at most 16
// bytes per byte plus 1 MiB, and what it accepts and another format can hold reads
// back the same.
func readsSafely(t *testing.T, f format, file []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := f.read(file)
	runtime.ReadMemStats(&after)
	if used, limit := after.TotalAlloc-before.TotalAlloc, uint64(16*len(file)+1<<20); used > limit {
		t.Fatalf("reading %d bytes allocated %d, want at most %d; error %v", len(file), used, limit, err)
	}
	if err != nil {
		if text := err.Error(); !strings.HasPrefix(text, "line ") && !strings.HasPrefix(text, "byte ") || len(text) > 300 {
			t.Fatalf("error %q does not say where, or is too long", text)
		}
		return
	}
	if c.rows < 1 || c.cols < 1 {
		t.Fatalf("accepted a %d×%d matrix", c.rows, c.cols)
	}
	if float64(c.rows)*float64(c.cols) > 1<<16 {
		return
	}
	a := c.matrix()
	var again bytes.Buffer
	if err := f.write(&again, a); err != nil {
		t.Fatal(err)
	}
	back, err := f.read(again.Bytes())
	if err != nil {
		t.Fatalf("what was read and written cannot be read: %v", err)
	}
	if !same(back.matrix(), a) {
		t.Fatalf("got %v after writing %v", back.matrix(), a)
	}
}

func FuzzMatrixMarket(f *testing.F) {
	for _, kind := range []string{
		"array real general\n2 2\n1\n2\n3\n4\n",
		"array integer symmetric\n2 2\n1\n2\n3\n",
		"array real skew-symmetric\n3 3\n1\n2\n3\n",
		"coordinate real general\n% c\n\n2 3 2\n2 3 -1.5e3\n1 1 7",
		"coordinate pattern symmetric\n1000000 1000000 1\n2 1\n",
		"coordinate integer skew-symmetric\n2 2 1\n2 1 5\n",
		"coordinate real general\n2 2 99999999\n1 1 1\n",
	} {
		f.Add([]byte("%%MatrixMarket matrix " + kind))
	}
	f.Fuzz(func(t *testing.T, file []byte) { readsSafely(t, formats[".mtx"], file) })
}

func FuzzCSV(f *testing.F) {
	for _, file := range []string{"1,2\n3,4\n", "1 ,\t-2e-3\r\n 3,4.0", ",,,,,,\n", "\n\n\n", "1"} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) { readsSafely(t, formats[".csv"], file) })
}

func FuzzNPY(f *testing.F) {
	for version := byte(1); version <= 3; version++ {
		f.Add([]byte(npyFile(version, npyDict("<f8", "False", "(2, 1)"), []float64{1, 2}, binary.LittleEndian)))
	}
	f.Add([]byte(npyFile(1, npyDict("|i1", "True", "(2, 3)"), []int8{1, 2, 3, 4, 5, -6}, binary.LittleEndian)))
	f.Add([]byte(npyFile(1, npyDict(">u8", "False", "(1, 1)"), []uint64{1 << 63}, binary.LittleEndian)))
	f.Add([]byte(npyFile(1, npyDict("<f4", "False", "(2147483647, 2147483647)"), nil, binary.LittleEndian)))
	f.Fuzz(func(t *testing.T, file []byte) { readsSafely(t, formats[".npy"], file) })
}

// TestReadersAllocateInProportionToTheFile takes the worst files for each reader at
// a size where the constant does not matter.
func TestReadersAllocateInProportionToTheFile(t *testing.T) {
	const n = 1 << 20
	for _, test := range []struct{ end, file string }{
		{".csv", strings.Repeat(",", n)},
		{".csv", strings.Repeat("1,", n) + "1"},
		{".csv", strings.Repeat("1\n", n)},
		{".csv", strings.Repeat("1", n)},
		{".mtx", "%%MatrixMarket matrix array integer general\n1 1048576\n" + strings.Repeat("1\n", n)},
		{".mtx", "%%MatrixMarket matrix array integer skew-symmetric\n1400 1400\n" + strings.Repeat("1\n", 1400*1399/2)},
		{".mtx", "%%MatrixMarket matrix coordinate pattern general\n9 9 1000000\n" + strings.Repeat("1 1\n", n)},
		{".mtx", "%%MatrixMarket matrix array real general\n" + strings.Repeat("1", n)},
		{".npy", npyFile(1, npyDict("|u1", "True", "(1024, 1024)"), make([]byte, n), binary.LittleEndian)},
		{".npy", npyFile(2, "{'"+strings.Repeat("x", n)+"'", nil, nil)},
	} {
		readsSafely(t, formats[test.end], []byte(test.file))
	}
}
