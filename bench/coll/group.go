package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// A group is this rank's view of the job. Rank 0 says what is done next.
type group struct {
	options
	collective
	world      *rank.Comm
	rank, size int
	ways       [][]collectives.Option
	with       []collectives.Option // of the way that is being measured

	out, in []byte // the whole buffers

	// Of the size that is measured:
	bytes         int    // of a block
	src, dst      []byte // the parts of out and in that have to do with it
	terms, result []float64
	counts        []int  // of reducescatter: elements for each rank
	runs          int    // that were checked, on which the content depends
	checked       []bool // ways of which a run was
	mallocs       uint64 // allocations so far, taken between runs
}

func newGroup(world *rank.Comm, c collective, o options) *group {
	g := &group{options: o, collective: c, world: world, rank: world.Rank(), size: world.Size(), ways: o.ways()}
	most := 0
	for _, n := range o.sizes {
		most = max(most, n)
	}
	g.out, g.in = plan.Buffer(g.blocks(c.outAll)*most), plan.Buffer(g.blocks(c.inAll)*most)
	return g
}

// blocks is how many a buffer has.
func (g *group) blocks(all bool) int {
	if all {
		return g.size
	}
	return 1
}

// floats is b, which is aligned, as numbers.
func floats(b []byte) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

// measure takes all repetitions of a size. Every rank calls it.
func (g *group) measure(ctx context.Context, size int) error {
	g.bytes, g.runs, g.checked = size, 0, make([]bool, len(g.ways))
	g.src, g.dst = g.out[:g.blocks(g.outAll)*size], g.in[:g.blocks(g.inAll)*size]
	g.terms, g.result = floats(g.src), floats(g.dst)
	g.counts = make([]int, g.size)
	for i := range g.counts {
		g.counts[i] = len(g.terms) / g.size
		if i < len(g.terms)%g.size {
			g.counts[i]++
		}
	}
	g.prepare()
	g.allocations()
	if g.rank != 0 {
		return g.follow(ctx)
	}
	if err := g.lead(ctx); err != nil {
		return err
	}
	return g.order(ctx, new(order))
}

// lead is rank 0's part: it has the others do as many calls as it does, prints
// each repetition, and ends when all are made or the time is up. The ways take
// turns, so what holds the machine up for a while holds up all of them.
func (g *group) lead(ctx context.Context) error {
	began := time.Now()
	calls := make([]int, len(g.ways))
	for way := range g.ways {
		var err error
		if calls[way], err = g.begin(ctx, way); err != nil {
			return err
		}
	}
	for rep := range g.Repeat {
		if rep > 0 && g.budget > 0 && time.Since(began) > g.budget*time.Duration(len(g.ways)) {
			return nil
		}
		for way, n := range calls {
			if n == 0 {
				continue
			}
			s, err := g.run(ctx, order{n, way})
			if err != nil {
				return err
			}
			g.print(way, rep, s)
		}
	}
	return nil
}

// begin has a way checked and warmed up, and returns how many calls a repetition
// has. If one takes as long as the budget, it is all that is measured, and the
// number is 0.
func (g *group) begin(ctx context.Context, way int) (calls int, err error) {
	first, err := g.run(ctx, order{1, way}) // is checked
	if err != nil {
		return 0, err
	}
	if g.budget > 0 && first.slowest > g.budget {
		g.print(way, 0, first)
		return 0, nil
	}
	calls, err = g.Iterations(func(n int) (time.Duration, error) {
		s, err := g.run(ctx, order{n, way})
		return s.slowest, err
	})
	if err == nil && g.Warmup > 0 {
		_, err = g.run(ctx, order{g.Warmup, way})
	}
	return calls, err
}

// print prints a repetition: how many calls, and the time all of them took the
// slowest rank, the fastest, and the ranks on average.
func (g *group) print(way, rep int, s spread) {
	line := fmt.Sprintf("sample test=%s size=%d rep=%d calls=%d ns=%d min=%d avg=%d",
		g.test, g.bytes, rep, s.calls, s.slowest.Nanoseconds(), s.fastest.Nanoseconds(), s.sum.Nanoseconds()/int64(g.size))
	if len(g.using) > 0 {
		line += " using=" + g.using[way]
	}
	if g.local == 0 {
		line += fmt.Sprintf(" allocs=%d", s.allocs)
	}
	fmt.Println(line)
}

