package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/rank"
)

const (
	data    rank.Tag = 1
	control rank.Tag = 2
)

// A pair is this rank's view of the job: rank i talks to i+n/2, all such pairs
// at the same time, and rank 0 says what is done next.
type pair struct {
	options
	world   *rank.Comm
	partner int
	leads   bool // the half that sends first

	out, in  []byte
	window   int
	requests []rank.Request
	runs     int    // at this size, which the pattern depends on
	mallocs  uint64 // allocations so far, taken between runs
	work     work
}

// A loop is what is timed: n iterations with the messages out and in. It
// returns how many of them were found complete, where that is a question.
type loop func(ctx context.Context, p *pair, m mode, n int, out, in []byte) (int, error)

// A mode is what a loop does of several things; only overlap has more than one.
type mode int64

const (
	stop     mode = iota
	whole         // what the test is named after
	transfer      // without computing
	compute       // without transfer
)

func newPair(world *rank.Comm, o options) *pair {
	half := world.Size() / 2
	return &pair{
		options: o, world: world,
		partner: (world.Rank() + half) % world.Size(),
		leads:   world.Rank() < half,
		out:     plan.Buffer(o.High), in: plan.Buffer(o.High),
	}
}

// measure takes all repetitions of one size. Every rank calls it.
func (p *pair) measure(ctx context.Context, size int, f loop) error {
	p.window = p.WindowOf(size)
	p.requests = make([]rank.Request, 2*p.window)
	p.runs = 0
	p.prepare(size)
	p.allocations()
	if p.world.Rank() != 0 {
		return p.follow(ctx, size, f)
	}
	if err := p.gather(ctx, nil); err != nil {
		return err
	}
	var err error
	if p.test == "overlap" {
		err = p.overlap(ctx, size, f)
	} else {
		err = p.repeat(ctx, size, f)
	}
	if err != nil {
		return err
	}
	return p.order(ctx, stop, 0)
}

// repeat is rank 0's part in all tests but overlap.
func (p *pair) repeat(ctx context.Context, size int, f loop) error {
	// The first exchange is checked and not timed.
	if _, err := p.run(ctx, whole, 1, size, f); err != nil {
		return err
	}
	n, err := p.Iterations(func(n int) (time.Duration, error) {
		r, err := p.run(ctx, whole, n, size, f)
		return r.elapsed, err
	})
	if err != nil {
		return err
	}
	if p.Warmup > 0 {
		if _, err := p.run(ctx, whole, p.Warmup, size, f); err != nil {
			return err
		}
	}
	for rep := range p.Repeat {
		r, err := p.run(ctx, whole, n, size, f)
		if err != nil {
			return err
		}
		messages := int64(n) * 2 // one way and back: half a round trip is a message
		switch p.test {
		case "bw", "rate":
			messages = int64(n) * int64(p.window) * int64(p.world.Size()/2)
		case "bibw":
			messages = int64(n) * int64(p.window) * int64(p.world.Size())
		}
		plan.Sample(p.test, size, rep, messages, r.elapsed, fmt.Sprintf(" window=%d allocs=%d", p.window, r.allocs))
	}
	return nil
}

// A report is what a run was like: the time of the slowest rank, and counts of
// all.
type report struct {
	elapsed  time.Duration
	complete int
	allocs   int64
}

// run has all ranks do n iterations and returns when all have.
func (p *pair) run(ctx context.Context, m mode, n, size int, f loop) (report, error) {
	if err := p.order(ctx, m, n); err != nil {
		return report{}, err
	}
	r, err := p.timed(ctx, m, n, size, f)
	if err != nil {
		return r, err
	}
	return r, p.gather(ctx, &r)
}

// follow is the part of all ranks but 0: they do as they are told.
func (p *pair) follow(ctx context.Context, size int, f loop) error {
	var r report
	for {
		if err := rank.Send(ctx, p.world, 0, control, []int64{int64(r.elapsed), int64(r.complete), r.allocs}); err != nil {
			return err
		}
		var order [2]int64
		if _, err := rank.Recv(ctx, p.world, 0, control, order[:]); err != nil {
			return err
		}
		if mode(order[0]) == stop {
			return nil
		}
		var err error
		if r, err = p.timed(ctx, mode(order[0]), int(order[1]), size, f); err != nil {
			return err
		}
	}
}

// order tells all others what to do; they have reported before.
func (p *pair) order(ctx context.Context, m mode, n int) error {
	for r := 1; r < p.world.Size(); r++ {
		if err := rank.Send(ctx, p.world, r, control, []int64{int64(m), int64(n)}); err != nil {
			return err
		}
	}
	return nil
}

// gather waits until all others have reported, and adds that to r.
func (p *pair) gather(ctx context.Context, r *report) error {
	for other := 1; other < p.world.Size(); other++ {
		var theirs [3]int64
		if _, err := rank.Recv(ctx, p.world, other, control, theirs[:]); err != nil {
			return err
		}
		if r != nil {
			r.elapsed = max(r.elapsed, time.Duration(theirs[0]))
			r.complete += int(theirs[1])
			r.allocs += theirs[2]
		}
	}
	return nil
}

// timed does n iterations, and outside the time checks the data and makes those
// of the next run.
func (p *pair) timed(ctx context.Context, m mode, n, size int, f loop) (r report, err error) {
	if err := p.meet(ctx); err != nil {
		return r, err
	}
	start := time.Now()
	r.complete, err = f(ctx, p, m, n, p.out[:size], p.in[:size])
	r.elapsed = time.Since(start)
	if err != nil {
		return r, err
	}
	r.allocs = p.allocations()
	if p.runs == 0 || p.validate {
		if err := p.check(m, size); err != nil {
			return r, err
		}
		p.runs++
		if p.validate {
			p.prepare(size)
		}
		p.allocations()
	}
	return r, nil
}

// meet returns when the partner is awake and at the same place, so that nobody's
// waking is counted. Both receive last: a rank whose last act is to send may begin
// to compute before the message has left it, and would hold its partner up.
func (p *pair) meet(ctx context.Context) error {
	for range 2 {
		if _, err := rank.SendRecv[byte, byte](ctx, p.world, p.partner, data, nil, p.partner, data, nil); err != nil {
			return err
		}
	}
	return nil
}

// allocations returns how many there were since it was called last. It stops the
// process for a moment, and so never stands between an order and the loop.
func (p *pair) allocations() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	n := m.Mallocs - p.mallocs
	p.mallocs = m.Mallocs
	return int64(n)
}
