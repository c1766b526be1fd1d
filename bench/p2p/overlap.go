package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/rank"
)

// overlapping starts a transfer both ways, computes n units of work with no call
// in between, and asks once whether the transfer is complete before it waits for
// it. Without transfer or without computing it is what that one alone costs.
func overlapping(ctx context.Context, p *pair, m mode, n int, out, in []byte) (int, error) {
	if m == compute {
		p.work.do(n)
		return 0, nil
	}
	receive := rank.Irecv(p.world, p.partner, data, in)
	send := rank.Isend(p.world, p.partner, data, out)
	complete := 0
	if m == whole {
		p.work.do(n)
		for _, r := range []*rank.Request{&receive, &send} {
			_, done, err := r.Test()
			if err != nil {
				return 0, err
			}
			if done {
				complete++
				*r = rank.Request{}
			}
		}
	}
	return complete, rank.WaitAll(ctx, receive, send)
}

// work is computation that calls nothing.
type work struct{ x float64 }

// do computes a chain of n square roots, in which nothing can be left out or
// done at the same time.
func (w *work) do(n int) {
	x := w.x
	for range n {
		x = math.Sqrt(x + 1)
	}
	w.x = x
}

// overlap is rank 0's part. The work is a number of units, not a time: so time
// that a transfer takes away from it shows.
func (p *pair) overlap(ctx context.Context, size int, f loop) error {
	if _, err := p.run(ctx, transfer, 1, size, f); err != nil {
		return err
	}
	units, err := p.calibrateWork(ctx, size, f)
	if err != nil {
		return err
	}
	for range p.Warmup {
		if _, err := p.run(ctx, transfer, 1, size, f); err != nil {
			return err
		}
	}
	for rep := range p.Repeat {
		pure, err := p.run(ctx, transfer, 1, size, f)
		if err != nil {
			return err
		}
		work, err := p.run(ctx, compute, units, size, f)
		if err != nil {
			return err
		}
		total, err := p.run(ctx, whole, units, size, f)
		if err != nil {
			return err
		}
		plan.Sample(p.test, size, rep, 2, total.elapsed, fmt.Sprintf(" transfer=%d compute=%d complete=%d of=%d",
			pure.elapsed.Nanoseconds(), work.elapsed.Nanoseconds(), total.complete, 2*p.world.Size()))
	}
	return nil
}

// calibrateWork finds the units of work that take the time asked for.
func (p *pair) calibrateWork(ctx context.Context, size int, f loop) (int, error) {
	const unit = 1000 // one is too little to time
	n, err := plan.Calibrate(p.options.compute, func(n int) (time.Duration, error) {
		r, err := p.run(ctx, compute, n*unit, size, f)
		return r.elapsed, err
	})
	return n * unit, err
}
