// Topics finds what documents are about and which are alike, on any number of
// ranks: TF-IDF, latent semantic analysis and latent Dirichlet allocation, by
// collectives. See the README beside this file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/muster-mpi/muster/rank"
)

func main() {
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		err := topics(ctx, world, os.Args[1:], os.Stdout)
		var foreign *foreignError
		if errors.As(err, &foreign) {
			// The rank that has it is about to end the job. Mostly this one does
			// not outlive that, and the user reads one sentence instead of one
			// from each rank.
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
		return err
	})
}

// topics is the program: args as on the command line, the report of rank 0 to
// out. Every rank calls it; all return an error or none does.
func topics(ctx context.Context, c *rank.Comm, args []string, out io.Writer) error {
	if c.Rank() != 0 {
		out = io.Discard
	}
	o, help, err := parseOptions(args)
	if errors.Is(err, errHelp) {
		fmt.Fprint(out, help)
		return nil
	}
	if err := agree(ctx, c, err); err != nil {
		return err
	}
	r := &reporter{out: out, o: &o, ranks: c.Size()}
	s, err := load(ctx, c, &o, r)
	if err != nil {
		return err
	}
	if err := analyse(ctx, c, s, &o, r); err != nil {
		return err
	}
	if err := answer(ctx, c, s, &o, r); err != nil {
		return err
	}
	if err := write(ctx, c, s, &o); err != nil {
		return err
	}
	return check(ctx, c, s, &o, r)
}

// A study is all that is known of the documents. Every rank has its own documents'
// rows.
type study struct {
	*catalogue
	cuts       []int // rank r has documents [cuts[r], cuts[r+1])
	vocabulary *vocabulary
	counts     *sparse
	nonzeros   int64 // of all ranks' counts
	weights    *sparse
	latent     *decomposition
	model      *topicModel
}

// first returns the place of this rank's first document.
func (s *study) first(c *rank.Comm) int { return s.cuts[c.Rank()] }

// load reads the documents and counts their words. An error is everybody's.
func load(ctx context.Context, c *rank.Comm, o *options, r *reporter) (*study, error) {
	start := time.Now()
	k, err := openCatalogue(ctx, c, o)
	if err != nil {
		return nil, err
	}
	cuts := divide(k.costs(), c.Size())
	t, err := countOwn(ctx, c, k, cuts[c.Rank()], cuts[c.Rank()+1])
	if err != nil {
		return nil, err
	}
	s, n := &study{catalogue: k}, len(k.Documents)
	s.vocabulary, err = mergeVocabulary(ctx, c, t, int64(o.minDocs), int64(o.maxShare*float64(n)))
	if err != nil {
		return nil, err
	}
	if s.cuts, s.counts, err = rebalance(ctx, c, t.under(s.vocabulary), cuts); err != nil {
		return nil, err
	}
	s.weights = weigh(s.counts, s.vocabulary, n)
	normalise(s.weights)
	return s, r.corpus(ctx, c, s, t, time.Since(start))
}

// analyse computes both models of the documents.
func analyse(ctx context.Context, c *rank.Comm, s *study, o *options, r *reporter) error {
	words := len(s.vocabulary.words)
	start := time.Now()
	var err error
	s.latent, err = decompose(ctx, c, s.weights, words, s.first(c), len(s.Documents), o.dimensions, o.seed)
	if err != nil {
		return err
	}
	if len(s.latent.sigma) == 0 {
		return errors.New("every word is in all documents, so that TF-IDF is zero: nothing tells them apart (-max-share below 1 leaves such words out)")
	}
	r.latent(s, time.Since(start))
	start = time.Now()
	if s.model, err = newTopicModel(ctx, c, o.prior, words, s.counts.rows(), o.seed); err != nil {
		return err
	}
	before, err := s.model.perplexity(ctx, c, s.counts)
	if err != nil {
		return err
	}
	for range o.iterations {
		if err := s.model.iterate(ctx, c, s.counts); err != nil {
			return err
		}
	}
	after, err := s.model.perplexity(ctx, c, s.counts)
	if err != nil {
		return err
	}
	r.perplexity(before, after, time.Since(start))
	return r.topics(ctx, c, s)
}

// answer reports which documents are most like the one that was asked for.
func answer(ctx context.Context, c *rank.Comm, s *study, o *options, r *reporter) error {
	q, err := s.find(o.like)
	if err != nil {
		return err
	}
	latent, err := mostLike(ctx, c, s.latent.places(), s.cuts, q, o.similar)
	if err != nil {
		return err
	}
	mixed, err := mostLike(ctx, c, s.model.mixtures(), s.cuts, q, o.similar)
	if err != nil {
		return err
	}
	r.similar(s, q, latent, mixed)
	return nil
}
