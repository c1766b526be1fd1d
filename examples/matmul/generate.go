package main

import "gonum.org/v1/gonum/blas/blas64"

// generate returns the part in the given rows and columns of an unbounded random
// matrix. Each element depends only on the seed, the matrix's name and its place,
// so that every rank makes its own block and all numbers of ranks see the same
// matrix.
//
// Elements are uniform on [1/2, 3/2). A product of such matrices is a sum of
// positive terms, so |A||B| = |AB|: it is as well conditioned as a product can
// be, and the error bound of bound.go is a relative one for each element.
func generate(seed uint64, name byte, rows, cols span) blas64.General {
	a := newMatrix(rows.len(), cols.len())
	if empty(a) {
		return a
	}
	key := mix(seed ^ mix(uint64(name)))
	for i := range a.Rows {
		row := mix(key + uint64(rows.lo+i))
		out := a.Data[i*a.Stride:][:a.Cols]
		for j := range out {
			out[j] = 0.5 + float64(mix(row+uint64(cols.lo+j))>>11)*0x1p-53
		}
	}
	return a
}

// mix is the output function of SplitMix64 (Steele, Lea, Flood 2014) after one
// step of its counter: a permutation in which each bit of x reaches each bit of
// the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
