package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/compare"
	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// Exit codes of muster bench compare.
const (
	exitSlower       = 1
	exitIncomparable = 2
)

// A compareLine is what muster bench compare was told.
type compareLine struct {
	files []string
	bound float64
	brief bool
	help  bool
}

var compareFlags = []flagOf[compareLine]{
	{names: []string{"fail-over"}, value: "P%", help: "the change beyond which a cell is slower (default 5%)",
		set: func(l *compareLine, v string) error {
			text, sign := strings.CutSuffix(v, "%")
			p, err := strconv.ParseFloat(text, 64)
			if err != nil || !sign || !(p >= 0 && p <= 1000) || math.Signbit(p) {
				return fmt.Errorf("%s: expected a percentage up to 1000%%, such as 5%%", quote(v))
			}
			l.bound = p / 100
			return nil
		}},
	{names: []string{"changed"}, help: "show only the cells that have become slower or faster",
		set: func(l *compareLine, v string) (err error) {
			l.brief, err = truth(v)
			return err
		}},
	{names: []string{"help", "h"}, help: "print this",
		set: func(l *compareLine, v string) (err error) {
			l.help, err = truth(v)
			return err
		}},
}

// parseCompare reads the arguments of muster bench compare.
func parseCompare(args []string) (*compareLine, error) {
	l := &compareLine{bound: 0.05}
	for {
		rest, err := take(l, compareFlags, args, "muster bench compare", func() bool { return l.help })
		if err != nil || l.help {
			return l, err
		}
		if len(rest) == 0 {
			break
		}
		l.files = append(l.files, rest[0])
		args = rest[1:]
	}
	if len(l.files) != 2 {
		return nil, fmt.Errorf("%s named: expected muster bench compare OLD NEW, two files that --json wrote", count(len(l.files), "file"))
	}
	return l, nil
}

const compareSynopsis = `muster bench compare [flags] OLD NEW

Says which cells of NEW are slower than in OLD. Both are JSON files of muster
bench: what --json wrote, or scaling.json. A cell is slower if the rank-sum test
says so of more than --fail-over, at 5 % for all cells together (Holm), for which
both files want some rounds: 6 or so. bench/README.md explains it.

Flags
`

const compareExamples = `
Example
  muster bench compare old.json new.json --fail-over 5%

Exit code
  0 if no cell is slower; 1 if one is; 2 if the files cannot be compared; 64 if
  the command line is wrong.
`

func compareHelp() string {
	var b strings.Builder
	b.WriteString(compareSynopsis)
	flagHelp(&b, compareFlags)
	b.WriteString(compareExamples)
	return b.String()
}

// benchCompare is muster bench compare.
func benchCompare(args []string, stdout, stderr io.Writer) int {
	complain := func(code int, err error) int {
		fmt.Fprintf(stderr, "muster: %s\n", output.Escape(err.Error()))
		return code
	}
	l, err := parseCompare(args)
	if err != nil {
		return complain(launcher.ExitUsage, err)
	}
	if l.help {
		fmt.Fprint(stdout, compareHelp())
		return 0
	}
	before, err := readReport(l.files[0])
	after, lost := readReport(l.files[1])
	if err = errors.Join(err, lost); err != nil {
		return complain(exitIncomparable, err)
	}
	r, err := compare.Files(before, after, l.bound)
	if err != nil {
		return complain(exitIncomparable, err)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(stderr, "muster: warning: %s\n", output.Escape(w))
	}
	fmt.Fprintf(stdout, "# old: %s, commit %s, %s\n# new: %s, commit %s, %s\n\n",
		output.Escape(l.files[0]), output.Escape(before.Environment.Commit), before.Environment.Start.Format("2006-01-02 15:04 MST"),
		output.Escape(l.files[1]), output.Escape(after.Environment.Commit), after.Environment.Start.Format("2006-01-02 15:04 MST"))
	if err := r.WriteTable(stdout, l.brief); err != nil {
		return complain(launcher.ExitResource, err)
	}
	if r.Slower() > 0 {
		return exitSlower
	}
	return 0
}

// readReport reads a file that a benchmark wrote.
func readReport(name string) (*results.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := results.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}
