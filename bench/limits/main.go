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
)

// options are the flags of bench/p2p.
type options struct {
	limit, test                          string
	low, high, iters, warmup, win, times int
	target                               time.Duration
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
	flag.IntVar(&o.low, "l", 0, "`bytes` of the first size")
	flag.IntVar(&o.high, "h", 64<<20, "`bytes` of the last size")
	flag.IntVar(&o.iters, "i", 0, "iterations of a repetition; 0: as many as take -T")
	flag.IntVar(&o.warmup, "x", 0, "iterations before the first repetition")
	flag.IntVar(&o.win, "W", 0, "messages under way; 0: 64, and 4 beyond 4 MiB")
	flag.IntVar(&o.times, "r", 10, "repetitions")
	flag.DurationVar(&o.target, "T", 5*time.Millisecond, "`time` of a repetition")
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
			o.high = min(o.high, l.most)
		}
		return l.run(ctx, o)
	}
	return fmt.Errorf("no limit is called %q; -list names them", o.limit)
}

func (o *options) window(size int) int {
	switch {
	case o.win > 0:
		return o.win
	case size > 4<<20:
		return 4
	}
	return 64
}

// sizes are those of bench/p2p without the empty message, which most limits do
// not have.
func (o *options) sizes() []int {
	var list []int
	next := 1
	if o.low > 0 {
		list = append(list, o.low)
		for next <= o.low {
			next *= 2
		}
	}
	for ; next <= o.high; next *= 2 {
		list = append(list, next)
	}
	return list
}

// repeat times all repetitions of a size. once does n iterations, of each of
// which so many messages come.
func (o *options) repeat(size, messages int, once func(n int) error) error {
	timed := func(n int) (time.Duration, error) {
		start := time.Now()
		err := once(n)
		return time.Since(start), err
	}
	n, err := o.calibrate(timed)
	if err != nil {
		return err
	}
	if o.warmup > 0 {
		if _, err := timed(o.warmup); err != nil {
			return err
		}
	}
	for rep := range o.times {
		elapsed, err := timed(n)
		if err != nil {
			return err
		}
		fmt.Printf("sample test=%s size=%d rep=%d messages=%d ns=%d\n", o.test, size, rep, n*messages, elapsed.Nanoseconds())
	}
	return nil
}

// calibrate is that of bench/p2p.
func (o *options) calibrate(timed func(n int) (time.Duration, error)) (int, error) {
	if o.iters > 0 {
		return o.iters, nil
	}
	const most = 1 << 24
	enough := 0
	for n := 1; ; {
		elapsed, err := timed(n)
		if err != nil {
			return 0, err
		}
		if elapsed >= o.target/2 || n >= most {
			if enough++; enough == 2 {
				return n, nil
			}
			continue
		}
		enough = 0
		n = min(int(float64(n)*min(max(float64(o.target)/float64(max(elapsed, 1)), 2), 10)), most)
	}
}
