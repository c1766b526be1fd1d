package main

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

// tuneSizes are measured if nothing is said.
const tuneSizes = "8,512,4KiB,32KiB,256KiB,1MiB"

// A tuneLine is what muster tune was told.
type tuneLine struct {
	ops       []schedule.Operation
	ranks     []int
	sizes     []int // bytes, as tune.Bytes counts them
	transport string
	rounds    int
	repeat    int
	target    time.Duration
	budget    time.Duration
	output    string
	check     bool
	help      bool
}

var tuneFlags = []flagOf[tuneLine]{
	{names: []string{"n", "np"}, value: "LIST", help: "numbers of ranks (default 2,4,8)",
		set: func(l *tuneLine, v string) error {
			l.ranks = nil
			for part := range strings.SplitSeq(v, ",") {
				n, err := number(part, 2, maxRanks, "a number of ranks")
				if err != nil {
					return err
				}
				l.ranks = append(l.ranks, n)
			}
			return nil
		}},
	{names: []string{"m"}, value: "SIZES", help: "bytes of vectors and blocks, a list or MIN:MAX (default " + tuneSizes + "); reductions take the multiples of 8 among them",
		set: func(l *tuneLine, v string) (err error) {
			l.sizes, err = sizeList(v)
			return err
		}},
	{names: []string{"transport"}, value: "NAME", help: "shm (default), unix, tcp, or local for goroutines of one process",
		set: func(l *tuneLine, v string) (err error) {
			l.transport, err = oneOf(v, "shm", "unix", "tcp", "local")
			return err
		}},
	{names: []string{"local"}, help: "--transport local",
		set: func(l *tuneLine, v string) error {
			on, err := truth(v)
			if on {
				l.transport = "local"
			}
			return err
		}},
	{names: []string{"rounds"}, value: "N", help: "runs of the program for each operation (default 2)",
		set: setNumber(func(l *tuneLine) *int { return &l.rounds }, 1, 1000, "a number of rounds")},
	{names: []string{"repeat"}, value: "N", help: "repetitions within a run, in each of which all algorithms take their turn (default 5)",
		set: setNumber(func(l *tuneLine) *int { return &l.repeat }, 1, 100000, "a number of repetitions")},
	{names: []string{"time"}, value: "TIME", help: "what a repetition should take (default 2ms)",
		set: func(l *tuneLine, v string) (err error) { l.target, err = parseDuration(v); return err }},
	{names: []string{"budget"}, value: "TIME", help: "after which a size makes no further repetition, for each algorithm (default 100ms)",
		set: func(l *tuneLine, v string) (err error) { l.budget, err = parseDuration(v); return err }},
	{names: []string{"o"}, value: "FILE", help: "write the table to FILE (default: standard output)",
		set: setName(func(l *tuneLine) *string { return &l.output }, "a file")},
	{names: []string{"check"}, help: "write no table: only compare what is chosen without one with the best, and fail if it takes more than 1.25 times as long",
		set: setToggle(func(l *tuneLine) *bool { return &l.check })},
	{names: []string{"help", "h"}, help: "print this",
		set: setToggle(func(l *tuneLine) *bool { return &l.help })},
}

const tuneSynopsis = `muster tune [OPERATION ...] [flags]

Measures every algorithm of the operations (default: all), and the form in
shared memory, and writes a table of the fastest. muster run --tune FILE has a
job use it. muster explain --table FILE shows what that comes to.

Algorithms take turns, so what else the machine does holds up all of them. An
entry is for one operation, number of ranks and order of combination; a call
takes that of the nearest number of ranks. Then it says how far what is chosen
without a table is from the best.
`

const tuneExamples = `
Examples
  muster tune -n 2,4,8 -o here.tune
  muster tune allreduce bcast -n 8 -m 8:4MiB --transport tcp
  muster tune --local -n 2,3,4,5,7,8,12,16,17,32,33 --check

Exit code
  0 if all was measured; 1 if --check found a choice that takes too long; 64 if
  the command line is wrong; 66 if the program could not be built; 70 if it
  failed; 72 if the table cannot be written; 128+n after signal n.
`

func tuneHelp() string {
	var b strings.Builder
	b.WriteString(tuneSynopsis)
	flagsHelp(&b, tuneFlags)
	b.WriteString(tuneExamples)
	return b.String()
}

// parseTune reads the arguments of muster tune.
func parseTune(args []string) (*tuneLine, error) {
	l := &tuneLine{ranks: []int{2, 4, 8}, transport: "shm", rounds: 2, repeat: 5, target: 2 * time.Millisecond, budget: 100 * time.Millisecond}
	l.sizes, _ = sizeList(tuneSizes)
	word := func(v string) error {
		op, err := operationOf(v)
		if err == nil && !slices.Contains(l.ops, op) {
			l.ops = append(l.ops, op)
		}
		return err
	}
	if err := readFlags(l, "tune", tuneFlags, args, word, &l.help); err != nil || l.help {
		return l, err
	}
	if l.ops == nil {
		for op := range schedule.Operations {
			l.ops = append(l.ops, op)
		}
	}
	return l, nil
}

// test is what bench/coll calls op: its blocks are what tune.Bytes counts.
func test(op schedule.Operation) string {
	if op == schedule.ReduceScatter {
		return "reducescatterblock"
	}
	return op.String()
}

// width is how many bytes the elements have that bench/coll uses.
func width(op schedule.Operation) int {
	if op.Reduces() {
		return 8
	}
	return 1
}

// callOf is a call as it is measured.
func callOf(op schedule.Operation, ranks, bytes int) schedule.Call {
	return schedule.Call{Op: op, Size: ranks, Count: bytes / width(op), Segment: tune.Segment(width(op))}
}

// ways are the names of what can carry op out, the form in shared memory first.
func (l *tuneLine) ways(op schedule.Operation, ranks int) (names []string) {
	if (l.transport == "shm" || l.transport == "local") && ranks <= tune.MaxSharers {
		names = append(names, tune.SharedForm)
	}
	for _, a := range algo.Of(op) {
		if c := callOf(op, ranks, 8); a.Refuses == nil || a.Refuses(&c) == "" {
			names = append(names, a.Name)
		}
	}
	return names
}

// sizesOf are the sizes that are measured on so many ranks, with memory bytes, 0 if
// that is not known.
func (l *tuneLine) sizesOf(op schedule.Operation, ranks int, memory int64) (list []int) {
	if op == schedule.Barrier {
		return []int{0}
	}
	for _, n := range l.sizes {
		if n%width(op) == 0 && (memory == 0 || buffers(test(op), ranks, n) <= memory/4) {
			list = append(list, n)
		}
	}
	return list
}
