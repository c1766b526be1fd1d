package main

import (
	"bytes"
	"encoding/csv"
	"math"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
)

func TestCSVErrorsNameLineAndColumn(t *testing.T) {
	const h = csvHeader + "\n"
	for _, c := range []struct{ in, want string }{
		{"", `f:1:1: the first line must be "mass,x,y,z,vx,vy,vz", found ""`},
		{"m,x\n", `f:1:1: the first line must be "mass,x,y,z,vx,vy,vz", found "m,x"`},
		{h, `f:2:1: no bodies after the header`},
		{csvHeader, `f:1:1: no bodies after the header`},
		{h + "1,2,3\n", `f:2:6: 3 columns, expected 7 (mass,x,y,z,vx,vy,vz)`},
		{h + "1,2,3,4,5,6,7,8\n", `f:2:14: more than the 7 columns mass,x,y,z,vx,vy,vz`},
		{h + "1,2,3,4,5,6,\n", `f:2:13: empty field, expected a number`},
		{h + "1,2,3,4,5,6,7\n\n1,2,3,4,5,6,7\n", `f:3:1: 1 columns, expected 7 (mass,x,y,z,vx,vy,vz)`},
		{h + "1,2,3,4,5,6,7\n1,two,3,4,5,6,7\n", `f:3:3: "two" is not a decimal number`},
		{h + "1, 2,3,4,5,6,7\n", `f:2:3: " 2" is not a decimal number`},
		{h + "1,2,3,4,1e999,6,7\n", `f:2:9: "1e999" is beyond the range of a float64`},
		{h + "1,2,3,4,NaN,6,7\n", `f:2:9: "NaN" is not a decimal number`},
		{h + "1,2,3,4,0x1p4,6,7\n", `f:2:9: "0x1p4" is not a decimal number`},
		{h + "1,2,3,4,1e,6,7\n", `f:2:9: "1e" is not a decimal number`},
		{h + "-1,2,3,4,5,6,7\n", `f:2:1: negative mass -1`},
		{h + strings.Repeat("1", csvLine) + "\n", `f:2:4096: the line is longer than 4095 bytes`},
	} {
		_, err := readCSV(strings.NewReader(c.in), "f")
		if err == nil || err.Error() != c.want {
			t.Errorf("input %q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestCSVTakesEitherLineEndAndALastLineWithoutOne(t *testing.T) {
	for _, in := range []string{
		csvHeader + "\n1,2,3,4,5,6,7\n0,-2e-1,+3,.5,5.,6E2,7",
		csvHeader + "\r\n1,2,3,4,5,6,7\r\n0,-2e-1,+3,.5,5.,6E2,7\r\n",
	} {
		b, err := readCSV(strings.NewReader(in), "f")
		if err != nil {
			t.Fatalf("input %q: %v", in, err)
		}
		if b.len() != 2 || b.at(0) != (body{1, 2, 3, 4, 5, 6, 7}) || b.at(1) != (body{0, -0.2, 3, 0.5, 5, 600, 7}) {
			t.Errorf("input %q: got %d bodies %v %v", in, b.len(), b.at(0), b.at(b.len()-1))
		}
	}
}

func TestCSVKeepsEveryBit(t *testing.T) {
	b := plummer(1500, 7, 0, 1500)
	b.x[3], b.y[3], b.z[3] = math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1)
	got, err := readCSV(bytes.NewReader(csvOf(t, b)), "f")
	if err != nil {
		t.Fatal(err)
	}
	wantSameBits(t, got, b)
}

// csvOf returns the file that holds b.
func csvOf(t *testing.T, b *bodies) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newCSVWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// wantSameBits fails unless got and want agree bit by bit, potentials aside.
func wantSameBits(t *testing.T, got, want *bodies) {
	t.Helper()
	if got.len() != want.len() {
		t.Fatalf("%d bodies, want %d", got.len(), want.len())
	}
	n := 7 * want.len()
	for i, x := range want.flat[:n] {
		if math.Float64bits(got.flat[i]) != math.Float64bits(x) {
			t.Fatalf("array %d, body %d: got %v, want %v", i/want.len(), i%want.len(), got.flat[i], x)
		}
	}
}

// allocated returns how many bytes the process has ever allocated, give or take
// the part of a span for each size class.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// go test -run - -fuzz FuzzCSV -fuzztime 1000000x -fuzzminimizetime 10x ./examples/nbody
func FuzzCSV(f *testing.F) {
	f.Add([]byte(csvHeader + "\n1,2,3,4,5,6,7\n"))
	f.Add([]byte(csvHeader + "\r\n1,-2,+3,.4,5.,6e6,7E-7\r\n0,0,0,0,0,0,0"))
	f.Add([]byte(csvHeader + "\n1,2,3,4,5,6,inf\n"))
	f.Add([]byte(csvHeader + "\n\"1\",2,3,4,5,6,7\n"))
	f.Add([]byte(csvHeader + strings.Repeat("\n0,0,0,0,0,0,0", 2*csvChunk)))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := allocated()
		b, err := readCSV(bytes.NewReader(in), "f")
		if used, most := allocated()-before, uint64(16*len(in)+1<<20); used > most {
			t.Errorf("%d bytes of input made it allocate %d, at most %d allowed", len(in), used, most)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		// The dumb twin: the standard library's reader and number parser accept
		// whatever this parser does, and agree.
		rows, err := csv.NewReader(bytes.NewReader(in)).ReadAll()
		if err != nil || len(rows) != b.len()+1 {
			t.Fatalf("encoding/csv finds %d rows and %v, want %d", len(rows), err, b.len()+1)
		}
		for i, row := range rows[1:] {
			v := b.at(i)
			for k, x := range []float64{v.m, v.x, v.y, v.z, v.vx, v.vy, v.vz} {
				if want, _ := strconv.ParseFloat(row[k], 64); x != want {
					t.Fatalf("body %d column %d: got %v, want %v", i, k+1, x, want)
				}
			}
		}
		again, err := readCSV(bytes.NewReader(csvOf(t, b)), "g")
		if err != nil {
			t.Fatalf("its own output is refused: %v", err)
		}
		wantSameBits(t, again, b)
	})
}
