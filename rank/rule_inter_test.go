package rank_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// sides parts c in two groups that face each other: the first n ranks, in reverse,
// and the others. Leaders are the last rank of each group.
func sides(t *testing.T, c *rank.Comm, n int) *rank.Comm {
	t.Helper()
	color, key := 1, c.Rank()
	if c.Rank() < n {
		color, key = 0, -c.Rank()
	}
	half, err := c.Split(bg, color, key)
	ok(t, err)
	remoteLeader := 0 // of the world: the last of the first group
	if color == 0 {
		remoteLeader = c.Size() - 1
	}
	x, err := rank.CreateInter(bg, half, half.Size()-1, c, remoteLeader, 5)
	ok(t, err)
	ok(t, half.Free())
	return x
}

// expectSides checks what sides promises.
func expectSides(t *testing.T, c, x *rank.Comm, n int) {
	t.Helper()
	var first, second []int
	for r := range c.Size() {
		if r < n {
			first = append([]int{r}, first...)
		} else {
			second = append(second, r)
		}
	}
	if c.Rank() >= n {
		first, second = second, first
	}
	expectGroups(t, x, first, second)
}

// expectGroups checks that an intercommunicator's groups are these ranks of the
// world, and that messages go between them.
func expectGroups(t *testing.T, x *rank.Comm, local, remote []int) {
	t.Helper()
	if got, want := x.Group().String()+x.RemoteGroup().String(), fmt.Sprint(local)+fmt.Sprint(remote); got != want ||
		!x.IsInter() || x.Size() != len(local) || x.RemoteSize() != len(remote) || x.Group().Rank() != x.Rank() {
		t.Fatalf("%v: groups %s, want %s", x, got, want)
	}
	face(t, x)
	ring(t, x.Local())
}

// face has every rank of an intercommunicator send to and receive from every rank
// of the other group.
func face(t *testing.T, x *rank.Comm) {
	t.Helper()
	me := x.Group().World(x.Rank())
	var sends []rank.Request
	for r := range x.RemoteSize() {
		sends = append(sends, rank.Isend(x, r, 9, []int{me, x.Rank()}))
	}
	for range x.RemoteSize() {
		in := make([]int, 2)
		st, err := rank.Recv(bg, x, rank.AnySource, 9, in)
		ok(t, err)
		if want := x.RemoteGroup().World(st.Source); in[0] != want || in[1] != st.Source {
			t.Errorf("%v: from %d came what rank %d of the other group, %d of the world, sent; want world rank %d", x, st.Source, in[1], in[0], want)
		}
	}
	ok(t, rank.WaitAll(bg, sends...))
}

// Rule 32: calls on an intercommunicator name ranks of the remote group: sends,
// receives, probes and their statuses, in every mode. Size is the local group's.
func TestRule32RanksAreThoseOfTheRemoteGroup(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		for n := 1; n < w.ranks; n++ {
			x := sides(t, c, n)
			expectSides(t, c, x, n)
			if c.IsInter() || c.RemoteSize() != 0 || c.RemoteGroup() != nil || c.Local() != c {
				t.Errorf("%v is an intercommunicator", c)
			}
			ok(t, x.AttachBuffer(64<<20))
			to, from := x.Rank()%x.RemoteSize(), []int{}
			for r := range x.RemoteSize() {
				if r%x.Size() == x.Rank() {
					from = append(from, r)
				}
			}
			for k, size := range w.edges() {
				var sends []rank.Request
				for i, m := range modes {
					r, err := m.send(x, to, rank.Tag(i), fill(size, x.Group().World(x.Rank()), k))
					ok(t, err)
					sends = append(sends, r)
				}
				for i := range modes {
					for _, source := range from {
						st, err := rank.Probe(bg, x, source, rank.Tag(i))
						ok(t, err)
						m, err := rank.Mprobe(bg, x, source, rank.Tag(i))
						ok(t, err)
						got, rt, err := rank.MrecvAlloc[byte](bg, m)
						ok(t, err)
						if st.Source != source || m.Status().Source != source || rt.Source != source {
							t.Errorf("from %d: Probe says %d, Mprobe %d, Mrecv %d", source, st.Source, m.Status().Source, rt.Source)
						}
						same(t, got, fill(size, x.RemoteGroup().World(source), k))
					}
				}
				ok(t, rank.WaitAll(bg, sends...))
			}
			_, err := x.DetachBuffer(bg)
			ok(t, err)
			for _, err := range []error{
				rank.Send(bg, x, x.RemoteSize(), 0, []int{1}), rank.Irecv(x, x.RemoteSize(), 0, []int{1}).Free(),
			} {
				if !errors.Is(err, rank.ErrRank) {
					t.Errorf("rank %d of %d remote ones: %v", x.RemoteSize(), x.RemoteSize(), err)
				}
			}
			if x.Host(x.RemoteSize()-1) == "" || x.Host(x.RemoteSize()) != "" {
				t.Error("Host does not go by the remote group")
			}
			ok(t, x.Disconnect(bg))
		}
	})
}

