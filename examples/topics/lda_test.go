package main

import (
	"math"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mathext"
)

// plainModel is latent Dirichlet allocation as Blei, Ng and Jordan write it down,
// with the probability of every topic for every word of every document, on
// matrices that are not sparse.
type plainModel struct {
	prior
	lambda, gamma blas64.General // words × topics, documents × topics
}

// expectation returns E[ln x] of each element of a Dirichlet distribution.
func expectation(parameters []float64) []float64 {
	sum := 0.0
	for _, p := range parameters {
		sum += p
	}
	e := make([]float64, len(parameters))
	for i, p := range parameters {
		e[i] = mathext.Digamma(p) - mathext.Digamma(sum)
	}
	return e
}

func column(m blas64.General, j int) []float64 {
	c := make([]float64, m.Rows)
	for i := range c {
		c[i] = m.Data[i*m.Stride+j]
	}
	return c
}

// probabilities returns φ of document i: that a word w in it belongs to topic t.
func (m *plainModel) probabilities(i int) blas64.General {
	phi := newMatrix(m.lambda.Rows, m.topics)
	theta := expectation(rowOf(m.gamma, i))
	for t := range m.topics {
		for w, beta := range expectation(column(m.lambda, t)) {
			phi.Data[w*m.topics+t] = math.Exp(theta[t] + beta)
		}
	}
	for w := range phi.Rows {
		sum := 0.0
		for _, p := range rowOf(phi, w) {
			sum += p
		}
		for t := range rowOf(phi, w) {
			rowOf(phi, w)[t] /= sum
		}
	}
	return phi
}

func (m *plainModel) iterate(counts blas64.General) {
	lambda := newMatrix(m.lambda.Rows, m.topics)
	for i := range counts.Rows {
		for range sweeps {
			phi := m.probabilities(i)
			for t := range m.topics {
				sum := m.alpha
				for w := range counts.Cols {
					sum += counts.Data[i*counts.Stride+w] * phi.Data[w*m.topics+t]
				}
				m.gamma.Data[i*m.topics+t] = sum
			}
		}
		phi := m.probabilities(i)
		for w := range counts.Cols {
			for t := range m.topics {
				lambda.Data[w*m.topics+t] += counts.Data[i*counts.Stride+w] * phi.Data[w*m.topics+t]
			}
		}
	}
	for i := range lambda.Data {
		lambda.Data[i] += m.eta
	}
	m.lambda = lambda
}

// bound returns the variational lower bound of the logarithm of the probability
// of all documents, which no iteration may lower.
func (m *plainModel) bound(counts blas64.General) float64 {
	// of a Dirichlet prior with parameter p over a posterior with parameters q
	divergence := func(p float64, q []float64) float64 {
		lgamma := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
		sum, v := 0.0, lgamma(p*float64(len(q)))-float64(len(q))*lgamma(p)
		for i, e := range expectation(q) {
			v += (p-q[i])*e + lgamma(q[i])
			sum += q[i]
		}
		return v - lgamma(sum)
	}
	total := 0.0
	for t := range m.topics {
		total += divergence(m.eta, column(m.lambda, t))
	}
	for i := range counts.Rows {
		total += divergence(m.alpha, rowOf(m.gamma, i))
		theta := expectation(rowOf(m.gamma, i))
		for w := range counts.Cols {
			p := 0.0 // Σφ(E ln θ + E ln β − ln φ) with the best φ
			for t := range m.topics {
				p += math.Exp(theta[t] + expectation(column(m.lambda, t))[w])
			}
			if n := counts.Data[i*counts.Stride+w]; n > 0 {
				total += n * math.Log(p)
			}
		}
	}
	return total
}

const modelWords = 13

// start returns the model before its first iteration as rank alone, and as the
// plain one.
func start(t *testing.T, p prior, documents int) *plainModel {
	plain := &plainModel{prior: p}
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		m, err := newTopicModel(t.Context(), c, p, modelWords, documents, 5)
		if err != nil {
			t.Fatal(err)
		}
		plain.lambda, plain.gamma = m.lambda, m.gamma
	})
	return plain
}

