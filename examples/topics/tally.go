package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/muster-mpi/muster/rank"
)

// A tally counts the words of this rank's documents. Words have local numbers, in
// the order of their first appearance.
type tally struct {
	number map[string]int32
	words  []string
	in     []int64 // how many documents each word is in
	counts sparse  // columns not ascending yet
	total  int64   // of all words
	now    []float64
}

func newTally() *tally {
	return &tally{number: make(map[string]int32), counts: sparse{start: []int{0}}}
}

// add counts the words of one more document.
func (t *tally) add(text string) {
	first := len(t.counts.word)
	eachWord(text, func(word string) {
		n, ok := t.number[word]
		if !ok {
			n = int32(len(t.words))
			t.number[word] = n
			t.words = append(t.words, word)
			t.in = append(t.in, 0)
			t.now = append(t.now, 0)
		}
		if t.now[n] == 0 {
			t.counts.word = append(t.counts.word, n)
			t.in[n]++
		}
		t.now[n]++
		t.total++
	})
	for _, n := range t.counts.word[first:] {
		t.counts.value = append(t.counts.value, t.now[n])
		t.now[n] = 0
	}
	t.counts.start = append(t.counts.start, len(t.counts.word))
}

// under returns the counts with the columns of v, for the words that v has.
func (t *tally) under(v *vocabulary) *sparse {
	column := make([]int32, len(t.words))
	for n, word := range t.words {
		column[n] = v.column(word)
	}
	a := &sparse{start: []int{0}}
	type cell struct {
		word  int32
		value float64
	}
	var cells []cell
	for i := range t.counts.rows() {
		cells = cells[:0]
		words, values := t.counts.row(i)
		for j, n := range words {
			if column[n] >= 0 {
				cells = append(cells, cell{column[n], values[j]})
			}
		}
		// In the order of the vocabulary a row is the same whichever rank has it.
		slices.SortFunc(cells, func(x, y cell) int { return cmp.Compare(x.word, y.word) })
		for _, x := range cells {
			a.word = append(a.word, x.word)
			a.value = append(a.value, x.value)
		}
		a.start = append(a.start, len(a.word))
	}
	return a
}

// countOwn reads and counts documents [first, end) of k, one after the other: no
// more than one text is in memory. Every rank calls it; an error is everybody's.
func countOwn(ctx context.Context, c *rank.Comm, k *catalogue, first, end int) (*tally, error) {
	t := newTally()
	var err error
	for i := first; i < end && err == nil; i++ {
		var text string
		if text, err = k.read(i); err == nil {
			t.add(text)
		}
	}
	return t, agree(ctx, c, err)
}