// Rules 23 and 32: the messages of an intercommunicator, of its twin, of its sides
// and of what it was made from match apart; a receive of anything catches neither
// those nor what creation calls send.
func TestRule23IntercommunicatorsMatchApart(t *testing.T) {
	apart := func(t *testing.T, c *rank.Comm, w world) {
		x := sides(t, c, w.ranks/2)
		spaces := []*rank.Comm{c, x, x.Twin(), x.Local(), x.Twin().Local()}
		var pending []rank.Request
		in := make([][1]int, len(spaces))
		for i, s := range spaces {
			pending = append(pending, rank.Irecv(s, rank.AnySource, rank.AnyTag, in[i][:]))
		}
		d, err := x.Dup(bg)
		ok(t, err)
		e, err := x.Local().Dup(bg)
		ok(t, err)
		f, err := x.Twin().Split(bg, 0, 0)
		ok(t, err)
		g, err := x.Create(bg, x.Group())
		ok(t, err)
		m, err := x.Merge(bg, true)
		ok(t, err)
		barrier(t, m) // what is sent before it is here
		for i, r := range pending {
			if st, done, _ := r.Peek(); done {
				t.Errorf("a receive on %v got %+v", spaces[i], st)
			}
		}
		barrier(t, m)
		for i := len(spaces) - 1; i >= 0; i-- {
			dest := spaces[i].Rank() // as many on either side
			if !spaces[i].IsInter() {
				dest = (dest + 1) % spaces[i].Size()
			}
			ok(t, rank.Send(bg, spaces[i], dest, 7, []int{i}))
		}
		ok(t, rank.WaitAll(bg, pending...))
		for i := range in {
			if in[i][0] != i {
				t.Errorf("on %v came what was sent on %v", spaces[i], spaces[in[i][0]])
			}
		}
		for _, y := range []*rank.Comm{d, e, f, g, m, x} {
			ok(t, y.Free())
		}
	}
	inWorldsOf(t, 2, apart)
	inWorldsOf(t, 4, apart)
}

// Rule 32: Merge puts the low group first; with equal flags the order is that of
// the groups' first ranks in the world. Ranks of one side that disagree get
// ErrMismatch, on both sides.
func TestRule32MergePutsTheLowGroupFirst(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		for n := 1; n < w.ranks; n++ {
			x := sides(t, c, n)
			first := c.Rank() < n // this rank's group has the lower first rank, unless reversed
			lower := []int{}      // group of ranks below n, reversed
			upper := []int{}
			for r := range w.ranks {
				if r < n {
					lower = append([]int{r}, lower...)
				} else {
					upper = append(upper, r)
				}
			}
			for _, high := range [][2]bool{{false, true}, {true, false}, {false, false}, {true, true}} {
				mine := high[1]
				if first {
					mine = high[0]
				}
				m, err := x.Merge(bg, mine)
				ok(t, err)
				want := slices.Concat(lower, upper)
				if high[0] && !high[1] {
					want = slices.Concat(upper, lower)
				}
				if m.IsInter() || m.Group().String() != fmt.Sprint(want) {
					t.Errorf("%d and %d ranks, high %v: merged to %v, want %v", n, w.ranks-n, high, m.Group(), want)
				}
				ring(t, m)
				ok(t, m.Free())
			}
			if n > 1 {
				if _, err := x.Merge(bg, c.Rank() == 0); !errors.Is(err, rank.ErrMismatch) {
					t.Errorf("rank 0 alone is high: %v", err)
				}
			}
			if _, err := x.Local().Merge(bg, false); !errors.Is(err, rank.ErrComm) {
				t.Errorf("Merge of one side: %v", err)
			}
			face(t, x)
			ok(t, x.Free())
		}
	})
}

