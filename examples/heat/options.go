package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/topology"
)

// options is what the command line asks for.
type options struct {
	grid    []int // points in each dimension, walls not counted
	problem problem
	tol     float64
	most    int
	every   int
	ranks   []int // in each dimension; nil: topology.Dims says
	check   bool
	plot    string
}

const usage = `Heat finds the steady temperatures in a plate (2-D) or a block (3-D) by Jacobi's method.

	muster run -n 4 ./examples/heat [flags]

Without flags it heats one side of a plate of 128×128 points and compares the result with
the exact solution.

`

// errHelp says that help was asked for.
var errHelp = errors.New("help asked for")

// parseOptions reads the command line args. The error is errHelp, or one sentence that
// names the flag; help is the text of -h.
func parseOptions(args []string) (o options, help string, err error) {
	var text bytes.Buffer
	f := flag.NewFlagSet("heat", flag.ContinueOnError)
	f.SetOutput(&text)
	f.Usage = func() {
		text.WriteString(usage)
		f.PrintDefaults()
	}
	grid := f.String("grid", "128x128", "`points` in each of two or three dimensions, such as 300x400 or 64x64x64; the last is from left to right")
	name := f.String("problem", "wall", "`wall|plates`: the left wall is hot and the exact solution known, or a hot and a cold plate face each other")
	ranks := f.String("ranks", "", "ranks in each dimension, such as `1x4` (default: as square as possible)")
	f.Float64Var(&o.tol, "tol", 1e-6, "stop when no point changes by more in a step; walls and plates are at 0 and ±100")
	f.IntVar(&o.most, "steps", 1_000_000, "stop after so many steps at the latest")
	f.IntVar(&o.every, "every", 16, "ask all ranks every so many steps whether to stop")
	f.BoolVar(&o.check, "check", false, "compare with a run on one rank, bit by bit")
	f.StringVar(&o.plot, "plot", "", "picture `file`, .png; of a block, the slice through its middle")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, text.String(), errHelp
		}
		return o, "", fmt.Errorf("%w (-h lists the flags)", err)
	}
	if f.NArg() > 0 {
		return o, "", fmt.Errorf("unexpected argument %q: everything is given by flags (-h lists them)", f.Arg(0))
	}
	return o, "", o.complete(*grid, *name, *ranks)
}

// maxPoints keeps a field and its copies within the memory of a machine.
const maxPoints = 1 << 30

func (o *options) complete(grid, name, ranks string) error {
	var err error
	if o.grid, err = sides(grid); err != nil {
		return fmt.Errorf("-grid %q: %w", grid, err)
	}
	if ranks != "" {
		if o.ranks, err = sides(ranks); err != nil {
			return fmt.Errorf("-ranks %q: %w", ranks, err)
		}
	}
	points := 1
	for _, n := range o.grid {
		if points > maxPoints/n {
			return fmt.Errorf("-grid %q: more than %d points", grid, maxPoints)
		}
		points *= n
	}
	o.problem = problems[name]
	switch {
	case len(o.grid) != 2 && len(o.grid) != 3:
		return fmt.Errorf("-grid %q: expected two or three dimensions, such as 128x128", grid)
	case ranks != "" && len(o.ranks) != len(o.grid):
		return fmt.Errorf("-ranks %q: expected %d numbers, as many as -grid has", ranks, len(o.grid))
	case o.problem == nil:
		return fmt.Errorf("-problem %q: expected wall or plates", name)
	case !(o.tol >= 0):
		return fmt.Errorf("-tol %v: expected 0 or more", o.tol)
	case o.most < 1:
		return fmt.Errorf("-steps %d: expected 1 or more", o.most)
	case o.every < 1:
		return fmt.Errorf("-every %d: expected 1 or more", o.every)
	case o.plot != "" && strings.ToLower(filepath.Ext(o.plot)) != ".png":
		return fmt.Errorf("-plot %q: expected a name that ends in .png", o.plot)
	}
	return nil
}

// sides reads numbers with an x between.
func sides(text string) ([]int, error) {
	var list []int
	for word := range strings.SplitSeq(text, "x") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number from 1 on; expected such as 128x128", word)
		}
		list = append(list, n)
	}
	return list, nil
}

// divide returns how many ranks there are in each dimension.
func divide(size int, o *options) ([]int, error) {
	ranks := o.ranks
	if ranks == nil {
		ranks = make([]int, len(o.grid))
	}
	ranks, err := topology.Dims(size, ranks...)
	if err != nil {
		return nil, fmt.Errorf("-ranks %v for %d ranks: %w", o.ranks, size, err)
	}
	for d, n := range o.grid {
		if ranks[d] > n {
			return nil, fmt.Errorf("%d ranks in dimension %d, which has %d points: give a larger -grid, or other -ranks", ranks[d], d, n)
		}
	}
	return ranks, nil
}
