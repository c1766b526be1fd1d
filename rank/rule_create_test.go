package rank_test

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// ring sends each member of d its left neighbour's world rank, by way of d.
func ring(t *testing.T, d *rank.Comm) {
	t.Helper()
	p := d.Size()
	right, left := (d.Rank()+1)%p, (d.Rank()+p-1)%p
	in := make([]int, 1)
	_, err := rank.SendRecv(bg, d, right, 0, []int{d.Group().World(d.Rank())}, left, 0, in)
	ok(t, err)
	if want := d.Group().World(left); in[0] != want {
		t.Errorf("%v: rank %d is world rank %d, want %d", d, left, in[0], want)
	}
}

// Rule 25: Idup returns at once and calls by different ranks pair up by their
// order on each communicator, whatever the order between communicators: where
// Dup would deadlock Idup does not. Until the request is complete the new
// communicator cannot be used.
func TestRule25OverlappingIdupsDoNotDeadlock(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		rng := rand.New(rand.NewPCG(s, uint64(c.Rank()))) // another order on each rank
		var comms []*rank.Comm
		for range 4 {
			d, err := c.Dup(bg)
			ok(t, err)
			comms = append(comms, d)
		}
		dups := make([][]*rank.Comm, len(comms))
		var requests []rank.Request
		var todo []int
		for i := range comms {
			todo = append(todo, i, i, i)
		}
		rng.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
		for _, i := range todo {
			d, r := comms[i].Idup()
			dups[i] = append(dups[i], d)
			requests = append(requests, r)
		}
		rng.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		ok(t, rank.WaitAll(bg, requests...))
		for i, list := range dups {
			for k, d := range list {
				right, left := (d.Rank()+1)%w.ranks, (d.Rank()+w.ranks-1)%w.ranks
				in := make([]int, 2)
				_, err := rank.SendRecv(bg, d, right, 0, []int{i, k}, left, 0, in)
				ok(t, err)
				if in[0] != i || in[1] != k {
					t.Errorf("duplicate %d of %d is %v on rank %d", k, i, in, left)
				}
				ok(t, d.Free())
			}
			ok(t, comms[i].Free())
		}

		// Rank 0 waits for nobody, but the others do not call yet.
		if c.Rank() == 0 {
			d, r := c.Idup()
			_, done, err := r.Test()
			ok(t, err)
			if done {
				t.Error("complete before the others called")
			}
			d.SetName("early")
			_, werr := rank.Irecv(d, 0, 0, []byte{1}).Wait(bg)
			_, derr := d.Dup(bg)
			_, _, perr := rank.Iprobe(d, 0, 0)
			for i, err := range []error{rank.Send(bg, d, 0, 0, []byte{1}), werr, derr, perr, d.Free(),
				rank.Send(bg, d.Twin(), 0, 0, []byte{1}), d.Leave(bg), d.AttachBuffer(1)} {
				if !errors.Is(err, rank.ErrComm) {
					t.Errorf("use %d of an unfinished communicator: %v", i, err)
				}
			}
			barrier(t, c)
			_, err = r.Wait(bg)
			ok(t, err)
			if d.Name() != "early" {
				t.Errorf("its name is %q", d.Name())
			}
			ring(t, d)
			ok(t, d.Free())
			return
		}
		barrier(t, c)
		d, err := c.Dup(bg)
		ok(t, err)
		ring(t, d)
		ok(t, d.Free())
	})
}

// Rule 25: creation calls on a twin pair up apart from those on its communicator,
// since a library makes them, and nobody knows in which order with its user's.
func TestRule25CallsOnTwinsPairUpApart(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		parents := []*rank.Comm{c, c.Twin()}
		dups, requests := make([]*rank.Comm, 2), make([]rank.Request, 2)
		for k := range 2 {
			i := (k + c.Rank()) % 2 // another order on each other rank
			dups[i], requests[i] = parents[i].Idup()
		}
		ok(t, rank.WaitAll(bg, requests...))
		for i, d := range dups {
			right, left := (d.Rank()+1)%w.ranks, (d.Rank()+w.ranks-1)%w.ranks
			in := make([]int, 1)
			_, err := rank.SendRecv(bg, d, right, 0, []int{i}, left, 0, in)
			ok(t, err)
			if in[0] != i {
				t.Errorf("rank %d: on the duplicate of %v came what was sent on that of %v", c.Rank(), parents[i], parents[in[0]])
			}
			ok(t, d.Free())
		}
	})
}

