package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// A vocabulary is the words that count, in their order, and in how many documents
// each is; the same on every rank.
type vocabulary struct {
	words []string
	in    []int64
}

// column returns the number of word, or −1 if the vocabulary does not have it.
func (v *vocabulary) column(word string) int32 {
	if i, ok := slices.BinarySearch(v.words, word); ok {
		return int32(i)
	}
	return -1
}

// frequency is a word and the number of documents it is in.
type frequency struct {
	word string
	in   int64
}

// mergeVocabulary returns the words that are in least to most of all ranks'
// documents. Every rank calls it.
//
// Each word is sent to the rank that its hash names, which adds up the numbers and
// keeps the word or not; then all get what was kept. So a rank handles the words
// of its own documents, a p-th of all words, and the vocabulary, never all ranks'
// lists at once.
func mergeVocabulary(ctx context.Context, c *rank.Comm, t *tally, least, most int64) (*vocabulary, error) {
	bins := make([][]frequency, c.Size())
	for n, word := range t.words {
		h := fnv.New32a()
		h.Write([]byte(word))
		r := int(h.Sum32() % uint32(c.Size()))
		bins[r] = append(bins[r], frequency{word, t.in[n]})
	}
	mine, err := exchange(ctx, c, bins)
	if err != nil {
		return nil, err
	}
	kept, err := everybodys(ctx, c, sum(mine, least, most))
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("no word is in %d to %d of the documents (-min-docs, -max-share)", least, most)
	}
	v := new(vocabulary)
	for _, f := range kept {
		v.words = append(v.words, f.word)
		v.in = append(v.in, f.in)
	}
	return v, nil
}

// sum adds up the frequencies of equal words and returns those that are least to
// most.
func sum(list []frequency, least, most int64) []frequency {
	inOrder(list)
	var sums []frequency
	for i, f := range list {
		if i > 0 && f.word == list[i-1].word {
			sums[len(sums)-1].in += f.in
		} else {
			sums = append(sums, f)
		}
	}
	return slices.DeleteFunc(sums, func(f frequency) bool { return f.in < least || f.in > most })
}

func inOrder(list []frequency) {
	slices.SortFunc(list, func(a, b frequency) int { return cmp.Compare(a.word, b.word) })
}

// exchange sends bins[r] to rank r and returns what came for this one. Every rank
// calls it.
func exchange(ctx context.Context, c *rank.Comm, bins [][]frequency) ([]frequency, error) {
	text, in := []byte{}, []int64{}
	var ofText, ofIn collectives.Blocks
	for _, bin := range bins {
		b, n := flatten(bin)
		text, in = append(text, b...), append(in, n...)
		ofText.Counts, ofIn.Counts = append(ofText.Counts, len(b)), append(ofIn.Counts, len(n))
	}
	text, _, err := collectives.AllToAllV(ctx, c, nil, text, collectives.Blocks{}, ofText)
	if err != nil {
		return nil, err
	}
	in, _, err = collectives.AllToAllV(ctx, c, nil, in, collectives.Blocks{}, ofIn)
	return unflatten(text, in), err
}

// everybodys returns the lists of all ranks as one in the order of words. Every
// rank calls it.
func everybodys(ctx context.Context, c *rank.Comm, list []frequency) ([]frequency, error) {
	text, in := flatten(list)
	text, _, err := collectives.AllGatherV(ctx, c, nil, text, collectives.Blocks{})
	if err != nil {
		return nil, err
	}
	in, _, err = collectives.AllGatherV(ctx, c, nil, in, collectives.Blocks{})
	all := unflatten(text, in)
	inOrder(all)
	return all, err
}

// flatten writes a list as what collectives carry: its words, each with a line feed
// behind it, which no word has in it, and its numbers. Neither is nil.
func flatten(list []frequency) ([]byte, []int64) {
	text, in := []byte{}, []int64{}
	for _, f := range list {
		text = append(append(text, f.word...), '\n')
		in = append(in, f.in)
	}
	return text, in
}

func unflatten(text []byte, in []int64) []frequency {
	var list []frequency
	for _, n := range in {
		word, rest, _ := bytes.Cut(text, []byte{'\n'})
		list = append(list, frequency{string(word), n})
		text = rest
	}
	return list
}