// A report is what n calls were like for one rank: what they took, when they
// began and ended, and what they allocated.
type report struct{ elapsed, began, ended, allocs int64 }

// A spread is what they were like for all.
type spread struct {
	calls                 int
	slowest, fastest, sum time.Duration
	lastIn, firstOut      int64
	allocs                int64
}

// add adds a rank's report.
func (s *spread) add(r report) {
	d := time.Duration(r.elapsed)
	if s.fastest == 0 || d < s.fastest {
		s.fastest = d
	}
	s.slowest = max(s.slowest, d)
	s.sum += d
	s.allocs += r.allocs
	s.lastIn = max(s.lastIn, r.began)
	if s.firstOut == 0 || r.ended < s.firstOut {
		s.firstOut = r.ended
	}
}

// meets checks what a barrier promises, by the clock of the host that all ranks
// share: nobody left before all had come.
func (s *spread) meets() error {
	if s.firstOut < s.lastIn {
		return fmt.Errorf("after %d barriers a rank left %v before another came", s.calls, time.Duration(s.lastIn-s.firstOut))
	}
	return nil
}

// An order is what all ranks do next: so many calls in one of the ways. None: the
// size is done.
type order struct{ calls, way int }

// run has all ranks do what o says and returns when all have.
func (g *group) run(ctx context.Context, o order) (s spread, err error) {
	if err := g.order(ctx, &o); err != nil {
		return s, err
	}
	r, err := g.timed(ctx, o)
	if err != nil {
		return s, err
	}
	reports, err := collectives.Gather(ctx, g.world, 0, nil, []report{r})
	if err != nil {
		return s, err
	}
	s.calls = o.calls
	for _, r := range reports {
		s.add(r)
	}
	if g.test == "barrier" {
		return s, s.meets()
	}
	return s, nil
}

// follow is the part of all ranks but 0: they do as they are told.
func (g *group) follow(ctx context.Context) error {
	for {
		var o order
		if err := g.order(ctx, &o); err != nil || o.calls == 0 {
			return err
		}
		r, err := g.timed(ctx, o)
		if err != nil {
			return err
		}
		if _, err := collectives.Gather(ctx, g.world, 0, nil, []report{r}); err != nil {
			return err
		}
	}
}

// order tells all ranks what rank 0 has in o.
func (g *group) order(ctx context.Context, o *order) error {
	b := []order{*o}
	err := collectives.Bcast(ctx, g.world, 0, b)
	*o = b[0]
	return err
}

// timed does what o says, and outside the time checks the data and makes those of
// the next run. A rooted collective has each rank in turn as its root, beginning
// with the last.
func (g *group) timed(ctx context.Context, o order) (r report, err error) {
	g.with = g.ways[o.way]
	// The first barrier waits for those that are behind; after the second all are
	// awake.
	for range 2 {
		if err := collectives.Barrier(ctx, g.world); err != nil {
			return r, err
		}
	}
	root := g.size - 1
	start := time.Now()
	for range o.calls {
		if err := g.call(ctx, g, root); err != nil {
			return r, err
		}
		if root++; root == g.size {
			root = 0
		}
	}
	end := time.Now()
	r = report{end.Sub(start).Nanoseconds(), start.UnixNano(), end.UnixNano(), g.allocations()}
	if !g.checked[o.way] || g.validate {
		if err := g.check(g, g.size-1, (g.size+o.calls-2)%g.size); err != nil {
			return r, fmt.Errorf("%s%w", g.name(o.way), err)
		}
		g.checked[o.way] = true
		g.runs++
		if g.validate || len(g.ways) > 1 {
			g.prepare()
		}
		g.allocations()
	}
	return r, nil
}

// name is what messages about a way begin with, where an algorithm was asked for.
func (g *group) name(way int) string {
	if len(g.using) == 0 {
		return ""
	}
	return g.using[way] + ": "
}

// allocations returns how many there were since it was called last. It stops the
// process for a moment, and so never stands between a barrier and the loop.
// Goroutine ranks have their allocations in common and none of its own.
func (g *group) allocations() int64 {
	if g.local > 0 {
		return 0
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	n := m.Mallocs - g.mallocs
	g.mallocs = m.Mallocs
	return int64(n)
}