// Rule 26: Split puts equal colors together, ordered by key and then by old
// rank; keys may be negative; Undefined gets no communicator.
func TestRule26SplitOrdersByKeyThenRank(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		rng := rand.New(rand.NewPCG(s, uint64(w.ranks)))
		for range 20 {
			colors, keys := make([]int, w.ranks), make([]int, w.ranks)
			for r := range w.ranks {
				colors[r] = []int{rank.Undefined, 0, 1, math.MaxInt}[rng.IntN(4)]
				keys[r] = []int{math.MinInt, -1, 0, 0, 5}[rng.IntN(5)]
			}
			d, err := c.Split(bg, colors[c.Rank()], keys[c.Rank()])
			ok(t, err)
			if colors[c.Rank()] == rank.Undefined {
				if d != nil {
					t.Errorf("Undefined got %v", d)
				}
				continue
			}
			var want []int
			for r, color := range colors {
				if color == colors[c.Rank()] {
					want = append(want, r)
				}
			}
			slices.SortStableFunc(want, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
			var got []int
			for r := range d.Size() {
				got = append(got, d.Group().World(r))
			}
			if !slices.Equal(got, want) || want[d.Rank()] != c.Rank() {
				t.Fatalf("colors %v, keys %v: rank %d is %d of %v, want %v", colors, keys, c.Rank(), d.Rank(), got, want)
			}
			ring(t, d)
			ok(t, d.Free())
		}
		if _, err := c.Split(bg, -1, 0); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("color -1: %v", err)
		}
		if _, err := c.SplitType(bg, rank.SplitKind(9), 0); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("kind 9: %v", err)
		}
	})
}

// Rule 26: Create is called by all; disjoint groups in one call are made at
// once, and who is in none gets nil.
func TestRule26CreateTakesDisjointGroups(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		// Group 0: ranks 0 and 1, reversed. Group 1: rank 2 alone. Others: nobody.
		var g *rank.Group
		var err error
		switch c.Rank() {
		case 0, 1:
			g, err = c.Group().Include(1, 0)
		case 2:
			g, err = c.Group().Include(2)
		case 3:
			g, err = c.Group().Include(0) // not in it, so it does not matter
		}
		ok(t, err)
		d, err := c.Create(bg, g)
		ok(t, err)
		switch {
		case c.Rank() > 2:
			if d != nil {
				t.Errorf("rank %d got %v", c.Rank(), d)
			}
			return
		case c.Rank() == 2 && (d.Size() != 1 || d.Rank() != 0):
			t.Errorf("rank 2 got %v", d)
		case c.Rank() < 2 && (d.Size() != 2 || d.Rank() != 1-c.Rank()):
			t.Errorf("rank %d got %v", c.Rank(), d)
		}
		ring(t, d)
		ok(t, d.Free())
	})
}

// Rule 26: CreateGroup is called by members only; its tag tells concurrent
// calls apart and has nothing to do with those of messages.
func TestRule26CreateGroupNeedsItsMembersOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		const calls = 4
		last := w.ranks - 1
		if c.Rank() == last && w.ranks > 2 {
			g, err := c.Group().Include(0)
			ok(t, err)
			if _, err := c.CreateGroup(bg, g, 1); !errors.Is(err, rank.ErrGroup) {
				t.Errorf("by no member: %v", err)
			}
			return // nobody needs it
		}
		members := max(2, last)
		g, err := c.Group().IncludeRanges(rank.Range{First: members - 1, Last: 0, Stride: -1})
		ok(t, err)
		user := rank.Irecv(c, rank.AnySource, 3, make([]byte, 1))
		comms := make(chan *rank.Comm, calls)
		for k := range calls {
			go func() {
				d, err := c.CreateGroup(bg, g, rank.Tag((k+c.Rank())%calls))
				if err != nil {
					t.Error(err)
				} else {
					d.SetName("late")
				}
				comms <- d
			}()
		}
		for range calls {
			d := <-comms
			if d == nil {
				return
			}
			if d.Rank() != members-1-c.Rank() {
				t.Errorf("rank %d is %v", c.Rank(), d)
			}
			defer d.Free()
			if st, done, _ := user.Peek(); done {
				t.Errorf("a user's receive got %+v", st)
			}
		}
		ok(t, user.Cancel())
		if _, err := user.Wait(bg); !errors.Is(err, rank.ErrCancelled) {
			t.Error(err)
		}
		if _, err := c.CreateGroup(bg, g, -1); !errors.Is(err, rank.ErrTag) {
			t.Errorf("tag -1: %v", err)
		}
		if _, err := c.CreateGroup(bg, g, rank.MaxTag); !errors.Is(err, rank.ErrTag) {
			t.Errorf("tag MaxTag: %v", err)
		}
		if _, err := c.CreateGroup(bg, nil, 1); !errors.Is(err, rank.ErrGroup) {
			t.Errorf("no group: %v", err)
		}
		if _, err := c.Self().CreateGroup(bg, c.Group(), 1); !errors.Is(err, rank.ErrGroup) {
			t.Errorf("more than the parent has: %v", err)
		}
	})
}
