// Matmul multiplies two matrices distributed in blocks over the ranks of a job, by
// Cannon's algorithm, by SUMMA or in a ring, and checks the result against the
// product that a single rank computes. README.md says how to run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

func main() {
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		err := program(ctx, world, os.Args[1:], os.Stdout)
		var known *rootError
		if errors.As(err, &known) {
			// Rank 0 is about to end the job for the same reason. Mostly this
			// rank does not outlive that, and the user reads one sentence from
			// the rank it concerns instead of one from each.
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
		return err
	})
}

// program runs one rank. Rank 0 reads the files, writes the report to out and
// tells the others when something is wrong, so that all ranks return an error or
// none does.
func program(ctx context.Context, world *rank.Comm, args []string, out io.Writer) (err error) {
	if world.Rank() != 0 {
		out = io.Discard
	}
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		help(out)
		return nil
	}

	var a, b blas64.General // whole, on rank 0, if they come from files
	s := o.shape
	if world.Rank() == 0 && err == nil {
		a, b, s, err = o.prepare(world.Size())
	}
	if lost := verdict(ctx, world, err); lost != nil {
		return lost
	}
	if err != nil {
		return err // this rank's command line alone is wrong
	}
	if s, err = announce(ctx, world, s); err != nil {
		return err
	}
	pl, err := newPlan(o, s, world.Size())
	if err != nil {
		return err
	}
	describe(out, o, pl, world.Size(), runtime.GOMAXPROCS(0))

	g, err := newGrid(ctx, world, pl.rows, pl.cols)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = g.free()
		}
	}()
	myA, myB, err := operands(ctx, g, o, s, a, b)
	if err != nil {
		return err
	}
	myC := newMatrix(part(s.m, g.rows, g.row).len(), part(s.n, g.cols, g.col).len())
	best, err := o.multiply(ctx, g, pl, myC, myA, myB, out)
	if err != nil {
		return err
	}
	return o.finish(ctx, g, s, best, myC, a, b, out)
}

// prepare finds out, on rank 0, whether the problem can be solved, and loads the
// matrices if they come from files.
func (o options) prepare(ranks int) (a, b blas64.General, s shape, err error) {
	s = o.shape
	if err = o.writable(); err != nil {
		return a, b, s, err
	}
	if o.a != "" {
		if a, b, err = o.load(); err != nil {
			return a, b, s, err
		}
		s = shape{m: a.Rows, n: b.Cols, k: a.Cols}
	}
	_, err = newPlan(o, s, ranks)
	return a, b, s, err
}

// operands returns the caller's blocks of A and B: out of the whole matrices of
// rank 0, or generated in place.
func operands(ctx context.Context, g *grid, o options, s shape, a, b blas64.General) (myA, myB blas64.General, err error) {
	if o.a == "" {
		rows, cols := g.held(g.world.Rank(), s.m, s.k)
		myA = generate(o.seed, 'A', rows, cols)
		rows, cols = g.held(g.world.Rank(), s.k, s.n)
		return myA, generate(o.seed, 'B', rows, cols), nil
	}
	if myA, err = scatter(ctx, g, a, s.m, s.k, tagA); err == nil {
		myB, err = scatter(ctx, g, b, s.k, s.n, tagB)
	}
	return myA, myB, err
}

// multiply computes C as often as -repeat says, reports each time on rank 0 and
// returns the shortest there.
func (o options) multiply(ctx context.Context, g *grid, pl plan, c, a, b blas64.General, out io.Writer) (best run, err error) {
	for i := range o.repeat {
		clearMatrix(c)
		if err := collectives.Barrier(ctx, g.world); err != nil {
			return best, err
		}
		var t times
		start := time.Now()
		switch pl.algorithm {
		case "ring":
			err = ring(ctx, g, pl.shape, c, a, b, &t)
		case "cannon":
			err = cannon(ctx, g, pl.shape, c, a, b, &t)
		default:
			err = summa(ctx, g, pl.shape, panelWidth, c, a, b, &t)
		}
		if err != nil {
			return best, err
		}
		t.Total = time.Since(start)
		all, err := collectives.Gather(ctx, g.world, 0, nil, []times{t})
		if err != nil {
			return best, err
		}
		if g.world.Rank() != 0 {
			continue
		}
		r := summarise(all)
		r.line(out, fmt.Sprintf("run %d", i+1), pl.shape)
		if i == 0 || r.total < best.total {
			best = r
		}
	}
	if o.repeat > 1 && g.world.Rank() == 0 {
		best.line(out, "best", pl.shape)
	}
	return best, nil
}

// cheapFlop is the work up to which -check=auto checks: about a second for one
// rank.
const cheapFlop = 4e9

// finish gathers C on rank 0 if anybody wants it, checks it and writes it. An
// error of the check or of the file is returned by all ranks.
func (o options) finish(ctx context.Context, g *grid, s shape, best run, myC, a, b blas64.General, out io.Writer) error {
	check := o.check == "always" || o.check == "auto" && s.flop() <= cheapFlop
	if !check {
		fmt.Fprintln(out, "check      none (-check=always makes one)")
	}
	if !check && o.out == "" {
		return nil
	}
	c, err := gather(ctx, g, myC, s.m, s.n, tagC)
	if err != nil {
		return err
	}
	if g.world.Rank() == 0 {
		if check {
			err = o.verify(s, best, c, a, b, out)
		}
		if err == nil && o.out != "" {
			if err = save(o.out, c); err == nil {
				fmt.Fprintf(out, "output     C written to %s\n", o.out)
			}
		}
	}
	return verdict(ctx, g.world, err)
}

// verify checks c on rank 0 against its own product.
func (o options) verify(s shape, best run, c, a, b blas64.General, out io.Writer) error {
	if o.a == "" {
		a = generate(o.seed, 'A', span{0, s.m}, span{0, s.k})
		b = generate(o.seed, 'B', span{0, s.k}, span{0, s.n})
	}
	c1 := newMatrix(s.m, s.n)
	start := time.Now()
	multiplyAdd(c1, a, b)
	alone := time.Since(start)
	fmt.Fprintf(out, "one rank   %v, %.2f GFLOP/s: speed-up %.2f\n",
		round(alone), gflops(s, alone), alone.Seconds()/max(best.total.Seconds(), 1e-9))
	v := verify(c, c1, a, b)
	if !v.ok() {
		return fmt.Errorf("check %v", v)
	}
	fmt.Fprintf(out, "check      %v\n", v)
	return nil
}
