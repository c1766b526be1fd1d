// Heat finds the temperatures in a plate or a block whose walls are held at given ones,
// by Jacobi's method on a grid that is divided among any number of ranks. See the README
// beside this file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/topology"
)

func main() {
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		return heat(ctx, world, os.Args[1:], os.Stdout)
	})
}

// heat is the program: args as on the command line, the report to out. Every rank calls
// it with the same args. An error of one rank ends the others.
func heat(ctx context.Context, world *rank.Comm, args []string, out io.Writer) error {
	o, help, err := parseOptions(args)
	if errors.Is(err, errHelp) {
		if world.Rank() == 0 {
			fmt.Fprint(out, help)
		}
		return nil
	}
	if err != nil {
		return err
	}
	ranks, err := divide(world.Size(), &o)
	if err != nil {
		return err
	}
	cart, err := topology.NewCart(ctx, world, ranks, nil, topology.Reorder)
	if err != nil {
		return err
	}
	var report *reporter
	var picture *os.File
	if cart.Comm().Rank() == 0 {
		report = &reporter{out: out}
		if o.plot != "" {
			// Before the computation, so that a wrong name does not cost its result.
			if picture, err = os.Create(o.plot); err != nil {
				return err
			}
			defer picture.Close()
		}
	}
	report.heading(&o, cart)
	p := newPart(&o, cart)
	s, err := solve(ctx, cart, p, &o, report)
	if err != nil {
		return err
	}
	all, err := p.collect(ctx, cart)
	if err != nil || report == nil {
		return err
	}
	return finish(&o, s, all, report, picture)
}

// finish is what rank 0 does with the whole field.
func finish(o *options, s solution, all []float64, report *reporter, picture *os.File) error {
	report.summary(o, s, all)
	if o.check {
		if err := checkSerial(o, s, all); err != nil {
			return err
		}
		report.printf("check: one rank without messages finds the same bits in as many steps\n")
	}
	if picture != nil {
		if err := errors.Join(draw(picture, o, all), picture.Close()); err != nil {
			return err
		}
		report.printf("picture: %s\n", o.plot)
	}
	return nil
}
