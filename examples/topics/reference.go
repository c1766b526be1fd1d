package main

import (
	"fmt"

	"github.com/james-bowman/nlp"
	jb "github.com/james-bowman/sparse"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// A reference computes on one rank what the program computes on all, for check to
// compare with. Matrices are those of all documents.
type reference interface {
	tfidf(counts *sparse, words int) (*sparse, error)
	lsa(weights *sparse, words, k int) (terms blas64.General, sigma []float64, err error)
	lda(counts *sparse, words int, p prior, iterations int, seed uint64) (topics, mixtures blas64.General, err error)
}

// bowman is the reference github.com/james-bowman/nlp, whose matrices are terms ×
// documents.
type bowman struct{}

// columns returns a as a matrix of terms × documents.
func columns(a *sparse, words int) *jb.CSC {
	rows := make([]int, len(a.word))
	for i, w := range a.word {
		rows[i] = int(w)
	}
	return jb.NewCSC(words, a.rows(), a.start, rows, a.value)
}

func (bowman) tfidf(counts *sparse, words int) (*sparse, error) {
	m, err := nlp.NewTfidfTransformer().FitTransform(columns(counts, words))
	if err != nil {
		return nil, fmt.Errorf("nlp's TF-IDF: %w", err)
	}
	weights := &sparse{start: counts.start, word: counts.word, value: make([]float64, len(counts.value))}
	for i := range counts.rows() {
		for j := counts.start[i]; j < counts.start[i+1]; j++ {
			weights.value[j] = m.At(int(counts.word[j]), i)
		}
	}
	return weights, nil
}

func (bowman) lsa(weights *sparse, words, k int) (blas64.General, []float64, error) {
	svd := nlp.NewTruncatedSVD(k)
	product, err := svd.FitTransform(columns(weights, words).ToDense())
	if err != nil {
		return blas64.General{}, nil, fmt.Errorf("nlp's truncated SVD: %w", err)
	}
	// The rows of the product are those of Σ·Vᵀ.
	rows, _ := product.Dims()
	sigma := make([]float64, rows)
	for i := range sigma {
		sigma[i] = mat.Norm(mat.DenseCopyOf(product).RowView(i), 2)
	}
	return svd.Components.RawMatrix(), sigma, nil
}

func (bowman) lda(counts *sparse, words int, p prior, iterations int, seed uint64) (topics, mixtures blas64.General, err error) {
	model := nlp.NewLatentDirichletAllocation(p.topics)
	model.Alpha, model.Eta = p.alpha, p.eta
	model.Iterations, model.PerplexityEvaluationFrequency = iterations, 0
	// With its own learning rates a document's mixture is at first that of its last
	// words, and takes a thousand iterations to recover; these converge in a
	// hundred, to lower a perplexity.
	model.RhoTheta.Tau = 1000
	model.RhoPhi = nlp.LearningSchedule{S: 1, Tau: 1, Kappa: 0.5}
	// One goroutine and a seed: otherwise it gives another answer each time.
	model.Processes = 1
	model.Rnd.Seed(seed)
	theta, err := model.FitTransform(columns(counts, words))
	if err != nil {
		return topics, mixtures, fmt.Errorf("nlp's latent Dirichlet allocation: %w", err)
	}
	phi := mat.DenseCopyOf(model.Components().T())
	return phi.RawMatrix(), mat.DenseCopyOf(theta.T()).RawMatrix(), nil
}
