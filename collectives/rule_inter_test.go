package collectives_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// across runs f on the intercommunicator of the first low ranks of p and the others.
// mine are the world ranks of f's side, theirs those of the other.
func across(t *testing.T, p, low int, f func(t *testing.T, c *rank.Comm, mine, theirs []int)) {
	t.Helper()
	ranktest.Run(t, p, func(t *testing.T, world *rank.Comm) {
		side := 0
		if world.Rank() >= low {
			side = 1
		}
		local, err := world.Split(t.Context(), side, 0)
		if err != nil {
			t.Fatal(err)
		}
		leaders := [2]int{0, low}
		c, err := rank.CreateInter(t.Context(), local, 0, world, leaders[1-side], 5)
		if err != nil {
			t.Fatal(err)
		}
		var groups [2][]int
		for r := range p {
			if r < low {
				groups[0] = append(groups[0], r)
			} else {
				groups[1] = append(groups[1], r)
			}
		}
		f(t, c, groups[side], groups[1-side])
	})
}

// want fails the test unless got is want.
func want(t *testing.T, what string, c *rank.Comm, got, want []int64, err error) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		got, want = got[:min(8, len(got))], want[:min(8, len(want))]
		t.Fatalf("%s, rank %d of %d facing %d: got %v … , %v, want %v …", what, c.Rank(), c.Size(), c.RemoteSize(), got, err, want)
	}
}

// On an intercommunicator a rank gets what the other group gives.
func TestRule44CollectivesDeliverTheOtherGroupsData(t *testing.T) {
	for _, sizes := range [][2]int{{2, 1}, {4, 2}, {5, 2}, {7, 3}, {8, 1}} {
		for _, n := range []int{0, 1, 6, 3000} {
			t.Run(fmt.Sprintf("%d+%d/%d", sizes[1], sizes[0]-sizes[1], n), func(t *testing.T) {
				across(t, sizes[0], sizes[1], func(t *testing.T, c *rank.Comm, mine, theirs []int) {
					deliver(t, c, mine, theirs, n)
				})
			})
		}
	}
}

func deliver(t *testing.T, c *rank.Comm, mine, theirs []int, n int) {
	ctx, me := t.Context(), mine[c.Rank()]
	first := mine[0] == 0 // of the two sides

	if err := collectives.Barrier(ctx, c); err != nil {
		t.Fatal(err)
	}

	// The root is the last of the first side.
	root := len(mine) - 1
	if !first {
		root = len(theirs) - 1
	} else if c.Rank() == root {
		root = collectives.Root
	} else {
		root = rank.Null
	}
	buf := make([]int64, n)
	if root == collectives.Root {
		copy(buf, vector(me, n))
	}
	err := collectives.Bcast(ctx, c, root, buf)
	if !first {
		want(t, "Bcast", c, buf, vector(theirs[len(theirs)-1], n), err)
	} else if err != nil {
		t.Fatal(err)
	}

	var all, blocks []int64
	sum := make([]int64, n)
	for _, r := range theirs {
		v := vector(r, n)
		all = append(all, v...)
		blocks = append(blocks, vector(r*100+me, n)...)
		for i := range sum {
			sum[i] += v[i]
		}
	}
	got, err := collectives.Gather(ctx, c, root, make([]int64, n*len(theirs)), vector(me, n))
	if root == collectives.Root {
		want(t, "Gather", c, got, all, err)
	} else if err != nil {
		t.Fatal(err)
	}
	dst := make([]int64, n)
	err = collectives.ReduceTo(ctx, c, root, dst, vector(me, n), collectives.Sum)
	if root == collectives.Root {
		want(t, "ReduceTo", c, dst, sum, err)
	} else if err != nil {
		t.Fatal(err)
	}

	got, err = collectives.AllGather(ctx, c, nil, vector(me, n))
	want(t, "AllGather", c, got, all, err)
	err = collectives.AllReduceTo(ctx, c, dst, vector(me, n), collectives.Sum)
	want(t, "AllReduceTo", c, dst, sum, err)

	var out []int64
	for _, r := range theirs {
		out = append(out, vector(me*100+r, n)...)
	}
	got, err = collectives.AllToAll(ctx, c, make([]int64, n*len(theirs)), out)
	want(t, "AllToAll", c, got, blocks, err)

	in, views := make([]int64, n*len(theirs)), [2][]datatype.View[int64]{}
	for k := range theirs {
		views[0] = append(views[0], datatype.Contiguous(in[k*n:][:n]))
		views[1] = append(views[1], datatype.Contiguous(out[k*n:][:n]))
	}
	err = collectives.AllToAllW(ctx, c, views[0], views[1])
	want(t, "AllToAllW", c, in, blocks, err)

	// Blocks of as many elements as both groups divide.
	total := n * len(mine) * len(theirs)
	got, err = collectives.ReduceScatterBlock(ctx, c, nil, vector(me, total), collectives.Sum)
	sums := make([]int64, total)
	for _, r := range theirs {
		for i, x := range vector(r, total) {
			sums[i] += x
		}
	}
	want(t, "ReduceScatterBlock", c, got, sums[c.Rank()*n*len(theirs):][:n*len(theirs)], err)

	q := collectives.IAllReduceTo(c, dst, vector(me, n), collectives.Sum)
	_, err = q.Wait(ctx)
	want(t, "IAllReduceTo", c, dst, sum, err)

	if err := collectives.Scan(ctx, c, dst, collectives.Sum); !errors.Is(err, rank.ErrComm) {
		t.Errorf("Scan: got %v, want ErrComm", err)
	}
	if err := collectives.Bcast(ctx, c, len(theirs), buf); !errors.Is(err, rank.ErrRank) {
		t.Errorf("a root that there is not: got %v, want ErrRank", err)
	}
}
