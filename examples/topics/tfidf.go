package main

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// weigh returns the TF-IDF of counts: how often a word is in a document, times
// ln((1+n)/(1+in)) where in of all n documents have the word. It shares start and
// word with counts. The formula is that of github.com/james-bowman/nlp.
func weigh(counts *sparse, v *vocabulary, n int) *sparse {
	idf := make([]float64, len(v.in))
	for w, in := range v.in {
		idf[w] = math.Log(float64(1+n) / float64(1+in))
	}
	a := &sparse{start: counts.start, word: counts.word, value: make([]float64, len(counts.value))}
	for j, w := range counts.word {
		a.value[j] = counts.value[j] * idf[w]
	}
	return a
}

// normalise scales every row of a to length one, but for rows of zeros. Without it
// long documents alone would determine what latent semantic analysis finds.
func normalise(a *sparse) {
	for i := range a.rows() {
		_, values := a.row(i)
		if length := floats.Norm(values, 2); length > 0 {
			floats.Scale(1/length, values)
		}
	}
}