// Rule 32: Dup and Idup of an intercommunicator are intercommunicators of the same
// groups, with what their Copy hooks give.
func TestRule32DupIsSidewise(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		x := sides(t, c, 1)
		key := rank.NewKey(rank.KeyHooks[int]{Copy: func(_, _ *rank.Comm, v int) (int, bool, error) { return v + 1, true, nil }})
		ok(t, key.Set(x, 1))
		d, err := x.Dup(bg)
		ok(t, err)
		expectSides(t, c, d, 1)
		if v, _ := key.Get(d); v != 2 {
			t.Errorf("the duplicate has %d, want 2", v)
		}
		// A hook that fails on one rank fails the call on both sides.
		failing := rank.NewKey(rank.KeyHooks[int]{Copy: func(_, _ *rank.Comm, v int) (int, bool, error) { return 0, false, errHook }})
		want := rank.ErrMismatch
		if c.Rank() == 0 {
			ok(t, failing.Set(x, 0))
			want = errHook
		}
		if _, err := x.Dup(bg); !errors.Is(err, want) {
			t.Errorf("rank %d: rank 0's hook fails: %v, want %v", c.Rank(), err, want)
		}
		ok(t, failing.Delete(x))

		// Overlapping Idups of both, in another order on each rank.
		rng := rand.New(rand.NewPCG(s, uint64(c.Rank())))
		parents := []*rank.Comm{x, d, x.Local(), d.Local()}
		todo := []int{0, 0, 1, 1, 2, 2, 3, 3}
		rng.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
		dups := make([][]*rank.Comm, len(parents))
		var requests []rank.Request
		for _, i := range todo {
			e, r := parents[i].Idup()
			if _, _, err := rank.Iprobe(e.Local(), 0, 0); err != nil && !errors.Is(err, rank.ErrComm) {
				t.Errorf("a side whose Idup may not be complete: %v", err)
			}
			dups[i], requests = append(dups[i], e), append(requests, r)
		}
		ok(t, rank.WaitAll(bg, requests...))
		for i, list := range dups {
			for _, e := range list {
				if e.Compare(parents[i]) != rank.Congruent {
					t.Errorf("%v and its parent are %v", e, e.Compare(parents[i]))
				}
				if e.IsInter() {
					expectSides(t, c, e, 1)
				}
				ok(t, e.Free())
			}
		}
		ok(t, d.Free())
		ok(t, x.Free())
	})
}

// Rule 32: Split works sidewise: ranks of one color face those of the other group
// with that color, ordered by key and then by rank; a color that is present on one
// side only gives nil there.
func TestRule32SplitIsSidewise(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		for n := 1; n < w.ranks; n++ {
			x := sides(t, c, n)
			rng := rand.New(rand.NewPCG(s, uint64(n)))
			for range 5 {
				colors, keys := make([]int, w.ranks), make([]int, w.ranks) // by world rank
				for r := range w.ranks {
					colors[r] = []int{rank.Undefined, 0, 1}[rng.IntN(3)]
					keys[r] = rng.IntN(3) - 1
				}
				want := func(g *rank.Group) (ranks []int) {
					for r := range g.Size() {
						if colors[g.World(r)] == colors[c.Rank()] {
							ranks = append(ranks, g.World(r))
						}
					}
					slices.SortStableFunc(ranks, func(a, b int) int { return keys[a] - keys[b] })
					return ranks
				}
				d, err := x.Split(bg, colors[c.Rank()], keys[c.Rank()])
				ok(t, err)
				ours, theirs := want(x.Group()), want(x.RemoteGroup())
				if colors[c.Rank()] == rank.Undefined || len(theirs) == 0 {
					if d != nil {
						t.Errorf("colors %v: %v is %v, want nil", colors, c, d)
					}
					continue
				}
				if d == nil {
					t.Fatalf("colors %v, %d on one side: %v is nil", colors, n, c)
				}
				expectGroups(t, d, ours, theirs)
				ok(t, d.Free())
			}
			if _, err := x.Split(bg, -c.Rank(), 0); !errors.Is(err, rank.ErrArgument) {
				t.Errorf("negative colors: %v", err)
			}
			ok(t, x.Free())
		}
	})
}

