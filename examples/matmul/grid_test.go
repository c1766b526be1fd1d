package main

import "testing"

func TestPartsCoverTheRangeInOrder(t *testing.T) {
	for n := range 40 {
		for p := 1; p <= 12; p++ {
			at := 0
			for i := range p {
				s := part(n, p, i)
				if s.lo != at || s.len() < n/p || s.len() > n/p+1 {
					t.Fatalf("part(%d, %d, %d) = %v, want it to begin at %d with length %d or one more", n, p, i, s, at, n/p)
				}
				at = s.hi
			}
			if at != n {
				t.Fatalf("parts of %d in %d end at %d", n, p, at)
			}
		}
	}
}

func TestGridIsAsSquareAsPossible(t *testing.T) {
	for p := 1; p <= 200; p++ {
		rows, cols := gridShape(p, 10, 20)
		if rows*cols != p || rows > cols {
			t.Fatalf("gridShape(%d) for a wide matrix = %d×%d", p, rows, cols)
		}
		for d := rows + 1; d*d <= p; d++ {
			if p%d == 0 {
				t.Errorf("gridShape(%d) = %d×%d, but %d×%d is nearer a square", p, rows, cols, d, p/d)
			}
		}
		if r, c := gridShape(p, 20, 10); r != cols || c != rows {
			t.Errorf("gridShape(%d) for a tall matrix = %d×%d, want %d×%d", p, r, c, cols, rows)
		}
	}
}

func TestPanelsCoverTheInnerDimensionAndHaveOneOwnerEach(t *testing.T) {
	for _, k := range []int{1, 2, 3, 7, 40, 129} {
		for rows := 1; rows <= 5; rows++ {
			for cols := 1; cols <= 5; cols++ {
				for _, width := range []int{1, 3, 128} {
					at := 0
					for _, p := range panels(k, rows, cols, width) {
						inA, inB := part(k, cols, p.col), part(k, rows, p.row)
						if p.inner.lo != at || p.inner.len() < 1 || p.inner.len() > width ||
							p.inner.lo < inA.lo || p.inner.hi > inA.hi || p.inner.lo < inB.lo || p.inner.hi > inB.hi {
							t.Fatalf("k=%d grid %d×%d width %d: panel %+v at %d, A's columns %v, B's rows %v", k, rows, cols, width, p, at, inA, inB)
						}
						at = p.inner.hi
					}
					if at != k {
						t.Fatalf("k=%d grid %d×%d width %d: panels end at %d", k, rows, cols, width, at)
					}
				}
			}
		}
	}
}
