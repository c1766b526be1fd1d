package main

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// studied returns a study of the test corpus as one rank makes it.
func studied(t *testing.T) (*study, *options) {
	t.Helper()
	o, _, err := parseOptions(append([]string{"-dir", writeCorpus(t, 4)}, analysis...))
	if err != nil {
		t.Fatal(err)
	}
	var s *study
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		r := &reporter{out: io.Discard, o: &o, ranks: 1}
		var err error
		if s, err = load(t.Context(), c, &o, r); err != nil {
			t.Fatal(err)
		}
		if err = analyse(t.Context(), c, s, &o, r); err != nil {
			t.Fatal(err)
		}
	})
	return s, &o
}

// rotate moves all of x back by n places, and what falls out to its end.
func rotate(x []float64, n int) {
	slices.Reverse(x[:n])
	slices.Reverse(x[n:])
	slices.Reverse(x)
}

// TestCheckFindsWhatIsWrong changes one result at a time by little.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	s, o := studied(t)
	v := &verdict{r: &reporter{out: io.Discard, o: o, ranks: 1}, ref: bowman{}, o: o, words: len(s.vocabulary.words)}
	var topics = s.model.lambda // the columns of which are to add up to one
	for i := range topics.Rows {
		for t := range topics.Cols {
			rowOf(topics, i)[t] /= s.model.mass[t]
		}
	}
	all := func() error {
		return errors.Join(v.tfidf(s.counts, s.weights), v.lsa(s.weights, s.latent), v.lda(s.counts, topics, s.model.mixtures()))
	}
	if err := all(); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	turn := func(angle float64) { // of the last dimension, out of the space
		k := s.latent.terms.Cols - 1
		sum := 0.0
		for i := range s.latent.terms.Rows {
			row := rowOf(s.latent.terms, i)
			row[k] += angle * float64(1-2*(i%2)) / math.Sqrt(float64(s.latent.terms.Rows))
			sum += row[k] * row[k]
		}
	}
	for _, fault := range []struct {
		name     string
		do, undo func()
		want     string
	}{
		{"a weight", func() { s.weights.value[3] *= 1 + 1e-13 }, func() { s.weights.value[3] /= 1 + 1e-13 }, "a TF-IDF differs by"},
		{"a singular value", func() { s.latent.sigma[2] += 1e-10 * s.latent.sigma[0] }, func() { s.latent.sigma[2] -= 1e-10 * s.latent.sigma[0] }, "a singular value differs by"},
		{"a direction", func() { turn(1e-6) }, func() { turn(-1e-6) }, "differ by an angle"},
		{"a topic", func() { rowOf(topics, 0)[0] *= 1e9 }, func() { rowOf(topics, 0)[0] /= 1e9 }, "the probabilities of topic 0's words add up to"},
		{"all topics", func() {
			for i := range topics.Data {
				topics.Data[i] /= 1.6
			}
		}, func() {
			for i := range topics.Data {
				topics.Data[i] *= 1.6
			}
		}, "the probabilities of topic 0's words add up to"},
		{"the words' places", func() { rotate(topics.Data, topics.Stride) }, func() { rotate(topics.Data, len(topics.Data)-topics.Stride) }, "the perplexity is"},
	} {
		fault.do()
		if err := all(); err == nil || !strings.Contains(err.Error(), fault.want) {
			t.Errorf("%s is wrong: got %v, want %q", fault.name, err, fault.want)
		}
		fault.undo()
	}
	if err := all(); err != nil {
		t.Fatalf("after all faults are undone: %v", err)
	}
}