func TestTopicsAreThoseOfThePlainModel(t *testing.T) {
	const documents, iterations = 9, 4
	counts := randomSparse(documents, modelWords, 0.4, 1)
	for _, p := range []prior{{3, 0.1, 0.01}, {1, 2, 2}, {5, 0.005, 0.005}} {
		plain := start(t, p, documents)
		for range iterations {
			plain.iterate(counts.dense(modelWords))
		}
		onRanks(t, func(t *testing.T, c *rank.Comm) {
			cuts := randomCuts(documents, c.Size(), 2)
			first, end := cuts[c.Rank()], cuts[c.Rank()+1]
			own := counts.part(first, end)
			m, err := newTopicModel(t.Context(), c, p, modelWords, own.rows(), 5)
			if err != nil {
				t.Fatal(err)
			}
			for range iterations {
				if err := m.iterate(t.Context(), c, own); err != nil {
					t.Fatal(err)
				}
			}
			if d := furthest(t, m.gamma, rowsOf(plain.gamma, first, end)); !(d <= 1e-10) {
				t.Errorf("rank %d, %v: parameters of mixtures differ by %g", c.Rank(), p, d)
			}
			block := rowsOf(plain.lambda, modelWords*c.Rank()/c.Size(), modelWords*(c.Rank()+1)/c.Size())
			if d := furthest(t, m.lambda, block); !(d <= 1e-10) {
				t.Errorf("rank %d, %v: parameters of topics differ by %g", c.Rank(), p, d)
			}
			topics, err := m.distributions(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for k := range p.topics {
				sum := 0.0
				for _, x := range column(topics, k) {
					sum += x
				}
				if math.Abs(sum-1) > 1e-14 {
					t.Errorf("rank %d, %v: topic %d has probability %v in all", c.Rank(), p, k, sum)
				}
			}
		})
	}
}

func TestNoIterationLowersTheBound(t *testing.T) {
	const documents = 9
	counts := randomSparse(documents, modelWords, 0.4, 3)
	for _, p := range []prior{{3, 0.1, 0.01}, {4, 0.5, 0.3}} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			cuts := randomCuts(documents, 2, 2)
			own := counts.part(cuts[c.Rank()], cuts[c.Rank()+1])
			m, err := newTopicModel(t.Context(), c, p, modelWords, own.rows(), 5)
			if err != nil {
				t.Fatal(err)
			}
			last := math.Inf(-1)
			for i := range 20 {
				if err := m.iterate(t.Context(), c, own); err != nil {
					t.Fatal(err)
				}
				gamma, err := wholeMatrix(t.Context(), c, m.gamma)
				if err != nil {
					t.Fatal(err)
				}
				lambda, err := wholeMatrix(t.Context(), c, m.lambda)
				if err != nil {
					t.Fatal(err)
				}
				if c.Rank() != 0 {
					continue
				}
				now := (&plainModel{prior: p, lambda: lambda, gamma: gamma}).bound(counts.dense(modelWords))
				if !(now >= last-1e-9*math.Abs(last)) {
					t.Errorf("%v: iteration %d takes the bound from %v to %v", p, i, last, now)
				}
				last = now
			}
		})
	}
}

// TestEvenTopicsArePerplexedByEveryWord: a model that thinks all of n words
// equally probable has perplexity n.
func TestEvenTopicsArePerplexedByEveryWord(t *testing.T) {
	counts := randomSparse(6, modelWords, 0.5, 4)
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		cuts := randomCuts(6, c.Size(), 1)
		own := counts.part(cuts[c.Rank()], cuts[c.Rank()+1])
		m, err := newTopicModel(t.Context(), c, prior{2, 1, 1}, modelWords, own.rows(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.lambda.Data {
			m.lambda.Data[i] = 2
		}
		if err := m.publish(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		got, err := m.perplexity(t.Context(), c, own)
		if err != nil || math.Abs(got-modelWords) > 1e-12 {
			t.Errorf("rank %d: got %v, %v, want %d", c.Rank(), got, err, modelWords)
		}
	})
}