// Rule 32: Create works sidewise: each side's group faces the other's, and if
// either is empty nobody gets anything.
func TestRule32CreateIsSidewise(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		n := w.ranks / 2
		x := sides(t, c, n)
		// The last rank of each side stays out, unless it is alone; the others turn round.
		keep := max(1, x.Size()-1)
		g, err := x.Group().IncludeRanges(rank.Range{First: keep - 1, Last: 0, Stride: -1})
		ok(t, err)
		d, err := x.Create(bg, g)
		ok(t, err)
		if x.Rank() >= keep {
			if d != nil {
				t.Errorf("%v is in no group and got %v", c, d)
			}
		} else {
			there := max(1, x.RemoteSize()-1)
			var ours, theirs []int
			for r := keep - 1; r >= 0; r-- {
				ours = append(ours, x.Group().World(r))
			}
			for r := there - 1; r >= 0; r-- {
				theirs = append(theirs, x.RemoteGroup().World(r))
			}
			expectGroups(t, d, ours, theirs)
			ok(t, d.Free())
		}
		if c.Rank() < n {
			g = nil // one side without a group
		}
		d, err = x.Create(bg, g)
		ok(t, err)
		if d != nil {
			t.Errorf("one side is empty, and the other got %v", d)
		}
		if w.ranks >= 4 {
			g = x.Group()
			if c.Rank() == 0 {
				g, err = g.IncludeRanges(rank.Range{First: x.Size() - 1, Last: 0, Stride: -1})
				ok(t, err)
			}
			if _, err := x.Create(bg, g); !errors.Is(err, rank.ErrMismatch) {
				t.Errorf("rank 0 gives another order: %v", err)
			}
		}
		// A group that has ranks of the other side.
		if _, err := x.Create(bg, c.Group()); !errors.Is(err, rank.ErrGroup) && !errors.Is(err, rank.ErrMismatch) {
			t.Errorf("a group of both sides: %v", err)
		}
		if _, err := x.CreateGroup(bg, x.Group(), 0); !errors.Is(err, rank.ErrComm) {
			t.Errorf("CreateGroup: %v", err)
		}
		face(t, x)
		ok(t, x.Free())
	})
}

// Rules 29 and 32: both groups count when intercommunicators are compared.
func TestRule29CompareIntercommunicators(t *testing.T) {
	ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
		x := sides(t, c, 2)
		same, err := x.Dup(bg)
		ok(t, err)
		similar, err := x.Split(bg, 0, -x.Rank())
		ok(t, err)
		part, err := x.Split(bg, x.Rank(), 0)
		ok(t, err)
		for _, test := range []struct {
			a, b *rank.Comm
			want rank.Comparison
		}{
			{x, x, rank.Identical}, {x, same, rank.Congruent}, {x, x.Twin(), rank.Congruent},
			{x, similar, rank.Similar}, {x, part, rank.Unequal}, {x, x.Local(), rank.Unequal}, {x, c, rank.Unequal},
		} {
			if got := test.a.Compare(test.b); got != test.want || test.b.Compare(test.a) != got {
				t.Errorf("%v and %v: %v, want %v", test.a, test.b, got, test.want)
			}
		}
		for _, y := range []*rank.Comm{same, similar, part, x} {
			ok(t, y.Free())
		}
	})
}

