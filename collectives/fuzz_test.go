package collectives_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// session is a rank's part in a random sequence of calls. What it draws from script is
// the same on all ranks.
type session struct {
	t      *testing.T
	ctx    context.Context
	c      *rank.Comm
	plain  *rank.Comm // for messages of the twin
	script *rand.Rand
	what   string // seed and call, for failures
	open   []func()
}

// everyone is the twin's exchange: the vectors of all ranks, by plain messages.
func everyone[T any](s *session, mine []T) [][]T {
	all := make([][]T, s.c.Size())
	var sends []rank.Request
	for r := range all {
		sends = append(sends, rank.Isend(s.plain, r, 1, mine))
	}
	for r := range all {
		v, _, err := rank.RecvAlloc[T](s.ctx, s.plain, r, 1)
		ok(s.t, s.c, s.what+": the twin", err)
		all[r] = v
	}
	ok(s.t, s.c, s.what+": the twin", rank.WaitAll(s.ctx, sends...))
	return all
}

// kind is what a call can be made by, in its three forms.
type kind struct {
	name  string
	block func(...collectives.Option) error
	start func(...collectives.Option) rank.Request
	init  func(...collectives.Option) *rank.Persistent
}

// take makes the call k in a form and by an algorithm that script draws, and compares
// what is then in got, at once or when the sequence is over.
func take[T any](s *session, k kind, call schedule.Call, order algo.Bracketing, got, want []T) {
	var options []collectives.Option
	form := s.script.IntN(3)
	if s.script.IntN(2) == 0 {
		names := []string{}
		for _, a := range algo.Of(call.Op) {
			if serves(a.Name, call, order) {
				names = append(names, a.Name)
			}
		}
		options = append(options, collectives.Using(names[s.script.IntN(len(names))]))
	}
	later := s.script.IntN(2) == 0
	what := fmt.Sprintf("%s, %s, form %d, options %v, %d elements", s.what, k.name, form, options, len(got))
	compare := func(err error) {
		ok(s.t, s.c, what, err)
		if !bytes.Equal(bytesOf(got), bytesOf(want)) {
			s.t.Fatalf("%s, rank %d of %d: got %.300v, want %.300v", what, s.c.Rank(), s.c.Size(), fmt.Sprint(got), fmt.Sprint(want))
		}
	}
	var q rank.Request
	switch form {
	case 0:
		compare(k.block(options...))
		return
	case 1:
		q = k.start(options...)
	case 2:
		var err error
		q, err = k.init(options...).Start()
		ok(s.t, s.c, what, err)
	}
	finish := func() {
		_, err := q.Wait(s.ctx)
		compare(err)
	}
	if later {
		s.open = append(s.open, finish)
		return
	}
	finish()
}

