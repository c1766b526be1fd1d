package main

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// A sparse matrix has a row for each of some documents and a column for each word
// of the vocabulary: row i has value[j] in column word[j], for j in [start[i],
// start[i+1]), columns ascending, and zeros elsewhere. It takes 12 bytes for each
// word of each document.
type sparse struct {
	start []int
	word  []int32
	value []float64
}

// rows returns the number of documents.
func (a *sparse) rows() int { return len(a.start) - 1 }

// row returns the words of document i, and their values.
func (a *sparse) row(i int) ([]int32, []float64) {
	return a.word[a.start[i]:a.start[i+1]], a.value[a.start[i]:a.start[i+1]]
}

// mulTransTo sets y = aᵀ·x: y has a row for each word, x one for each document.
func (a *sparse) mulTransTo(y, x blas64.General) {
	clear(y.Data)
	for i := range a.rows() {
		words, values := a.row(i)
		for j, w := range words {
			floats.AddScaled(rowOf(y, int(w)), values[j], rowOf(x, i))
		}
	}
}

// mulTo sets x = a·y, the shapes as in mulTransTo.
func (a *sparse) mulTo(x, y blas64.General) {
	clear(x.Data)
	for i := range a.rows() {
		words, values := a.row(i)
		for j, w := range words {
			floats.AddScaled(rowOf(x, i), values[j], rowOf(y, int(w)))
		}
	}
}
