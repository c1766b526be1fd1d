// P2p is the rank program of `muster bench p2p`: it measures one test at every
// size and prints a line for each repetition. bench/peer/c/p2p.c is its twin in
// C; the two have the same flags, loops, counts and lines, and are changed
// together. bench/README.md says what is measured and how.
//
//	muster run -n 2 ./bench/p2p -t latency -m 0:1024
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/rank"
)

// options are the flags, which the C twin and bench/limits have too.
type options struct {
	plan.Plan
	test     string
	compute  time.Duration
	validate bool // check the data of every repetition, not of the first exchange only
}

func main() {
	var o options
	flag.StringVar(&o.test, "t", "latency", "`test`: latency, bw, bibw, rate, overlap or memory")
	o.Flags(flag.CommandLine)
	flag.DurationVar(&o.compute, "C", 50*time.Millisecond, "`time` that overlap computes")
	flag.BoolVar(&o.validate, "c", false, "check the data of every repetition")
	flag.Parse()
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		if world.Size() < 2 || world.Size()%2 != 0 && o.test != "memory" {
			return fmt.Errorf("%d ranks: expected an even number, 2 at least", world.Size())
		}
		if o.test == "memory" {
			return memory(ctx, world)
		}
		loops := map[string]loop{"latency": pingPong, "bw": stream, "rate": stream, "bibw": exchange, "overlap": overlapping}
		if loops[o.test] == nil || flag.NArg() > 0 {
			return fmt.Errorf("test %q %q: expected latency, bw, bibw, rate, overlap or memory", o.test, flag.Args())
		}
		p := newPair(world, o)
		for _, size := range o.Sizes() {
			if err := p.measure(ctx, size, loops[o.test]); err != nil {
				return fmt.Errorf("%d bytes: %w", size, err)
			}
		}
		return nil
	})
}