// step makes one call on elements that of makes of random numbers.
func step[T any](s *session, of func(uint64) T, op collectives.Operation[T], f func(a, b T) T, order algo.Bracketing) {
	c, me, p := s.c, s.c.Rank(), s.c.Size()
	root, n, inPlace := s.script.IntN(p), lengths[s.script.IntN(len(lengths))], s.script.IntN(2) == 0
	seed, counts := s.script.Uint64(), make([]int, p*p)
	for i := range counts {
		counts[i] = s.script.IntN(n + 1)
	}
	mine := make([]T, p*n)
	for i, rng := 0, rand.New(rand.NewPCG(seed, uint64(me))); i < len(mine); i++ {
		mine[i] = of(rng.Uint64())
	}
	all := everyone(s, mine)
	row := counts[root*p:][:p] // counts of V forms
	part := func(r int) []T { return all[r][:row[r]] }
	isRoot := me == root
	call := schedule.Call{Size: p}
	reduce := func(upto, lo, hi int, combine func([]T, func(a, b T) T) T) (v []T) {
		for i := lo; i < hi; i++ {
			var column []T
			for r := range upto {
				column = append(column, all[r][i])
			}
			v = append(v, combine(column, f))
		}
		return v
	}
	one := func(v []T, err error) error { return err }
	two := func(v []T, b collectives.Blocks, err error) error { return err }
	var gathered, exchanged, dealt []T
	for r := range p {
		gathered = append(gathered, all[r][:n]...)
		exchanged = append(exchanged, all[r][me*n:][:n]...)
	}
	type o = collectives.Option
	switch s.script.IntN(14) {
	case 0:
		call.Op = schedule.Barrier
		take(s, kind{"Barrier", func(x ...o) error { return collectives.Barrier(s.ctx, c, x...) },
			func(x ...o) rank.Request { return collectives.IBarrier(c, x...) },
			func(x ...o) *rank.Persistent { return collectives.BarrierInit(c, x...) }}, call, order, []T{}, nil)
	case 1:
		call.Op = schedule.Bcast
		buf := slices.Clone(mine)
		take(s, kind{"Bcast", func(x ...o) error { return collectives.Bcast(s.ctx, c, root, buf, x...) },
			func(x ...o) rank.Request { return collectives.IBcast(c, root, buf, x...) },
			func(x ...o) *rank.Persistent { return collectives.BcastInit(c, root, buf, x...) }}, call, order, buf, all[root])
	case 2:
		call.Op = schedule.Gather
		var dst []T
		src, want := mine[:n:n], gathered
		if !isRoot {
			want = nil
		} else if dst = make([]T, p*n); inPlace {
			copy(dst[me*n:], src)
			src = nil
		}
		take(s, kind{"Gather", func(x ...o) error { return one(collectives.Gather(s.ctx, c, root, dst, src, x...)) },
			func(x ...o) rank.Request { return collectives.IGather(c, root, dst, src, x...) },
			func(x ...o) *rank.Persistent { return collectives.GatherInit(c, root, dst, src, x...) }}, call, order, dst, want)
	case 3:
		call.Op = schedule.Scatter
		dst, want := make([]T, n), all[root][me*n:][:n]
		if isRoot && inPlace {
			dst, want = nil, nil
		}
		take(s, kind{"Scatter", func(x ...o) error { return one(collectives.Scatter(s.ctx, c, root, dst, mine, x...)) },
			func(x ...o) rank.Request { return collectives.IScatter(c, root, dst, mine, x...) },
			func(x ...o) *rank.Persistent { return collectives.ScatterInit(c, root, dst, mine, x...) }}, call, order, dst, want)
	case 4:
		call.Op = schedule.AllGather
		dst, src := make([]T, p*n), mine[:n:n]
		if inPlace {
			copy(dst[me*n:], src)
			src = nil
		}
		take(s, kind{"AllGather", func(x ...o) error { return one(collectives.AllGather(s.ctx, c, dst, src, x...)) },
			func(x ...o) rank.Request { return collectives.IAllGather(c, dst, src, x...) },
			func(x ...o) *rank.Persistent { return collectives.AllGatherInit(c, dst, src, x...) }}, call, order, dst, gathered)
	case 5:
		call.Op = schedule.AllToAll
		dst, src := make([]T, p*n), mine
		if inPlace {
			copy(dst, src)
			src = nil
		}
		take(s, kind{"AllToAll", func(x ...o) error { return one(collectives.AllToAll(s.ctx, c, dst, src, x...)) },
			func(x ...o) rank.Request { return collectives.IAllToAll(c, dst, src, x...) },
			func(x ...o) *rank.Persistent { return collectives.AllToAllInit(c, dst, src, x...) }}, call, order, dst, exchanged)
	case 6:
		call.Op = schedule.Reduce
		buf, want := slices.Clone(mine), mine
		if isRoot {
			want = reduce(p, 0, p*n, canonical[T])
		}
		take(s, kind{"Reduce", func(x ...o) error { return collectives.Reduce(s.ctx, c, root, buf, op, x...) },
			func(x ...o) rank.Request { return collectives.IReduce(c, root, buf, op, x...) },
			func(x ...o) *rank.Persistent { return collectives.ReduceInit(c, root, buf, op, x...) }}, call, order, buf, want)
	case 7:
		call.Op = schedule.AllReduce
		dst, src := slices.Clone(mine), mine
		if inPlace {
			src = dst
		}
		take(s, kind{"AllReduce", func(x ...o) error { return collectives.AllReduceTo(s.ctx, c, dst, src, op, x...) },
			func(x ...o) rank.Request { return collectives.IAllReduceTo(c, dst, src, op, x...) },
			func(x ...o) *rank.Persistent { return collectives.AllReduceToInit(c, dst, src, op, x...) }}, call, order, dst, reduce(p, 0, p*n, canonical[T]))
	case 8:
		call.Op = schedule.ReduceScatter
		src, dst := slices.Clone(mine), make([]T, n)
		if inPlace {
			dst = src[:n]
		}
		take(s, kind{"ReduceScatterBlock", func(x ...o) error { return one(collectives.ReduceScatterBlock(s.ctx, c, dst, src, op, x...)) },
			func(x ...o) rank.Request { return collectives.IReduceScatterBlock(c, dst, src, op, x...) },
			func(x ...o) *rank.Persistent { return collectives.ReduceScatterBlockInit(c, dst, src, op, x...) }}, call, order, dst, reduce(p, me*n, me*n+n, canonical[T]))
	case 9:
		call.Op = schedule.Scan
		buf := slices.Clone(mine)
		take(s, kind{"Scan", func(x ...o) error { return collectives.Scan(s.ctx, c, buf, op, x...) },
			func(x ...o) rank.Request { return collectives.IScan(c, buf, op, x...) },
			func(x ...o) *rank.Persistent { return collectives.ScanInit(c, buf, op, x...) }}, call, order, buf, reduce(me+1, 0, p*n, canonicalPrefix[T]))
	case 10:
		call.Op = schedule.ExScan
		buf, want := slices.Clone(mine), mine
		if me > 0 {
			want = reduce(me, 0, p*n, canonicalPrefix[T])
		}
		take(s, kind{"ExScan", func(x ...o) error { return collectives.ExScan(s.ctx, c, buf, op, x...) },
			func(x ...o) rank.Request { return collectives.IExScan(c, buf, op, x...) },
			func(x ...o) *rank.Persistent { return collectives.ExScanInit(c, buf, op, x...) }}, call, order, buf, want)
	case 11:
		call.Op = schedule.AllGather
		blocks, dst, src := collectives.Blocks{Counts: row}, make([]T, total(row)), part(me)
		for r := range p {
			dealt = append(dealt, part(r)...)
		}
		take(s, kind{"AllGatherV", func(x ...o) error { return two(collectives.AllGatherV(s.ctx, c, dst, src, blocks, x...)) },
			func(x ...o) rank.Request { return collectives.IAllGatherV(c, dst, src, blocks, x...) },
			func(x ...o) *rank.Persistent { return collectives.AllGatherVInit(c, dst, src, blocks, x...) }}, call, order, dst, dealt)
	case 12:
		call.Op = schedule.Scatter
		blocks, dst := collectives.Blocks{Counts: row}, make([]T, row[me])
		want := all[root][total(row[:me]):][:row[me]]
		take(s, kind{"ScatterV", func(x ...o) error { return one(collectives.ScatterV(s.ctx, c, root, dst, mine, blocks, x...)) },
			func(x ...o) rank.Request { return collectives.IScatterV(c, root, dst, mine, blocks, x...) },
			func(x ...o) *rank.Persistent { return collectives.ScatterVInit(c, root, dst, mine, blocks, x...) }}, call, order, dst, want)
	case 13:
		call.Op = schedule.AllToAll
		from, to := collectives.Blocks{Counts: counts[me*p:][:p]}, collectives.Blocks{Counts: make([]int, p)}
		for r := range p {
			theirs := counts[r*p:][:p]
			to.Counts[r] = theirs[me]
			dealt = append(dealt, all[r][total(theirs[:me]):][:theirs[me]]...)
		}
		call.From, call.To = from, to
		dst := make([]T, len(dealt))
		take(s, kind{"AllToAllV", func(x ...o) error { return two(collectives.AllToAllV(s.ctx, c, dst, mine, to, from, x...)) },
			func(x ...o) rank.Request { return collectives.IAllToAllV(c, dst, mine, to, from, x...) },
			func(x ...o) *rank.Persistent { return collectives.AllToAllVInit(c, dst, mine, to, from, x...) }}, call, order, dst, dealt)
	}
}

