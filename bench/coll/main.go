// Coll is the rank program of `muster bench coll`: it measures one collective at
// every size and prints a line for each repetition. bench/peer/c/coll.c is its
// twin in C; the two have the same flags (but for -u, -a and -local), loops, counts
// and lines, and are changed together. bench/README.md says what is measured and
// how.
//
//	muster run -n 8 ./bench/coll -t allreduce -s 8,4096
//	muster run -n 8 ./bench/coll -t bcast -u binomial,chain
//	go run ./bench/coll -local 8 -t barrier
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// options are the flags.
type options struct {
	plan.Effort
	test     string
	sizes    []int
	budget   time.Duration // that a size may take
	validate bool          // check the data of every repetition, not of the first exchange only
	using    []string      // algorithms, in turn; none: whichever is chosen
	anyOrder bool          // sums may be made in any order
	local    int           // goroutine ranks of this process; 0: the job's
}

func main() {
	o := options{sizes: []int{8}}
	flag.StringVar(&o.test, "t", "allreduce", "`collective`: "+strings.Join(names(), ", "))
	flag.Func("s", "`bytes`, a list of sizes (default 8)", func(text string) (err error) {
		o.sizes, err = sizes(text)
		return err
	})
	o.Effort.Flags(flag.CommandLine)
	flag.DurationVar(&o.budget, "b", 2*time.Second, "`time` after which a size makes no further repetition")
	flag.BoolVar(&o.validate, "c", false, "check the data of every repetition")
	flag.Func("u", "`algorithms` that carry the collective out, in turn (default: the one that is chosen)", func(text string) error {
		o.using = strings.Split(text, ",")
		return nil
	})
	flag.BoolVar(&o.anyOrder, "a", false, "sums may be made in any order")
	flag.IntVar(&o.local, "local", 0, "`ranks` as goroutines of this process")
	flag.Parse()
	body := func(ctx context.Context, world *rank.Comm) error { return measure(ctx, world, o) }
	if o.local == 0 {
		rank.Run(body)
		return
	}
	if err := rank.Local(o.local, body); err != nil {
		fmt.Fprintln(os.Stderr, "coll:", err)
		os.Exit(1)
	}
}

// names are the collectives that can be measured.
func names() []string { return slices.Sorted(maps.Keys(all)) }

// sizes reads a list of bytes.
func sizes(text string) (list []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q: expected bytes, 0 or more", part)
		}
		list = append(list, n)
	}
	return list, nil
}

// measure takes all sizes. Every rank calls it.
func measure(ctx context.Context, world *rank.Comm, o options) error {
	c, ok := all[o.test]
	if !ok {
		return fmt.Errorf("collective %q: expected one of %s", o.test, strings.Join(names(), ", "))
	}
	if c.sums && slices.ContainsFunc(o.sizes, func(n int) bool { return n%8 != 0 }) {
		return fmt.Errorf("%s of %d bytes: expected multiples of 8, since float64 are summed", o.test, o.sizes)
	}
	if len(o.sizes) == 0 {
		return errors.New("no sizes")
	}
	g := newGroup(world, c, o)
	for _, size := range o.sizes {
		if err := g.measure(ctx, size); err != nil {
			return fmt.Errorf("%s of %d bytes: %w", o.test, size, err)
		}
	}
	return nil
}

// ways are the options of the measured calls, of one way after the other.
func (o *options) ways() (list [][]collectives.Option) {
	var always []collectives.Option
	if o.anyOrder {
		always = append(always, collectives.AnyOrder())
	}
	if len(o.using) == 0 {
		return append(list, always)
	}
	for _, name := range o.using {
		list = append(list, append(slices.Clip(always), collectives.Using(name)))
	}
	return list
}
