// Limits is the program of `muster bench p2p` that measures what bounds a
// message: copying, a shared flag, sockets, TLS and a plain gRPC stream, between
// two processes. It has the flags and prints the lines of bench/p2p, with the
// same loops as far as there is something to loop over.
//
//	go run ./bench/limits -limit tcp-poll -t latency -l 8 -h 8
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
)

// options are the flags of bench/p2p.
type options struct {
	plan.Plan
	limit, test string
}

// A limit is a way for bytes to cross.
type limit struct {
	name  string
	tests []string
	most  int // bytes of a message; 0: no bound
	run   func(ctx context.Context, o *options) error
}

// childVariable holds, in the second process, what it serves.
const childVariable = "MUSTER_BENCH_LIMIT"

func main() {
	var o options
	var unused time.Duration
	var validate bool
	flag.StringVar(&o.limit, "limit", "", "`name` of the limit")
	flag.StringVar(&o.test, "t", "latency", "`test`: latency or bw")
	o.Flags(flag.CommandLine)
	flag.DurationVar(&unused, "C", 0, "as bench/p2p; not used")
	flag.BoolVar(&validate, "c", false, "as bench/p2p; not used")
	list := flag.Bool("list", false, "print the limits and their tests, a line each")
	flag.Parse()
	if *list {
		for _, l := range limits {
			fmt.Println(l.name, strings.Join(l.tests, " "))
		}
		return
	}
	if err := run(context.Background(), &o); err != nil {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) error {
	if kind := os.Getenv(childVariable); kind != "" {
		return serve(ctx, kind, o)
	}
	for _, l := range limits {
		if l.name != o.limit {
			continue
		}
		if !slices.Contains(l.tests, o.test) {
			return fmt.Errorf("%s has no test %q: expected one of %v", l.name, o.test, l.tests)
		}
		if l.most > 0 {
			o.High = min(o.High, l.most)
		}
		return l.run(ctx, o)
	}
	return fmt.Errorf("no limit is called %q; -list names them", o.limit)
}

// sizes are the plan's without the empty message, which most limits do not have.
func (o *options) sizes() []int {
	return slices.DeleteFunc(o.Sizes(), func(size int) bool { return size <= 0 })
}

// repeat times all repetitions of a size. once does n iterations, of each of
// which so many messages come.
func (o *options) repeat(size, messages int, once func(n int) error) error {
	timed := func(n int) (time.Duration, error) {
		start := time.Now()
		err := once(n)
		return time.Since(start), err
	}
	n, err := o.Iterations(timed)
	if err != nil {
		return err
	}
	if o.Warmup > 0 {
		if _, err := timed(o.Warmup); err != nil {
			return err
		}
	}
	for rep := range o.Repeat {
		elapsed, err := timed(n)
		if err != nil {
			return err
		}
		plan.Sample(o.test, size, rep, int64(n*messages), elapsed, "")
	}
	return nil
}
