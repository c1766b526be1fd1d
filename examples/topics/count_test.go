package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// randomTexts returns texts of words from a small set, the same for a seed.
func randomTexts(n int, seed uint64) []string {
	numbers := rand.New(rand.NewPCG(seed, 3))
	texts := make([]string, n)
	for i := range texts {
		for range numbers.IntN(40) {
			texts[i] += fmt.Sprintf(" word%d", int(30*numbers.Float64()*numbers.Float64()))
		}
	}
	return texts
}

func TestMergedVocabularyAndCountsAreThoseOfOneRank(t *testing.T) {
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		for seed := range uint64(5) {
			texts := randomTexts(12, seed)
			in := make(map[string]int64)
			for _, text := range texts {
				seen := make(map[string]bool)
				for _, w := range strings.Fields(text) {
					if !seen[w] {
						in[w]++
					}
					seen[w] = true
				}
			}
			var want []string
			for w, n := range in {
				if n >= 2 && n <= 7 {
					want = append(want, w)
				}
			}
			slices.Sort(want)

			own := newTally()
			cuts := randomCuts(len(texts), c.Size(), seed)
			for _, text := range texts[cuts[c.Rank()]:cuts[c.Rank()+1]] {
				own.add(text)
			}
			v, err := mergeVocabulary(t.Context(), c, own, 2, 7)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(v.words, want) {
				t.Fatalf("rank %d, seed %d: got %v, want %v", c.Rank(), seed, v.words, want)
			}
			counts := own.under(v)
			weights := weigh(counts, v, len(texts))
			for i, text := range texts[cuts[c.Rank()]:cuts[c.Rank()+1]] {
				got, tfidf := counts.dense(len(want)), weights.dense(len(want))
				for j, w := range want {
					if v.in[j] != in[w] {
						t.Fatalf("rank %d, seed %d: %s is in %d documents, want %d", c.Rank(), seed, w, v.in[j], in[w])
					}
					n := 0.0
					for _, x := range strings.Fields(text) {
						if x == w {
							n++
						}
					}
					if x := rowOf(got, i)[j]; x != n {
						t.Fatalf("rank %d, seed %d: document %d has %s %v times, want %v", c.Rank(), seed, i, w, x, n)
					}
					if x, y := rowOf(tfidf, i)[j], n*math.Log(13/(1+float64(in[w]))); math.Abs(x-y) > 1e-14 {
						t.Fatalf("rank %d, seed %d: TF-IDF of %s is %v, want %v", c.Rank(), seed, w, x, y)
					}
				}
				if words, _ := counts.row(i); !slices.IsSorted(words) {
					t.Fatalf("rank %d, seed %d: columns %v do not ascend", c.Rank(), seed, words)
				}
			}
		}
	})
}

func TestNoCommonWordIsAnErrorOnEveryRank(t *testing.T) {
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		own := newTally()
		own.add(fmt.Sprintf("onlyrank%d", c.Rank()))
		_, err := mergeVocabulary(t.Context(), c, own, 2, 4)
		if err == nil || !strings.Contains(err.Error(), "no word is in 2 to 4 of the documents") {
			t.Errorf("rank %d: %v", c.Rank(), err)
		}
	})
}

func TestRebalancedRowsAreTheSameAndEven(t *testing.T) {
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		for seed := range uint64(20) {
			numbers := rand.New(rand.NewPCG(seed, 4))
			n := 1 + numbers.IntN(12)
			all := randomSparse(n, 9, numbers.Float64(), seed)
			cuts := randomCuts(n, c.Size(), seed)
			now, got, err := rebalance(t.Context(), c, all.part(cuts[c.Rank()], cuts[c.Rank()+1]), cuts)
			if err != nil {
				t.Fatal(err)
			}
			want := all.part(now[c.Rank()], now[c.Rank()+1])
			if !slices.Equal(got.start, want.start) || !slices.Equal(got.word, want.word) || !slices.Equal(got.value, want.value) {
				t.Fatalf("rank %d, seed %d, cuts %v to %v: got %v, want %v", c.Rank(), seed, cuts, now, got, want)
			}
			costs := make([]int64, n)
			for i := range costs {
				words, _ := all.row(i)
				costs[i] = 1 + int64(len(words))
			}
			if got, want := dearest(costs, now), cheapest(costs, c.Size()); got != want {
				t.Fatalf("rank %d, seed %d: the dearest share is %d, want %d", c.Rank(), seed, got, want)
			}
		}
	})
}

func TestNormalisedRowsHaveLengthOneOrNone(t *testing.T) {
	a := &sparse{start: []int{0, 2, 2, 3}, word: []int32{0, 3, 1}, value: []float64{3, 4, 0}}
	normalise(a)
	for i, want := range []float64{0.6, 0.8, 0} {
		if math.Abs(a.value[i]-want) > 2e-16 {
			t.Errorf("element %d is %v, want %v", i, a.value[i], want)
		}
	}
}

func TestSparseProductsAreThoseOfDenseMatrices(t *testing.T) {
	const words, n, cols = 7, 5, 3
	a := randomSparse(n, words, 0.4, 1)
	full := a.dense(words)
	x, y := randomRows(n, cols, 0, 2), randomRows(words, cols, 0, 3)
	gotY, gotX := randomRows(words, cols, 0, 4), randomRows(n, cols, 0, 5) // what is there before must not matter
	a.mulTransTo(gotY, x)
	a.mulTo(gotX, y)
	wantY, wantX := newMatrix(words, cols), newMatrix(n, cols)
	for i := range n {
		for w := range words {
			for j := range cols {
				wantY.Data[w*cols+j] += full.Data[i*words+w] * x.Data[i*cols+j]
				wantX.Data[i*cols+j] += full.Data[i*words+w] * y.Data[w*cols+j]
			}
		}
	}
	if d := max(furthest(t, gotY, wantY), furthest(t, gotX, wantX)); d > 1e-14 {
		t.Errorf("products differ by %v", d)
	}
}
