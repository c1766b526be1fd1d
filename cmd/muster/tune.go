package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/internal/gobuild"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// tuneCommand is muster tune.
func tuneCommand(args []string, stdout, stderr io.Writer) int {
	l, err := parseTune(args)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, tuneHelp())
		return 0
	}
	ctx, stop := untilSignal()
	defer stop()
	r := &tuneRun{line: l, bench: benchRun{line: &benchLine{}, stderr: stderr}, taken: make(map[cell]map[string][]float64)}
	defer r.bench.close()
	err = r.measure(ctx)
	var sig interrupted
	var bench *benchError
	switch {
	case err == nil:
	case errors.As(err, &sig):
		return failed(stderr, sig.code(), err)
	case errors.As(err, &bench):
		return failed(stderr, bench.code, err)
	default:
		return failed(stderr, launcher.ExitInternal, err)
	}
	if l.check {
		if r.compare(stdout) {
			return 0
		}
		return 1
	}
	text := r.table(shellWords(append([]string{"muster", "tune"}, args...)), sourceCommit(ctx)).String()
	if l.output == "" {
		_, err = io.WriteString(stdout, text)
	} else {
		err = os.WriteFile(l.output, []byte(text), 0o666)
	}
	if err != nil {
		return failed(stderr, launcher.ExitResource, err)
	}
	r.compare(stderr)
	return 0
}

// A cell is what all ways are compared for.
type cell struct {
	op    schedule.Operation
	ranks int
	bytes int
}

// A tuneRun is muster tune at work.
type tuneRun struct {
	line  *tuneLine
	bench benchRun // builds and launches
	cells []cell   // in the order in which they were measured
	taken map[cell]map[string][]float64
}

// measure runs the program for every operation and number of ranks, in rounds.
func (r *tuneRun) measure(ctx context.Context) error {
	name := benchSource + "coll"
	p, err := gobuild.Build(ctx, gobuild.Target{Kind: gobuild.ImportPath, Name: name, Path: name}, gobuild.Options{Stderr: r.bench.stderr})
	if err != nil {
		return &benchError{launcher.ExitSpawn, fmt.Errorf("%w; muster tune builds its program from source: run it in a clone of muster, or in a module that requires it", err)}
	}
	r.bench.program = map[string]*gobuild.Program{"coll": p}
	run := r.bench.inOneProcess
	if r.line.transport != "local" {
		run = r.bench.launched("coll", r.line.transport, false)
	}
	memory := results.Here().MemoryMB << 20
	began, done := time.Now(), 0
	terminal := output.IsTerminal(r.bench.stderr)
	for _, ranks := range r.line.ranks {
		for _, op := range r.line.ops {
			sizes := r.line.sizesOf(op, ranks, memory)
			for round := range r.line.rounds {
				if terminal {
					fmt.Fprintf(r.bench.stderr, "\r\x1b[K%v on %d ranks, round %d of %d, %d of %d, %v", op, ranks, round+1, r.line.rounds,
						done+1, len(r.line.ranks)*len(r.line.ops)*r.line.rounds, time.Since(began).Round(time.Second))
				}
				done++
				if len(sizes) == 0 {
					continue
				}
				out, err := run(ctx, contest.Test{Name: test(op), Ranks: ranks, Args: r.line.programArgs(op, ranks, sizes)})
				if err == nil {
					err = r.add(op, ranks, out)
				}
				if err != nil {
					return fmt.Errorf("%v on %d ranks: %w", op, ranks, err)
				}
			}
		}
	}
	if terminal {
		fmt.Fprint(r.bench.stderr, "\r\x1b[K")
	}
	return nil
}

// programArgs are the flags of bench/coll.
func (l *tuneLine) programArgs(op schedule.Operation, ranks int, sizes []int) []string {
	return []string{"-t", test(op), "-s", joinNumbers(sizes), "-a", "-u", strings.Join(l.ways(op, ranks), ","),
		"-r", strconv.Itoa(l.repeat), "-T", nanoseconds(l.target), "-b", nanoseconds(l.budget)}
}

// add takes what the program printed: lines with size, using, calls and ns.
func (r *tuneRun) add(op schedule.Operation, ranks int, out string) error {
	found := false
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "sample" {
			continue
		}
		value := make(map[string]string)
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			value[k] = v
		}
		bytes, err1 := strconv.Atoi(value["size"])
		calls, err2 := strconv.ParseFloat(value["calls"], 64)
		ns, err3 := strconv.ParseFloat(value["ns"], 64)
		if err := errors.Join(err1, err2, err3); err != nil || !(ns > 0 && calls > 0) || value["using"] == "" {
			return fmt.Errorf("%q: expected a sample with size, calls, ns and using", strings.TrimSpace(line))
		}
		c := cell{op, ranks, bytes}
		if r.taken[c] == nil {
			r.taken[c] = make(map[string][]float64)
			r.cells = append(r.cells, c)
		}
		r.taken[c][value["using"]] = append(r.taken[c][value["using"]], ns/calls)
		found = true
	}
	if !found {
		return fmt.Errorf("it printed no samples, but %.200q", out)
	}
	return nil
}
