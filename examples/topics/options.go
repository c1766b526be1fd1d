package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
)

// options is what the command line asks for.
type options struct {
	dir        string
	extensions []string // with their dots, in lower case
	minDocs    int
	maxShare   float64
	dimensions int
	prior      prior
	iterations int
	seed       uint64
	like       string
	similar    int // how many documents are shown
	words      int // how many words of each topic are shown
	check      string
	output     string

	given map[string]bool // flags that the command line names
}

// Of few documents all words count but those that are in most of them.
const (
	few         = 10
	fewMinDocs  = 1
	fewMaxShare = 0.7
)

// fit makes of defaults what n documents allow.
func (o *options) fit(n int) {
	if !o.given["dimensions"] {
		o.dimensions = min(o.dimensions, n)
	}
	if !o.given["topics"] {
		o.prior.topics = min(o.prior.topics, max(2, n/2))
	}
	if n < few && !o.given["min-docs"] {
		o.minDocs = fewMinDocs
	}
	if n < few && !o.given["max-share"] {
		o.maxShare = fewMaxShare
	}
}

const usage = `Topics finds what documents are about and which are alike, on any number of ranks.

	muster run -n 4 ./examples/topics [flags]

Without flags the documents are the packages of the Go standard library, by their
documentation comments.

`

// errHelp says that help was asked for.
var errHelp = errors.New("help asked for")

// parseOptions reads the command line args. The error is errHelp, or one sentence
// that names the flag; help is the text of -h.
func parseOptions(args []string) (o options, help string, err error) {
	var text bytes.Buffer
	f := flag.NewFlagSet("topics", flag.ContinueOnError)
	f.SetOutput(&text)
	f.Usage = func() {
		text.WriteString(usage)
		f.PrintDefaults()
	}
	var extensions string
	f.StringVar(&o.dir, "dir", "", "take the text files in and below this `directory` as documents")
	f.StringVar(&extensions, "ext", "", "of those in -dir take only files with such `endings`, for example .txt,.md")
	f.IntVar(&o.minDocs, "min-docs", 2, "leave out words that are in fewer documents; of fewer than 10 documents by default none")
	f.Float64Var(&o.maxShare, "max-share", 0.4, "leave out words that are in a larger share of all documents; of fewer than 10 documents by default 0.7")
	f.IntVar(&o.dimensions, "dimensions", 20, "dimensions of latent semantic analysis; by default as many as there are documents, if these are fewer")
	f.IntVar(&o.prior.topics, "topics", 12, "topics of latent Dirichlet allocation; by default one to two documents at most")
	f.Float64Var(&o.prior.alpha, "alpha", 0.1, "its prior for the topics of documents: the smaller, the fewer topics a document has")
	f.Float64Var(&o.prior.eta, "eta", 0.01, "its prior for the words of topics: the smaller, the fewer words a topic has")
	f.IntVar(&o.iterations, "iterations", 100, "its iterations")
	f.Uint64Var(&o.seed, "seed", 1, "of the random numbers that both begin with")
	f.StringVar(&o.like, "like", "", "show which documents are most like the one of this `name` (default encoding/json, with -dir the first)")
	f.IntVar(&o.similar, "similar", 10, "how many of them")
	f.IntVar(&o.words, "words", 9, "how many words to show of each topic")
	f.StringVar(&o.check, "check", "auto", "compare with what github.com/james-bowman/nlp computes on rank 0 alone: `auto|always|never`; auto does if that takes seconds")
	f.StringVar(&o.output, "output", "", "CSV `file` for each document's place in the latent space and its mixture of topics")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, text.String(), errHelp
		}
		return o, "", fmt.Errorf("%w (-h lists the flags)", err)
	}
	if f.NArg() > 0 {
		return o, "", fmt.Errorf("unexpected argument %q: everything is given by flags (-h lists them)", f.Arg(0))
	}
	o.given = make(map[string]bool)
	f.Visit(func(g *flag.Flag) { o.given[g.Name] = true })
	return o, "", o.complete(extensions)
}

// Priors lie where no exponential of a digamma underflows, and none is so strong
// that counts drown in it.
const minPrior, maxPrior = 0.005, 1000

// complete checks the options and takes the extensions apart.
func (o *options) complete(extensions string) error {
	if o.given["dir"] != (o.dir != "") {
		return errors.New("-dir is empty, expected a directory")
	}
	if o.given["ext"] && !o.given["dir"] {
		return errors.New("-ext is for the files in -dir")
	}
	for _, ext := range strings.Split(extensions, ",") {
		if o.given["ext"] && (len(ext) < 2 || ext[0] != '.') {
			return fmt.Errorf("-ext %q: expected endings that begin with a dot, such as .txt,.md", extensions)
		} else if o.given["ext"] {
			o.extensions = append(o.extensions, strings.ToLower(ext))
		}
	}
	for _, n := range []struct {
		name  string
		value int
		least int
	}{
		{"min-docs", o.minDocs, 1}, {"dimensions", o.dimensions, 1}, {"topics", o.prior.topics, 1},
		{"iterations", o.iterations, 0}, {"similar", o.similar, 0}, {"words", o.words, 0},
	} {
		if n.value < n.least || n.value > math.MaxInt32 {
			return fmt.Errorf("-%s %d: expected %d or more", n.name, n.value, n.least)
		}
	}
	for _, p := range []struct {
		name  string
		value float64
	}{{"alpha", o.prior.alpha}, {"eta", o.prior.eta}} {
		if !(p.value >= minPrior && p.value <= maxPrior) {
			return fmt.Errorf("-%s %v: expected %v to %v", p.name, p.value, minPrior, maxPrior)
		}
	}
	if !(o.maxShare > 0 && o.maxShare <= 1) {
		return fmt.Errorf("-max-share %v: expected more than 0 and at most 1", o.maxShare)
	}
	if o.check != "auto" && o.check != "always" && o.check != "never" {
		return fmt.Errorf("-check %q: expected auto, always or never", o.check)
	}
	return nil
}
