package collectives_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// hood is a neighbourhood as one rank sees it, with the number in the whole graph of
// each of its edges; −1 for one that leads nowhere.
type hood struct {
	c             *rank.Comm
	in, out       []collectives.Edge
	inIDs, outIDs []int
}

func (h *hood) Comm() *rank.Comm             { return h.c }
func (h *hood) EdgesIn() []collectives.Edge  { return h.in }
func (h *hood) EdgesOut() []collectives.Edge { return h.out }

// randomHood is c's rank's part of a graph with self edges, several edges between the
// same ranks, edges that lead nowhere, and each rank's edges in an order of its own.
func randomHood(c *rank.Comm, seed uint64) *hood {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := c.Size()
	h := &hood{c: c}
	pairs := make(map[[2]int]int)
	for id := range rng.IntN(4*p + 1) {
		from, to := rng.IntN(p), rng.IntN(p)
		if rng.IntN(8) == 0 {
			to = from
		}
		pair := pairs[[2]int{from, to}]
		pairs[[2]int{from, to}]++
		if from == c.Rank() {
			h.out, h.outIDs = append(h.out, collectives.Edge{Rank: to, Pair: pair}), append(h.outIDs, id)
		}
		if to == c.Rank() {
			h.in, h.inIDs = append(h.in, collectives.Edge{Rank: from, Pair: pair}), append(h.inIDs, id)
		}
	}
	own := rand.New(rand.NewPCG(seed, uint64(c.Rank())+1))
	for _, list := range []struct {
		edges *[]collectives.Edge
		ids   *[]int
	}{{&h.in, &h.inIDs}, {&h.out, &h.outIDs}} {
		for range own.IntN(3) {
			*list.edges, *list.ids = append(*list.edges, collectives.Edge{Rank: rank.Null}), append(*list.ids, -1)
		}
		own.Shuffle(len(*list.ids), func(i, j int) {
			e, id := *list.edges, *list.ids
			e[i], e[j] = e[j], e[i]
			id[i], id[j] = id[j], id[i]
		})
	}
	return h
}

// untouched is what stands in a place that nothing comes for.
const untouched = -77

// lengthOf is the length of the block of edge id where lengths differ.
func lengthOf(id, n int) int { return (id*5 + n) % (n + 2) }

// neighborProgram makes one of the calls on h in round k, with blocks of n or about n
// elements, as make says, and returns the buffer received into and what it should be.
type neighborProgram struct {
	name string
	make func(t *testing.T, h *hood, n int, how string) (round func(k int) (got, want []int64))
}

// block is what travels along edge id in round k; ofRank what rank r sends to all.
func block(id, k, n int) []int64 { return vector(id*7+k, n) }

// carry returns the round of a call: with how "", "I" or "Init" it is blocking, in the
// background or persistent. fill sets the buffers for round k and returns what dst
// should be then.
func carry(t *testing.T, h *hood, how string, dst []int64, fill func(k int) []int64, blocking func() error, start func() rank.Request, persist func() *rank.Persistent) func(k int) ([]int64, []int64) {
	var again *rank.Persistent
	if how == "Init" {
		again = persist()
	}
	return func(k int) ([]int64, []int64) {
		for i := range dst {
			dst[i] = untouched
		}
		want := fill(k)
		var err error
		switch how {
		case "":
			err = blocking()
		case "I":
			_, err = start().Wait(t.Context())
		case "Init":
			if _, err = again.Start(); err == nil {
				_, err = again.Wait(t.Context())
			}
		}
		if err != nil {
			t.Fatalf("rank %d of %d: %v", h.c.Rank(), h.c.Size(), err)
		}
		return dst, want
	}
}

// arrived is dst where edge i's block is what blockOf says and lies at displs[i].
func arrived(h *hood, total int, displs, counts []int, blockOf func(i int) []int64) []int64 {
	want := slices.Repeat([]int64{untouched}, total)
	for i, id := range h.inIDs {
		if id >= 0 {
			copy(want[displs[i]:displs[i]+counts[i]], blockOf(i))
		}
	}
	return want
}

