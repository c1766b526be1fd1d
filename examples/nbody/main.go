// Nbody moves bodies under their mutual gravity by direct summation, on any
// number of ranks. See the README beside this file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/muster-mpi/muster/rank"
)

func main() {
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		var terminal io.Writer
		if isTerminal(os.Stdout) || strings.Contains(os.Getenv("MUSTER_TERMINAL"), "1") {
			terminal = os.Stdout
		}
		return nbody(ctx, world, os.Args[1:], os.Stdout, terminal)
	})
}

// nbody is the program: args as on the command line, the report to out, and a
// progress bar to terminal if it is not nil. Every rank calls it with the same
// args and gets the same verdict.
func nbody(ctx context.Context, c *rank.Comm, args []string, out, terminal io.Writer) error {
	o, help, err := parseOptions(args)
	if errors.Is(err, errHelp) {
		if c.Rank() == 0 {
			fmt.Fprint(out, help)
		}
		return nil
	}
	if err != nil {
		return err
	}
	var report *reporter
	if c.Rank() == 0 {
		report = &reporter{out: out}
	}
	if o.check {
		if err := checkPublished(ctx, c, &o, report); err != nil {
			return err
		}
	}
	own, n, err := load(ctx, c, &o)
	if err != nil {
		return err
	}
	var files outputs
	if c.Rank() == 0 {
		// Before the computation, so that a wrong name does not cost its result.
		files, err = openOutputs(&o)
		defer files.close()
	}
	if err := verdict(ctx, c, err); err != nil {
		return err
	}
	s, err := newSimulation(ctx, c, own, n, &o)
	if err != nil {
		return err
	}
	if report != nil && terminal != nil {
		report.bar = newProgress(terminal, o.steps, time.Now)
	}
	var shot *picture
	if o.plot != "" {
		shot = newPicture(&o, n)
	}
	if err := run(ctx, s, &o, report, shot); err != nil {
		return err
	}
	report.summary(s)
	return files.write(ctx, s, &o, report, shot)
}

// run makes the steps of o, with rows for the report and frames for shot.
func run(ctx context.Context, s *simulation, o *options, report *reporter, shot *picture) error {
	report.heading(o, s.n, s.c.Size())
	every := max(1, (o.steps+o.rows-1)/o.rows)
	for step := 0; ; step++ {
		t := float64(step) * o.dt
		if shot.wants(step) {
			if report != nil {
				shot.begin(t)
			}
			if err := s.collect(ctx, shot.take); err != nil {
				return err
			}
		}
		if step%every == 0 || step == o.steps {
			sums, err := s.measure(ctx)
			if err != nil {
				return err
			}
			report.row(step, t, sums)
			if report != nil && shot != nil {
				shot.energy(t, sums.since(report.start).energy)
			}
		}
		if step == o.steps {
			report.published(o, step)
			return nil
		}
		if err := s.advance(ctx, 1); err != nil {
			return err
		}
		if report != nil {
			report.bar.show(step + 1)
		}
	}
}

// load returns this rank's block of the bodies that o asks for, and the number
// of all. An error is the same on every rank.
func load(ctx context.Context, c *rank.Comm, o *options) (*bodies, int, error) {
	switch o.system {
	case "plummer":
		first, size := block(o.n, c.Size(), c.Rank())
		return plummer(o.n, o.seed, first, size), o.n, nil
	case "solar":
		all := solar()
		return all.part(block(all.len(), c.Size(), c.Rank())), all.len(), nil
	}
	var all *bodies
	var err error
	if c.Rank() == 0 {
		all, err = readFile(o.input)
	}
	if err := verdict(ctx, c, err); err != nil {
		return nil, 0, err
	}
	return scatter(ctx, c, all)
}

func readFile(name string) (*bodies, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCSV(f, name)
}