// lengths are those of blocks.
var lengths = []int{0, 1, 2, 5, 40, 700}

// play makes as many random calls as asked for and compares each with its definition.
func play(t *testing.T, c *rank.Comm, seed uint64, calls int) {
	s := &session{t: t, ctx: t.Context(), c: c, script: rand.New(rand.NewPCG(seed, 1))}
	var err error
	s.plain, err = c.Dup(s.ctx)
	ok(t, c, "Dup", err)
	for k := range calls {
		s.what = fmt.Sprintf("seed %d, call %d", seed, k)
		switch s.script.IntN(4) {
		case 0:
			step(s, func(x uint64) uint8 { return uint8(x) }, collectives.BitXor, func(a, b uint8) uint8 { return a ^ b }, algo.Unordered)
		case 1:
			step(s, func(x uint64) int32 { return int32(x) }, collectives.Max, func(a, b int32) int32 { return max(a, b) }, algo.Unordered)
		case 2:
			step(s, func(x uint64) float64 { return 1 / float64(1+x%1000) }, collectives.Sum, func(a, b float64) float64 { return a + b }, algo.Canonical)
		case 3:
			step(s, func(x uint64) matrix { return matrix(x) }, collectives.Each("multiply", false, multiply), multiply, algo.Ordered)
		}
	}
	for _, finish := range s.open {
		finish()
	}
}

// FuzzCalls makes random sequences of calls, in every form and by every algorithm, on 2
// to 6 ranks, and compares each with its definition over vectors that travelled by
// plain messages.
func FuzzCalls(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, p uint8) {
		ranktest.Run(t, 2+int(p%5), func(t *testing.T, c *rank.Comm) { play(t, c, seed, 20) })
	})
}