// laidOut is where blocks of counts begin, last first and with gaps.
func laidOut(counts []int) (displs []int, total int) {
	displs = make([]int, len(counts))
	for i := len(counts) - 1; i >= 0; i-- {
		displs[i] = total + 1
		total += counts[i] + 2
	}
	return displs, total
}

func counted(ids []int, n int) []int {
	counts := make([]int, len(ids))
	for i, id := range ids {
		counts[i] = lengthOf(max(id, 0), n)
	}
	return counts
}

var neighborPrograms = []neighborProgram{
	{"NeighborAllGather", func(t *testing.T, h *hood, n int, how string) func(int) ([]int64, []int64) {
		src, dst := make([]int64, n), make([]int64, n*len(h.in))
		counts := slices.Repeat([]int{n}, len(h.in))
		displs := make([]int, len(h.in))
		for i := range displs {
			displs[i] = i * n
		}
		return carry(t, h, how, dst, func(k int) []int64 {
			copy(src, block(h.c.Rank(), k, len(src)))
			return arrived(h, len(dst), displs, counts, func(i int) []int64 { return block(h.in[i].Rank, k, n) })
		}, func() error {
			_, err := collectives.NeighborAllGather(t.Context(), h, dst, src)
			return err
		}, func() rank.Request { return collectives.INeighborAllGather(h, dst, src) },
			func() *rank.Persistent { return collectives.NeighborAllGatherInit(h, dst, src) })
	}},
	{"NeighborAllGatherV", func(t *testing.T, h *hood, n int, how string) func(int) ([]int64, []int64) {
		src := make([]int64, lengthOf(h.c.Rank(), n))
		counts := make([]int, len(h.in))
		for i, e := range h.in {
			counts[i] = lengthOf(max(e.Rank, 0), n)
		}
		displs, total := laidOut(counts)
		dst, to := make([]int64, total), collectives.Blocks{Counts: counts, Displs: displs}
		return carry(t, h, how, dst, func(k int) []int64 {
			copy(src, block(h.c.Rank(), k, len(src)))
			return arrived(h, total, displs, counts, func(i int) []int64 { return block(h.in[i].Rank, k, counts[i]) })
		}, func() error {
			_, _, err := collectives.NeighborAllGatherV(t.Context(), h, dst, src, to)
			return err
		}, func() rank.Request { return collectives.INeighborAllGatherV(h, dst, src, to) },
			func() *rank.Persistent { return collectives.NeighborAllGatherVInit(h, dst, src, to) })
	}},
	{"NeighborAllToAll", func(t *testing.T, h *hood, n int, how string) func(int) ([]int64, []int64) {
		src, dst := make([]int64, n*len(h.out)), make([]int64, n*len(h.in))
		counts := slices.Repeat([]int{n}, len(h.in))
		displs := make([]int, len(h.in))
		for i := range displs {
			displs[i] = i * n
		}
		return carry(t, h, how, dst, func(k int) []int64 {
			for i, id := range h.outIDs {
				copy(src[i*n:], block(id, k, n))
			}
			return arrived(h, len(dst), displs, counts, func(i int) []int64 { return block(h.inIDs[i], k, n) })
		}, func() error {
			_, err := collectives.NeighborAllToAll(t.Context(), h, dst, src)
			return err
		}, func() rank.Request { return collectives.INeighborAllToAll(h, dst, src) },
			func() *rank.Persistent { return collectives.NeighborAllToAllInit(h, dst, src) })
	}},
	{"NeighborAllToAllV", func(t *testing.T, h *hood, n int, how string) func(int) ([]int64, []int64) {
		counts, sent := counted(h.inIDs, n), counted(h.outIDs, n)
		displs, total := laidOut(counts)
		places, room := laidOut(sent)
		src, dst := make([]int64, room), make([]int64, total)
		to, from := collectives.Blocks{Counts: counts, Displs: displs}, collectives.Blocks{Counts: sent, Displs: places}
		return carry(t, h, how, dst, func(k int) []int64 {
			for i, id := range h.outIDs {
				copy(src[places[i]:], block(id, k, sent[i]))
			}
			return arrived(h, total, displs, counts, func(i int) []int64 { return block(h.inIDs[i], k, counts[i]) })
		}, func() error {
			_, _, err := collectives.NeighborAllToAllV(t.Context(), h, dst, src, to, from)
			return err
		}, func() rank.Request { return collectives.INeighborAllToAllV(h, dst, src, to, from) },
			func() *rank.Persistent { return collectives.NeighborAllToAllVInit(h, dst, src, to, from) })
	}},
	{"NeighborAllToAllW", func(t *testing.T, h *hood, n int, how string) func(int) ([]int64, []int64) {
		counts, sent := counted(h.inIDs, n), counted(h.outIDs, n)
		displs, total := laidOut(counts)
		places, room := laidOut(sent)
		src, dst := make([]int64, room), make([]int64, total)
		var to, from []datatype.View[int64]
		for i := range counts {
			to = append(to, datatype.Contiguous(dst[displs[i]:displs[i]+counts[i]]))
		}
		for i := range sent { // backwards, so that views differ from blocks
			var blocks []datatype.Block
			for j := sent[i] - 1; j >= 0; j-- {
				blocks = append(blocks, datatype.Block{Offset: places[i] + j, Len: 1})
			}
			from = append(from, datatype.Indexed(src, blocks...))
		}
		return carry(t, h, how, dst, func(k int) []int64 {
			for i, id := range h.outIDs {
				b := block(id, k, sent[i])
				slices.Reverse(b)
				copy(src[places[i]:], b)
			}
			return arrived(h, total, displs, counts, func(i int) []int64 { return block(h.inIDs[i], k, counts[i]) })
		}, func() error { return collectives.NeighborAllToAllW(t.Context(), h, to, from) },
			func() rank.Request { return collectives.INeighborAllToAllW(h, to, from) },
			func() *rank.Persistent { return collectives.NeighborAllToAllWInit(h, to, from) })
	}},
}

