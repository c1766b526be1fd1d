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
	"os"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// options are the flags, which the C twin and bench/limits have too.
type options struct {
	test     string
	low      int // bytes of the first size
	high     int // and of the last
	iters    int // iterations of a repetition; 0: as many as take target
	warmup   int // iterations before the first repetition, beyond those that find iters
	window   int // messages under way; 0: 64, and 4 beyond 4 MiB
	repeat   int // repetitions
	target   time.Duration
	compute  time.Duration
	validate bool // check the data of every repetition, not of the first exchange only
}

func main() {
	var o options
	flag.StringVar(&o.test, "t", "latency", "`test`: latency, bw, bibw, rate, overlap or memory")
	flag.IntVar(&o.low, "l", 0, "`bytes` of the first size")
	flag.IntVar(&o.high, "h", 64<<20, "`bytes` of the last size")
	flag.IntVar(&o.iters, "i", 0, "iterations of a repetition; 0: as many as take -T")
	flag.IntVar(&o.warmup, "x", 0, "iterations before the first repetition")
	flag.IntVar(&o.window, "W", 0, "messages under way; 0: 64, and 4 beyond 4 MiB")
	flag.IntVar(&o.repeat, "r", 10, "repetitions")
	flag.DurationVar(&o.target, "T", 5*time.Millisecond, "`time` of a repetition")
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
		for _, size := range sizes(o.low, o.high) {
			if err := p.measure(ctx, size, loops[o.test]); err != nil {
				return fmt.Errorf("%d bytes: %w", size, err)
			}
		}
		return nil
	})
}

// sizes are the powers of two from low to high, after 0 if that is low, and low
// itself.
func sizes(low, high int) []int {
	list := []int{low}
	next := 1
	for next <= low {
		next *= 2
	}
	for ; next <= high; next *= 2 {
		list = append(list, next)
	}
	return list
}

// line prints a repetition: messages that crossed one after the other, or in
// each other's wake, in so many nanoseconds.
func line(test string, size, rep int, messages int64, elapsed time.Duration, rest string) {
	fmt.Fprintf(os.Stdout, "sample test=%s size=%d rep=%d messages=%d ns=%d%s\n", test, size, rep, messages, elapsed.Nanoseconds(), rest)
}