// Rules 28 and 32: Free of an intercommunicator lets what has begun on it and on
// its sides finish, Disconnect waits for both, and a side goes with it.
func TestRule28FreeOfAnIntercommunicator(t *testing.T) {
	inWorldsOf(t, 4, func(t *testing.T, c *rank.Comm, w world) {
		for k, size := range w.sizes() {
			x := sides(t, c, 2)
			local := x.Local()
			if err := local.Free(); !errors.Is(err, rank.ErrComm) {
				t.Errorf("Free of a side: %v", err)
			}
			var j journal
			key := j.key()
			ok(t, key.Set(local, 1))
			facing, beside := make([]byte, size), make([]byte, size)
			requests := []rank.Request{
				rank.Issend(x, x.Rank(), 1, fill(size, c.Rank(), k)), rank.Issend(local, 1-local.Rank(), 1, fill(size, c.Rank(), k)),
				rank.Irecv(x, x.Rank(), 1, facing), rank.Irecv(local, 1-local.Rank(), 1, beside),
			}
			if c.Rank()%2 == 0 {
				ok(t, x.Free())
			} else {
				ok(t, x.Disconnect(bg))
				for i, r := range requests {
					if _, done, err := r.Peek(); !done || err != nil {
						t.Errorf("Disconnect returned before operation %d was over: %v", i, err)
					}
				}
			}
			ok(t, rank.WaitAll(bg, requests...))
			same(t, facing, fill(size, x.RemoteGroup().World(x.Rank()), k))
			same(t, beside, fill(size, local.Group().World(1-local.Rank()), k))
			if len(j.deleted) != 1 {
				t.Errorf("attributes of the side: deleted %v", j.deleted)
			}
			for _, err := range []error{rank.Send(bg, x, 0, 1, []int{1}), rank.Send(bg, local, 0, 1, []int{1}), x.Free()} {
				if !errors.Is(err, rank.ErrFreed) {
					t.Errorf("after Free: %v", err)
				}
			}
		}
	})
}

// Rule 32: what is wrong with CreateInter's arguments is told to all ranks of the
// group, whoever notices; then the next call works. (A leader whose arguments are
// wrong leaves the other group waiting, so only calls that no leader can begin are
// tried.)
func TestRule32CreateInterChecksItsArguments(t *testing.T) {
	ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
		half, err := c.Split(bg, c.Rank()/2, 0)
		ok(t, err)
		other := 2 - c.Rank()/2*2
		overlapping, err := c.Dup(bg)
		ok(t, err)
		for _, test := range []struct {
			what   string
			local  *rank.Comm
			leader int
			bridge *rank.Comm
			remote int
			tag    rank.Tag
			want   error
		}{
			{"no local group", nil, 0, c, other, 1, rank.ErrComm},
			{"a leader that half has not", half, 2, c, other, 1, rank.ErrRank},
			{"a negative leader", half, -1, c, other, 1, rank.ErrRank},
			{"two leaders", half, half.Rank(), c, other, 1, rank.ErrMismatch},
			{"no bridge", half, 0, nil, other, 1, rank.ErrComm},
			{"a remote leader that the bridge has not", half, 0, c, 4, 1, rank.ErrRank},
			{"anybody as remote leader", half, 0, c, rank.AnySource, 1, rank.ErrRank},
			{"a negative tag", half, 0, c, other, -1, rank.ErrTag},
			{"a tag too large", half, 0, c, other, rank.MaxTag, rank.ErrTag},
			{"itself as remote leader", half, 0, half, 0, 1, rank.ErrGroup},
			{"groups that overlap", overlapping, 0, c, 3, 1, rank.ErrGroup},
		} {
			_, err := rank.CreateInter(bg, test.local, test.leader, test.bridge, test.remote, test.tag)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "CreateInter") {
				t.Errorf("rank %d: %s: %v, want %v", c.Rank(), test.what, err, test.want)
			}
		}
		x, err := rank.CreateInter(bg, half, 0, c, other, 1)
		ok(t, err)
		face(t, x)
		if _, err := rank.CreateInter(bg, x, 0, c, other, 1); !errors.Is(err, rank.ErrComm) {
			t.Errorf("with an intercommunicator for a group: %v", err)
		}
		for _, d := range []*rank.Comm{x, half, overlapping} {
			ok(t, d.Free())
		}
	})
}