// Rule 45: along each edge goes one block, of several between two ranks each its own,
// also from a rank to itself; what leads nowhere has its place and is not touched; more
// edges may come in than go out.
func TestRule45EveryEdgeCarriesItsBlock(t *testing.T) {
	base := rand.Uint64()
	for over, sizes := range map[string][]int{"": {1, 2, 3, 6}, "unix": {3}} {
		for _, p := range sizes {
			for _, prog := range neighborPrograms {
				t.Run(fmt.Sprintf("%s/%d%s", prog.name, p, over), func(t *testing.T) {
					ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
						for seed := base; seed != base+4; seed++ {
							h := randomHood(c, seed)
							for _, n := range []int{0, 5, 3000} {
								for _, how := range []string{"", "I", "Init"} {
									round := prog.make(t, h, n, how)
									for k := range 3 {
										if got, want := round(k); !slices.Equal(got, want) {
											t.Fatalf("%s%s, rank %d of %d, seed %d, blocks of %d, round %d: got %v, want %v", how, prog.name, c.Rank(), p, seed, n, k, short(got), short(want))
										}
									}
								}
							}
						}
					}, rank.Over(over))
				})
			}
		}
	}
}

func short(v []int64) []int64 { return v[:min(len(v), 40)] }

// Counts that no rank gives are exchanged, and destinations that are nil are made.
func TestNeighborCallsMakeWhatIsNotGiven(t *testing.T) {
	ranktest.Run(t, 5, func(t *testing.T, c *rank.Comm) {
		for seed := range uint64(10) {
			h := randomHood(c, seed)
			counts, sent := counted(h.inIDs, 9), counted(h.outIDs, 9)
			var src, want []int64
			for i, id := range h.outIDs {
				src = append(src, block(id, 0, sent[i])...)
			}
			for i, id := range h.inIDs {
				if id < 0 {
					counts[i] = 0
				}
				want = append(want, block(id, 0, counts[i])...)
			}
			got, to, err := collectives.NeighborAllToAllV(t.Context(), h, nil, src, collectives.Blocks{}, collectives.Blocks{Counts: sent})
			if err != nil || !slices.Equal(got, want) || !slices.Equal(to.Counts, counts) {
				t.Fatalf("NeighborAllToAllV, rank %d, seed %d: %v, got %v and counts %v, want %v and %v", c.Rank(), seed, err, got, to.Counts, want, counts)
			}
			want = nil
			for i, e := range h.in {
				if counts[i] = 0; e.Rank >= 0 {
					counts[i] = lengthOf(e.Rank, 9)
					want = append(want, block(e.Rank, 0, counts[i])...)
				}
			}
			got, to, err = collectives.NeighborAllGatherV(t.Context(), h, nil, block(c.Rank(), 0, lengthOf(c.Rank(), 9)), collectives.Blocks{})
			if err != nil || !slices.Equal(got, want) || !slices.Equal(to.Counts, counts) {
				t.Fatalf("NeighborAllGatherV, rank %d, seed %d: %v, got %v and counts %v, want %v and %v", c.Rank(), seed, err, got, to.Counts, want, counts)
			}
		}
	})
}

