package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// options is what the command line asks for.
type options struct {
	shape     shape // of generated input; zero if it comes from files
	a, b      string
	out       string
	algorithm string
	seed      uint64
	check     string
	repeat    int
	memory    float64 // GiB that A, B and C may take together
}

// maxMemory, in GiB, is beyond any machine and far below where the size of a matrix
// in bytes would overflow an int.
const maxMemory = 1 << 23

const usage = `matmul multiplies two matrices distributed over the ranks of a job.

  muster run -n 4 ./examples/matmul [flags]

`

// parseOptions reads the command line. It returns flag.ErrHelp if help was asked
// for; every other error is one sentence for the user.
func parseOptions(args []string) (options, error) {
	var o options
	var size int
	flags := newFlags(&o, &size)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w (-h lists the flags)", err)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q (-h lists the flags)", flags.Arg(0))
	}
	for _, choice := range []struct{ name, value, allowed string }{
		{"algorithm", o.algorithm, "auto cannon summa ring"},
		{"check", o.check, "auto always never"},
	} {
		if allowed := strings.Fields(choice.allowed); !slices.Contains(allowed, choice.value) {
			return o, fmt.Errorf("-%s is %q, expected %s", choice.name, choice.value, alternatives(allowed))
		}
	}
	for _, number := range []struct {
		name  string
		value int
	}{{"size", size}, {"m", o.shape.m}, {"n", o.shape.n}, {"k", o.shape.k}, {"repeat", o.repeat}} {
		if (given[number.name] || number.name == "repeat") && (number.value < 1 || number.value > maxDimension) {
			return o, fmt.Errorf("-%s is %d, expected 1 to %d", number.name, number.value, maxDimension)
		}
	}
	if !(o.memory > 0 && o.memory <= maxMemory) {
		return o, fmt.Errorf("-memory is %v, expected more than 0 and at most %d GiB", o.memory, maxMemory)
	}
	for _, file := range []string{o.a, o.b, o.out} {
		if file == "" {
			continue
		}
		if _, ok := formats[strings.ToLower(filepath.Ext(file))]; !ok {
			return o, fmt.Errorf("%s: the name of a matrix file ends with .mtx, .csv or .npy", file)
		}
	}
	if (o.a == "") != (o.b == "") {
		return o, errors.New("-a and -b go together: both matrices come from files, or neither does")
	}
	if o.a != "" {
		for _, name := range []string{"size", "m", "n", "k", "seed"} {
			if given[name] {
				return o, fmt.Errorf("-%s is for generated matrices and does not go with -a and -b", name)
			}
		}
		o.shape = shape{}
		return o, nil
	}
	for _, dim := range []struct {
		name string
		to   *int
	}{{"m", &o.shape.m}, {"n", &o.shape.n}, {"k", &o.shape.k}} {
		if !given[dim.name] {
			*dim.to = size
		}
	}
	return o, o.fits("the matrices", o.shape)
}

func newFlags(o *options, size *int) *flag.FlagSet {
	f := flag.NewFlagSet("matmul", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(size, "size", 1024, "rows and columns of generated matrices where -m, -n or -k do not say otherwise")
	f.IntVar(&o.shape.m, "m", 0, "rows of A and C")
	f.IntVar(&o.shape.n, "n", 0, "columns of B and C")
	f.IntVar(&o.shape.k, "k", 0, "columns of A, rows of B")
	f.StringVar(&o.algorithm, "algorithm", "auto", "cannon (a square number of ranks), summa or ring (any), or auto: cannon on a square grid, ring on one of one row or column, else summa")
	f.StringVar(&o.a, "a", "", "read A from this .mtx (MatrixMarket), .csv or .npy `file`")
	f.StringVar(&o.b, "b", "", "read B from this `file`")
	f.StringVar(&o.out, "out", "", "write C to this .mtx, .csv or .npy `file`")
	f.Uint64Var(&o.seed, "seed", 1, "of generated matrices")
	f.StringVar(&o.check, "check", "auto", "compare C with the product of a single rank: auto (when that is cheap), always or never")
	f.IntVar(&o.repeat, "repeat", 3, "multiply so many times, report each")
	f.Float64Var(&o.memory, "memory", 4, "how many `GiB` A, B and C may take together")
	return f
}

// help writes what -h prints.
func help(to io.Writer) {
	var size int
	f := newFlags(new(options), &size)
	f.SetOutput(to)
	fmt.Fprint(to, usage)
	f.PrintDefaults()
}

// fits reports an error if a problem of this shape takes more than -memory, long
// before an allocation does.
func (o options) fits(what string, s shape) error {
	const gib = 1 << 30
	if total := bytesOf(s.m, s.k) + bytesOf(s.k, s.n) + bytesOf(s.m, s.n); total > o.memory*gib {
		return fmt.Errorf("%s %d×%d · %d×%d and their product take %.3g GiB, more than -memory %g", what, s.m, s.k, s.k, s.n, total/gib, o.memory)
	}
	return nil
}

// bytesOf returns the memory a matrix takes; as a float64 it cannot overflow.
func bytesOf(rows, cols int) float64 { return 8 * float64(rows) * float64(cols) }
