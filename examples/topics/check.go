package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// Up to so many multiplications of a dense singular value decomposition, and so
// many powers in the reference's latent Dirichlet allocation, -check auto checks.
const cheapProducts, cheapPowers = 1e9, 1e8

// cheap reports whether the reference takes seconds and not minutes.
func (s *study) cheap(o *options) bool {
	words, n := float64(len(s.vocabulary.words)), float64(len(s.Documents))
	powers := 2 * float64(s.nonzeros) * float64(o.prior.topics) * float64(o.iterations)
	return words*n*min(words, n) <= cheapProducts && powers <= cheapPowers
}

// check compares all results with those of the reference, on rank 0, if o wants
// it. Every rank calls it; an error is everybody's.
func check(ctx context.Context, c *rank.Comm, s *study, o *options, r *reporter) error {
	if o.check == "never" || o.check == "auto" && !s.cheap(o) {
		r.printf("\ncheck       none (-check always makes one)\n")
		return nil
	}
	counts, err := wholeSparse(ctx, c, s.counts)
	if err != nil {
		return err
	}
	weights, err := wholeSparse(ctx, c, s.weights)
	if err != nil {
		return err
	}
	mixtures, err := wholeMatrix(ctx, c, s.model.mixtures())
	if err != nil {
		return err
	}
	topics, err := s.model.distributions(ctx, c)
	if err != nil {
		return err
	}
	if c.Rank() == 0 {
		v := &verdict{r: r, ref: bowman{}, o: o, words: len(s.vocabulary.words)}
		start := time.Now()
		err = errors.Join(v.tfidf(counts, weights), v.lsa(weights, s.latent), v.lda(counts, topics, mixtures))
		r.printf("            by github.com/james-bowman/nlp on one rank, %s\n", seconds(time.Since(start)))
	}
	return agree(ctx, c, err)
}

// A verdict compares results with those of a reference. Its methods report the
// difference, and return an error if that is larger than rounding explains.
type verdict struct {
	r     *reporter
	ref   reference
	o     *options
	words int
}

// tfidf holds the weights to the reference's, which computes them by the same
// formula: they differ by its roundings alone.
func (v *verdict) tfidf(counts, weights *sparse) error {
	want, err := v.ref.tfidf(counts, v.words)
	if err != nil {
		return err
	}
	normalise(want)
	worst := 0.0
	for j, x := range weights.value {
		worst = max(worst, relative(x, want.value[j]))
	}
	const allowed = 8 * roundoff
	v.r.printf("\ncheck       TF-IDF: relative difference at most %.1e\n", worst)
	if !(worst <= allowed) {
		return fmt.Errorf("check: a TF-IDF differs by %.1e of its value, expected at most %.1e", worst, allowed)
	}
	return nil
}

// relative returns |x−y| in units of the larger, or 0 where both are zero.
func relative(x, y float64) float64 {
	if x == y {
		return 0
	}
	return math.Abs(x-y) / math.Max(math.Abs(x), math.Abs(y))
}

// backward is the error of a singular value decomposition, in units of the largest
// singular value: what is computed are the values and vectors of a matrix that is
// off by so much.
const backward = 1e-12

// lsa holds the singular values to the reference's, and the space of terms by the
// largest angle between the two (the vectors themselves have no fixed sign, and no
// fixed direction where values are equal). A space is as well determined as the
// last value in it is apart from the first outside, and may be off by the error
// over that gap (Davis and Kahan 1970).
func (v *verdict) lsa(weights *sparse, d *decomposition) error {
	k := len(d.sigma)
	terms, sigma, err := v.ref.lsa(weights, v.words, k+1)
	if err != nil {
		return err
	}
	worst := 0.0
	for i, s := range d.sigma {
		worst = max(worst, math.Abs(s-sigma[i])/sigma[0])
	}
	next := 0.0
	if len(sigma) > k {
		next = sigma[k]
	}
	// The residual is that of squares, relative to the square of the largest.
	gap := (d.sigma[k-1]*d.sigma[k-1] - next*next) / (sigma[0] * sigma[0])
	allowed := (backward + math.Sqrt(float64(k))*d.residual) / gap
	angle := sine(columnsOf(terms, 0, k), d.terms)
	v.r.printf("            LSA: singular values differ by at most %.1e of the largest, the angle of the spaces is %.1e (allowed %.1e)\n", worst, angle, allowed)
	limit := backward + d.residual*sigma[0]/d.sigma[k-1]
	switch {
	case !(worst <= limit):
		return fmt.Errorf("check: a singular value differs by %.1e of the largest, expected at most %.1e", worst, limit)
	case !(allowed < 0.1):
		v.r.printf("            the space is not determined: values %d and %d are equal within rounding\n", k, k+1)
	case !(angle <= allowed):
		return fmt.Errorf("check: the spaces of %s differ by an angle of %.1e, expected at most %.1e", count(k, "dimension"), angle, allowed)
	}
	return nil
}