func TestNeighborCallsRefuseWhatIsWrong(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		self := &hood{c: c, in: []collectives.Edge{{}}, out: []collectives.Edge{{}}}
		buf := make([]int64, 4)
		views := []datatype.View[int64]{datatype.Contiguous(buf)}
		blocks := func(n ...int) collectives.Blocks { return collectives.Blocks{Counts: n} }
		gather := func(n collectives.Neighborhood, dst, src []int64, o ...collectives.Option) error {
			_, err := collectives.NeighborAllGather(t.Context(), n, dst, src, o...)
			return err
		}
		toAll := func(n collectives.Neighborhood, dst, src []int64) error {
			_, err := collectives.NeighborAllToAll(t.Context(), n, dst, src)
			return err
		}
		toAllV := func(dst, src []int64, to, from collectives.Blocks) error {
			_, _, err := collectives.NeighborAllToAllV(t.Context(), self, dst, src, to, from)
			return err
		}
		for _, w := range []struct {
			err   error
			class error
			want  string
		}{
			{gather(nil, nil, buf), rank.ErrComm, ""},
			{gather(&hood{}, nil, buf), rank.ErrComm, ""},
			{gather(&hood{c: c, in: []collectives.Edge{{Rank: 1}}}, nil, buf), rank.ErrArgument, "edge 0 of the neighborhood leads to rank 1, legal are 0 to 0 and Null"},
			{gather(&hood{c: c, out: []collectives.Edge{{Pair: -1}}}, nil, buf), rank.ErrArgument, "Pair of edge 0 of the neighborhood is -1"},
			{gather(self, buf, buf), collectives.ErrOverlap, "not made in place"},
			{gather(self, buf[1:], buf[:3]), collectives.ErrOverlap, ""},
			{gather(self, make([]int64, 3), buf), rank.ErrArgument, "dst has 3 elements, want 4"},
			{gather(self, nil, buf, collectives.Using("ring")), rank.ErrArgument, `algorithm "ring"`},
			{toAll(&hood{c: c, out: []collectives.Edge{{}, {}, {}}}, nil, buf), rank.ErrArgument, "src has 4 elements, which 3 edges do not divide"},
			{toAll(&hood{c: c}, nil, buf), rank.ErrArgument, "src has 4 elements, and no edge leaves the rank"},
			{toAll(&hood{c: c, in: []collectives.Edge{{}}}, nil, nil), rank.ErrArgument, "nothing says how long a block is"},
			{toAllV(nil, buf, blocks(2, 2), blocks(4)), rank.ErrArgument, "the blocks of dst: "},
			{toAllV(nil, buf, blocks(4), blocks(2, 2)), rank.ErrArgument, "the blocks of src: "},
			{toAllV(nil, buf, blocks(5), blocks(5)), rank.ErrArgument, "src has 4 elements, want 5"},
			{collectives.NeighborAllToAllW(t.Context(), self, views, nil), rank.ErrArgument, "src has 0 views, want 1"},
			{waited(collectives.INeighborAllGather(self, nil, buf)), rank.ErrArgument, "dst is nil"},
		} {
			if !errors.Is(w.err, w.class) || !strings.Contains(w.err.Error(), w.want) {
				t.Errorf("got %v, want %v with %q", w.err, w.class, w.want)
			}
		}
	})
}

