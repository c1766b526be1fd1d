package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"gonum.org/v1/gonum/blas/blas64"
)

// onRanks runs f as 1, 2, 3 and 4 ranks.
func onRanks(t *testing.T, f func(t *testing.T, c *rank.Comm)) {
	t.Helper()
	for p := 1; p <= 4; p++ {
		t.Run(fmt.Sprint(p, " ranks"), func(t *testing.T) { ranktest.Run(t, p, f) })
	}
}

// The subjects of the test corpus: each document is about one, with some words
// of all.
var subjects = map[string][]string{
	"sea":    strings.Fields("ship sail harbour wave tide anchor captain storm fish net island coast"),
	"garden": strings.Fields("tree flower soil seed water root leaf fruit spade hedge lawn bee"),
	"music":  strings.Fields("violin chord melody rhythm tempo concert orchestra score flute singer opera sonata"),
	"stars":  strings.Fields("planet comet orbit galaxy telescope light nova moon eclipse gravity dust sun"),
}

// writeCorpus writes n documents on each subject into a new directory and returns
// it. Their lengths differ widely.
func writeCorpus(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	numbers := rand.New(rand.NewPCG(1, 2))
	common := strings.Fields("time people world found began large small called near")
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		own := subjects[subject]
		for i := range n {
			var text []string
			for range 30 + numbers.IntN(150) {
				words := own
				if numbers.IntN(4) == 0 {
					words = common
				}
				// The product of two makes some words frequent and some rare.
				text = append(text, words[int(numbers.Float64()*numbers.Float64()*float64(len(words)))])
			}
			name := filepath.Join(dir, subject, fmt.Sprintf("%02d.txt", i))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(strings.Join(text, " ")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// randomSparse returns documents × words values of which a part is zero.
func randomSparse(documents, words int, density float64, seed uint64) *sparse {
	numbers := rand.New(rand.NewPCG(seed, 7))
	a := &sparse{start: []int{0}}
	for range documents {
		for w := range words {
			if numbers.Float64() < density {
				a.word = append(a.word, int32(w))
				a.value = append(a.value, float64(1+numbers.IntN(5)))
			}
		}
		a.start = append(a.start, len(a.word))
	}
	return a
}

// part returns rows [first, end) of a.
func (a *sparse) part(first, end int) *sparse {
	b := &sparse{start: []int{0}}
	for i := first; i < end; i++ {
		words, values := a.row(i)
		b.word = append(b.word, words...)
		b.value = append(b.value, values...)
		b.start = append(b.start, len(b.word))
	}
	return b
}

// dense returns a with its zeros: documents × words.
func (a *sparse) dense(words int) blas64.General {
	m := newMatrix(a.rows(), words)
	for i := range a.rows() {
		own, values := a.row(i)
		for j, w := range own {
			m.Data[i*m.Stride+int(w)] = values[j]
		}
	}
	return m
}

// randomCuts divides n documents among p ranks at random, some with none.
func randomCuts(n, p int, seed uint64) []int {
	numbers := rand.New(rand.NewPCG(seed, 8))
	cuts := []int{0, n}
	for range p - 1 {
		cuts = append(cuts, numbers.IntN(n+1))
	}
	slices.Sort(cuts)
	return cuts
}

// furthest returns the largest difference between elements of a and b.
func furthest(t *testing.T, a, b blas64.General) float64 {
	t.Helper()
	if a.Rows != b.Rows || a.Cols != b.Cols {
		t.Fatalf("shapes %d×%d and %d×%d", a.Rows, a.Cols, b.Rows, b.Cols)
	}
	worst := 0.0
	for i := range a.Rows {
		for j := range a.Cols {
			d := a.Data[i*a.Stride+j] - b.Data[i*b.Stride+j]
			worst = max(worst, d, -d)
			if d != d {
				return d
			}
		}
	}
	return worst
}