// sine returns the sine of the largest angle between the spaces of the orthonormal
// columns of u and of w: the norm of (1 − u·uᵀ)·w, which is exact for small angles,
// too.
func sine(u, w blas64.General) float64 {
	in := newMatrix(u.Cols, w.Cols)
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, u, w, 0, in)
	out := newMatrix(w.Rows, w.Cols)
	for i := range w.Rows {
		copy(rowOf(out, i), rowOf(w, i))
	}
	subtract(out, u, in)
	gram := newMatrix(w.Cols, w.Cols)
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, out, out, 0, gram)
	values, _ := eigen(gram)
	return math.Sqrt(max(0, values[0]))
}

// comparable is how much of what the reference has learnt there must be at least: of the
// logarithm of the factor by which it has lowered the perplexity of a model with one topic.
// Both are at a local optimum of the same model, by different approximations and from
// different beginnings, so either may be the lower.
const comparable = 0.7

// perTopic is how many documents there must be to each topic for that: the optima of
// fewer lie far apart.
const perTopic = 4

// converged is how many iterations bring either to its optimum.
const converged = 50

// lda holds the perplexity to that of the reference's model, both by the same
// formula and on the documents themselves.
func (v *verdict) lda(counts *sparse, topics, mixtures blas64.General) error {
	if v.o.iterations < converged {
		v.r.printf("            LDA: not compared, fewer than %d iterations\n", converged)
		return nil
	}
	theirTopics, theirMixtures, err := v.ref.lda(counts, v.words, v.o.prior, max(100, v.o.iterations), v.o.seed)
	if err != nil {
		return err
	}
	if err := distributions(topics, mixtures); err != nil {
		return err
	}
	sum, n := logLikelihood(counts, topics, mixtures)
	ours := math.Exp(-sum / n)
	sum, _ = logLikelihood(counts, theirTopics, theirMixtures)
	theirs := math.Exp(-sum / n)
	v.r.printf("            LDA: perplexity %.2f, nlp's %.2f\n", ours, theirs)
	if counts.rows() < perTopic*v.o.prior.topics {
		v.r.printf("            (of fewer than %d documents they need not be alike)\n", perTopic*v.o.prior.topics)
		return nil
	}
	one := oneTopic(counts, v.words)
	if learnt := math.Log(one / ours); !(learnt >= comparable*math.Log(one/theirs)) {
		return fmt.Errorf("check: the perplexity is %.2f, nlp's %.2f and that of one topic %.2f, expected at least %g of what nlp has learnt",
			ours, theirs, one, comparable)
	}
	return nil
}

// distributions checks that each topic's words and each document's topics are probabilities.
// Else a perplexity would mean nothing.
func distributions(topics, mixtures blas64.General) error {
	const most = 1e-9
	words := make([]float64, topics.Cols)
	for w := range topics.Rows {
		floats.Add(words, rowOf(topics, w))
	}
	for t, sum := range words {
		if !(math.Abs(sum-1) <= most) {
			return fmt.Errorf("check: the probabilities of topic %d's words add up to %v, expected 1", t, sum)
		}
	}
	for i := range mixtures.Rows {
		if sum := floats.Sum(rowOf(mixtures, i)); !(math.Abs(sum-1) <= most) {
			return fmt.Errorf("check: the probabilities of document %d's topics add up to %v, expected 1", i, sum)
		}
	}
	return nil
}

// oneTopic returns the perplexity of the model in which all documents are of one topic:
// each word is as probable as it is frequent.
func oneTopic(counts *sparse, words int) float64 {
	times, n, sum := make([]float64, words), 0.0, 0.0
	for i := range counts.rows() {
		row, values := counts.row(i)
		for j, w := range row {
			times[w] += values[j]
			n += values[j]
		}
	}
	for _, x := range times {
		if x > 0 {
			sum += x * math.Log(x/n)
		}
	}
	return math.Exp(-sum / n)
}
