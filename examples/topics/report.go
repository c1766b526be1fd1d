package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/floats"
)

// reporter writes the report, on all ranks but 0 to nowhere. Methods with a
// context are for every rank to call.
type reporter struct {
	out   io.Writer
	o     *options
	ranks int
}

func (r *reporter) printf(format string, args ...any) { fmt.Fprintf(r.out, format, args...) }

// corpus says what was read, and how evenly the work is spread. It leaves the number
// of counts with s.
func (r *reporter) corpus(ctx context.Context, c *rank.Comm, s *study, t *tally, took time.Duration) error {
	sums := []int64{t.total, int64(len(s.counts.word))}
	if err := collectives.AllReduce(ctx, c, sums, collectives.Sum); err != nil {
		return err
	}
	s.nonzeros = sums[1]
	longest := []int64{int64(len(s.counts.word))}
	if err := collectives.Reduce(ctx, c, 0, longest, collectives.Max); err != nil {
		return err
	}
	r.printf("documents   %s %s on %s\n", thousands(len(s.Documents)), s.Library, count(r.ranks, "rank"))
	r.printf("words       %s, of which %s different ones count: in %d documents or more and at most %g %% of all\n",
		thousands(int(sums[0])), thousands(len(s.vocabulary.words)), r.o.minDocs, 100*r.o.maxShare)
	r.printf("counts      %s that are not zero, the busiest rank has %.2f of an even share, %s\n",
		thousands(int(s.nonzeros)), float64(longest[0])*float64(r.ranks)/float64(s.nonzeros), seconds(took))
	return nil
}

// latent says how latent semantic analysis went.
func (r *reporter) latent(s *study, took time.Duration) {
	d := s.latent
	k := len(d.sigma)
	r.printf("\nLSA         %s, singular values %.4g to %.4g, in %s, residual %.0e, %s\n",
		count(k, "dimension"), d.sigma[0], d.sigma[k-1], count(d.steps, "step"), d.residual, seconds(took))
	if wanted := min(r.o.dimensions, len(s.Documents)); k < wanted {
		r.printf("            the documents span no more than that, of the %d asked for\n", wanted)
	}
	if d.residual > enough {
		r.printf("            not converged: the last singular values lie too close to those that follow\n")
	}
}

// perplexity says how latent Dirichlet allocation went.
func (r *reporter) perplexity(before, after float64, took time.Duration) {
	r.printf("LDA         %s, perplexity %.2f after %s, %.2f before, %s\n",
		count(r.o.prior.topics, "topic"), after, count(r.o.iterations, "iteration"), before, seconds(took))
}

// topics lists the topics, those with the most words first, by their share of all
// words, their most probable words and the documents that have most of them.
func (r *reporter) topics(ctx context.Context, c *rank.Comm, s *study) error {
	phi, err := s.model.distributions(ctx, c)
	if err != nil {
		return err
	}
	order := make([]int, s.model.topics)
	for t := range order {
		order[t] = t
	}
	mass := s.model.mass
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(mass[b], mass[a]) })
	r.printf("\n topic  share  words\n")
	for place, t := range order {
		column := make([]collectives.Located[float64], phi.Rows)
		for w := range column {
			column[w] = collectives.Located[float64]{Value: phi.Data[w*phi.Stride+t], Index: int64(w)}
		}
		var words []string
		for _, l := range best(column, r.o.words) {
			words = append(words, s.vocabulary.words[l.Index])
		}
		r.printf("%6d %5.1f%%  %s\n", place+1, 100*mass[t]/floats.Sum(mass), strings.Join(words, " "))
	}
	return nil
}

// similar lists the documents most like q, by either model.
func (r *reporter) similar(s *study, q int, latent, mixed []collectives.Located[float64]) {
	if len(latent) == 0 {
		return
	}
	width := len("by latent semantics")
	for _, l := range latent {
		width = max(width, len(s.Documents[l.Index].Name))
	}
	r.printf("\nmost like %s\n%8s  %-*s %8s  %s\n", s.Documents[q].Name, "cosine", width, "by latent semantics", "cosine", "by mixture of topics")
	for i, l := range latent {
		m := mixed[i]
		r.printf("%8.4f  %-*s %8.4f  %s\n", places4(l.Value), width, s.Documents[l.Index].Name, places4(m.Value), s.Documents[m.Index].Name)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// count is n with the noun, in the plural where it belongs.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// thousands writes n ≥ 0 with commas between groups of three digits.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

// places4 rounds x to four decimal places, never to a negative zero.
func places4(x float64) float64 { return math.Round(x*1e4)/1e4 + 0 }