// Ends that think differently of a block's length get an error, also where one of them
// thinks that there is nothing to send.
func TestNeighborLengthsThatDifferAreAnError(t *testing.T) {
	for _, sent := range []int{0, 2, 4} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			other := []collectives.Edge{{Rank: 1 - c.Rank()}}
			h := &hood{c: c}
			var err error
			if c.Rank() == 0 {
				h.out = other
				_, _, err = collectives.NeighborAllToAllV(t.Context(), h, nil, make([]int64, sent), collectives.Blocks{Counts: []int{}}, collectives.Blocks{Counts: []int{sent}})
				if err != nil && !errors.Is(err, collectives.ErrGivenUp) && !errors.Is(err, rank.ErrMismatch) {
					t.Errorf("sender of %d: %v", sent, err)
				}
				return
			}
			h.in = other
			_, _, err = collectives.NeighborAllToAllV(t.Context(), h, nil, []int64{}, collectives.Blocks{Counts: []int{3}}, collectives.Blocks{Counts: []int{}})
			if !errors.Is(err, rank.ErrMismatch) {
				t.Errorf("receiver of 3 where %d are sent: %v, want ErrMismatch", sent, err)
			}
		})
	}
}

// A call that is not persistent allocates nothing for its steps after the first.
func TestNeighborAllGatherKeepsItsSteps(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		h := &hood{c: c, in: []collectives.Edge{{Pair: 1}, {}}, out: []collectives.Edge{{}, {Pair: 1}}}
		src, dst := make([]int64, 8), make([]int64, 16)
		n := testing.AllocsPerRun(100, func() {
			if _, err := collectives.NeighborAllGather(t.Context(), h, dst, src); err != nil {
				t.Fatal(err)
			}
		})
		if n > 4 {
			t.Errorf("%v allocations, want the same few for every call", n)
		}
	})
}

func waited(r rank.Request) error {
	_, err := r.Wait(context.Background())
	return err
}

// AllToAllW in the background and persistent is what it is when it blocks.
func TestAllToAllWInEveryMode(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		h := &hood{c: c}
		var places []int
		for r := range c.Size() { // rank r's block for rank s is edge 3r+s, in rows
			h.outIDs, h.inIDs = append(h.outIDs, 3*c.Rank()+r), append(h.inIDs, 3*r+c.Rank())
			places = append(places, 5*r)
		}
		counts := []int{5, 5, 5}
		h.in = make([]collectives.Edge, 3)
		src, dst := make([]int64, 15), make([]int64, 15)
		var from, to []datatype.View[int64]
		for _, p := range places {
			from, to = append(from, datatype.Contiguous(src[p:p+5])), append(to, datatype.Contiguous(dst[p:p+5]))
		}
		for _, how := range []string{"", "I", "Init"} {
			round := carry(t, h, how, dst, func(k int) []int64 {
				for i, id := range h.outIDs {
					copy(src[places[i]:], block(id, k, 5))
				}
				return arrived(h, 15, places, counts, func(i int) []int64 { return block(h.inIDs[i], k, 5) })
			}, func() error { return collectives.AllToAllW(t.Context(), c, to, from) },
				func() rank.Request { return collectives.IAllToAllW(c, to, from) },
				func() *rank.Persistent { return collectives.AllToAllWInit(c, to, from) })
			for k := range 3 {
				if got, want := round(k); !slices.Equal(got, want) {
					t.Fatalf("%sAllToAllW, rank %d, round %d: got %v, want %v", how, c.Rank(), k, got, want)
				}
			}
		}
	})
}