// Rule 32: groups that overlap without either leader being in both are found out by
// both. Ranks of two processes cannot be in two places at once, so rank 1 calls
// twice.
func TestRule32OverlappingGroupsAreFoundOut(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		g01, err := c.Group().Include(0, 1)
		ok(t, err)
		g21, err := c.Group().Include(2, 1)
		ok(t, err)
		call := func(g *rank.Group, remote int) {
			half, err := c.CreateGroup(bg, g, rank.Tag(remote))
			ok(t, err)
			_, err = rank.CreateInter(bg, half, 0, c, remote, 1)
			if !errors.Is(err, rank.ErrGroup) {
				t.Errorf("rank %d: %v, want ErrGroup", c.Rank(), err)
			}
			ok(t, half.Free())
		}
		done := make(chan bool, 2)
		for _, side := range []struct {
			g      *rank.Group
			remote int
		}{{g01, 2}, {g21, 0}} {
			if side.g.Rank() == rank.Undefined {
				done <- true
				continue
			}
			go func() {
				defer func() { done <- true }()
				call(side.g, side.remote)
			}()
		}
		<-done
		<-done
	})
}

// Rule 32: an intercommunicator may be the bridge to another, and several calls
// over one bridge are told apart by their tags.
func TestRule32BridgesAndTags(t *testing.T) {
	ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
		x := sides(t, c, 2)
		var locals []*rank.Comm
		const calls = 3
		for range calls {
			d, err := x.Local().Dup(bg)
			ok(t, err)
			locals = append(locals, d)
		}
		made := make([]*rank.Comm, calls)
		done := make(chan error, calls)
		for k := range calls {
			go func() {
				i := (k + c.Rank()) % calls
				y, err := rank.CreateInter(bg, locals[i], 1, x, 1, rank.Tag(i))
				made[i] = y
				done <- err
			}()
		}
		for range calls {
			ok(t, <-done)
		}
		for i, y := range made {
			r := rank.Isend(y, y.Rank(), 0, []int{i})
			in := make([]int, 1)
			_, err := rank.Recv(bg, y, y.Rank(), 0, in)
			ok(t, err)
			_, err = r.Wait(bg)
			ok(t, err)
			if in[0] != i {
				t.Errorf("call with tag %d is paired with that of tag %d", i, in[0])
			}
			if y.Compare(x) != rank.Congruent {
				t.Errorf("%v and its bridge are %v", y, y.Compare(x))
			}
			ok(t, y.Free())
			ok(t, locals[i].Free())
		}
		ok(t, x.Free())
	})
}

// Ranks of one side that make another call than the others are told, and so is the
// other side.
func TestRule25MismatchOnOneSideIsToldToBoth(t *testing.T) {
	ranktest.Run(t, 5, func(t *testing.T, c *rank.Comm) {
		x := sides(t, c, 3)
		var err error
		if c.Rank() == 0 {
			_, err = x.Split(bg, 0, 0)
		} else {
			_, err = x.Dup(bg)
		}
		if !errors.Is(err, rank.ErrMismatch) {
			t.Errorf("rank %d: %v", c.Rank(), err)
		}
		d, err := x.Dup(bg)
		ok(t, err)
		face(t, d)
		ok(t, d.Free())
		ok(t, x.Free())
	})
}

// Rule 32: partitioned and persistent operations go by the remote group too.
func TestRule32PersistentAndPartitioned(t *testing.T) {
	inWorldsOf(t, 4, func(t *testing.T, c *rank.Comm, w world) {
		x := sides(t, c, 2)
		me, them := c.Rank(), x.RemoteGroup().World(x.Rank())
		out, in := fill(4*w.eager, me, 1), make([]byte, 4*w.eager)
		s, r := rank.PsendInit(x, 4, out, x.Rank(), 1), rank.PrecvInit(x, 2, in, x.Rank(), 1)
		ok(t, r.Start())
		ok(t, s.Start())
		ok(t, s.Ready(3, 0, 2, 1))
		_, err := r.Wait(bg)
		ok(t, err)
		_, err = s.Wait(bg)
		ok(t, err)
		same(t, in, fill(4*w.eager, them, 1))
		ok(t, s.Free())
		ok(t, r.Free())
		clear(in)
		p := rank.RecvInit(x, x.Rank(), 2, in)
		for range 2 {
			req, err := p.Start()
			ok(t, err)
			ok(t, rank.Send(bg, x, x.Rank(), 2, out))
			_, err = req.Wait(bg)
			ok(t, err)
		}
		same(t, in, fill(4*w.eager, them, 1))
		ok(t, x.Free())
	})
}
