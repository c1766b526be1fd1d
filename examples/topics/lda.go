package main

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mathext"
)

// A prior is what latent Dirichlet allocation assumes before it sees a document:
// mixtures of topics come from a Dirichlet distribution with parameter alpha,
// topics, which are distributions of words, from one with eta.
type prior struct {
	topics     int
	alpha, eta float64
}

// A topicModel is a rank's share of the variational posterior of latent Dirichlet
// allocation: Dirichlet distributions of topics, with parameters lambda, and of
// documents' mixtures, with parameters gamma.
type topicModel struct {
	prior
	words  int
	blocks collectives.Blocks // of the elements of words × topics matrices, over the ranks
	lambda blas64.General     // words × topics: the rows of this rank's block of words
	rate   blas64.General     // words × topics: exp E[ln probability of word in topic], all of it
	gamma  blas64.General     // documents × topics: this rank's documents
	mass   []float64          // column sums of all of lambda
}

// sweeps is how often a document's mixture is improved in each iteration, from
// where the last one left it. A fixed number, because a test for convergence can
// come out differently where sums were rounded differently, and then the result
// would depend on the number of ranks.
const sweeps = 10

// newTopicModel returns a model before its first iteration: topics of random
// weights, which depend on the seed alone, and even mixtures. Every rank calls it.
func newTopicModel(ctx context.Context, c *rank.Comm, p prior, words, rows int, seed uint64) (*topicModel, error) {
	m := &topicModel{prior: p, words: words}
	for r := range c.Size() {
		m.blocks.Counts = append(m.blocks.Counts, (words*(r+1)/c.Size()-words*r/c.Size())*p.topics)
	}
	first, end := words*c.Rank()/c.Size(), words*(c.Rank()+1)/c.Size()
	m.lambda = newMatrix(end-first, p.topics)
	for i := range m.lambda.Rows {
		numbers := rand.New(rand.NewPCG(seed, uint64(first+i)))
		for t := range p.topics {
			m.lambda.Data[i*p.topics+t] = p.eta + numbers.ExpFloat64()
		}
	}
	m.gamma = newMatrix(rows, p.topics)
	for i := range m.gamma.Data {
		m.gamma.Data[i] = 1
	}
	return m, m.publish(ctx, c)
}

// iterate makes one iteration of batch variational Bayes (Blei, Ng and Jordan
// 2003; in the form of Hoffman, Blei and Bach 2010): with the topics as they are
// each rank finds the mixtures of its documents; the expected counts of words in
// topics are summed over the ranks, each for its block of words; that makes the
// new topics. Every rank calls it with the counts of its documents.
//
// It takes O(nonzeros·topics·sweeps) operations, and sends as much as an
// allreduce of words·topics elements.
func (m *topicModel) iterate(ctx context.Context, c *rank.Comm, counts *sparse) error {
	expected := newMatrix(m.words, m.topics)
	share := make([]float64, m.topics)
	for i := range counts.rows() {
		words, n := counts.row(i)
		for range sweeps {
			m.mix(share, rowOf(m.gamma, i))
			g := rowOf(m.gamma, i)
			clear(g)
			for j, w := range words {
				rate := rowOf(m.rate, int(w))
				floats.AddScaled(g, n[j]/floats.Dot(share, rate), rate)
			}
			for t := range g {
				g[t] = m.alpha + share[t]*g[t]
			}
		}
		m.mix(share, rowOf(m.gamma, i))
		for j, w := range words {
			floats.AddScaled(rowOf(expected, int(w)), n[j]/floats.Dot(share, rowOf(m.rate, int(w))), share)
		}
	}
	// The factor that depends on the word, which all of them have.
	floats.Mul(expected.Data, m.rate.Data)
	if _, err := collectives.ReduceScatter(ctx, c, m.lambda.Data, expected.Data, m.blocks.Counts, collectives.Sum); err != nil {
		return err
	}
	floats.AddConst(m.eta, m.lambda.Data)
	return m.publish(ctx, c)
}

// mix sets share to exp E[ln θ] for a mixture θ with parameters gamma.
func (m *topicModel) mix(share, gamma []float64) {
	all := mathext.Digamma(floats.Sum(gamma))
	for t, g := range gamma {
		share[t] = math.Exp(mathext.Digamma(g) - all)
	}
}

// publish gives every rank the rates and the mass that follow from lambda. Each
// computes those of its own words, since digammas take as long as a document does.
func (m *topicModel) publish(ctx context.Context, c *rank.Comm) error {
	m.mass = make([]float64, m.topics)
	for i := range m.lambda.Rows {
		floats.Add(m.mass, rowOf(m.lambda, i))
	}
	if err := collectives.AllReduce(ctx, c, m.mass, collectives.Sum); err != nil {
		return err
	}
	all := make([]float64, m.topics)
	for t, mass := range m.mass {
		all[t] = mathext.Digamma(mass)
	}
	own := newMatrix(m.lambda.Rows, m.topics)
	for i := range own.Rows {
		from, to := rowOf(m.lambda, i), rowOf(own, i)
		for t := range to {
			to[t] = math.Exp(mathext.Digamma(from[t]) - all[t])
		}
	}
	data, _, err := collectives.AllGatherV(ctx, c, nil, own.Data, m.blocks)
	m.rate = blas64.General{Rows: m.words, Cols: m.topics, Stride: m.topics, Data: data}
	return err
}

// distributions returns the expected topics on every rank: a row for each word,
// columns that add up to one. Every rank calls it.
func (m *topicModel) distributions(ctx context.Context, c *rank.Comm) (blas64.General, error) {
	own := newMatrix(m.lambda.Rows, m.topics)
	for i := range own.Rows {
		floats.DivTo(rowOf(own, i), rowOf(m.lambda, i), m.mass)
	}
	data, _, err := collectives.AllGatherV(ctx, c, nil, own.Data, m.blocks)
	return blas64.General{Rows: m.words, Cols: m.topics, Stride: m.topics, Data: data}, err
}

// mixtures returns the expected mixtures of this rank's documents: rows that add
// up to one.
func (m *topicModel) mixtures() blas64.General {
	theta := newMatrix(m.gamma.Rows, m.topics)
	for i := range theta.Rows {
		g := rowOf(m.gamma, i)
		floats.ScaleTo(rowOf(theta, i), 1/floats.Sum(g), g)
	}
	return theta
}

// logLikelihood returns the sum of the natural logarithms of the probabilities of
// all words of some documents, given their topics and mixtures, and how many
// words that are.
func logLikelihood(counts *sparse, topics, mixtures blas64.General) (sum, n float64) {
	for i := range counts.rows() {
		words, times := counts.row(i)
		for j, w := range words {
			sum += times[j] * math.Log(floats.Dot(rowOf(topics, int(w)), rowOf(mixtures, i)))
			n += times[j]
		}
	}
	return sum, n
}

// perplexity returns exp(−the mean logarithm of the probabilities of all words):
// the model is as unsure about a word as if it were one of so many equally
// probable ones. Every rank calls it.
func (m *topicModel) perplexity(ctx context.Context, c *rank.Comm, counts *sparse) (float64, error) {
	topics, err := m.distributions(ctx, c)
	if err != nil {
		return 0, err
	}
	sum, n := logLikelihood(counts, topics, m.mixtures())
	total := []float64{sum, n}
	err = collectives.AllReduce(ctx, c, total, collectives.Sum)
	return math.Exp(-total[0] / total[1]), err
}
