package topology_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/topology"
)

// Six ranks as a grid of three rows, closed to a ring in the second dimension. Each asks
// its neighbours who they are.
func ExampleNewCart() {
	err := rank.Local(6, func(ctx context.Context, world *rank.Comm) error {
		dims, err := topology.Dims(world.Size(), 0, 0)
		if err != nil {
			return err
		}
		g, err := topology.NewCart(ctx, world, dims, []bool{false, true}, topology.Reorder)
		if err != nil {
			return err
		}
		// Up, down, left, right; nobody is above the first row.
		around := []int{-1, -1, -1, -1}
		if _, err := collectives.NeighborAllGather(ctx, g, around, []int{g.Comm().Rank()}); err != nil {
			return err
		}
		if g.Comm().Rank() == 1 {
			fmt.Println(g.Dims(), g.Coords(), around)
		}
		return g.Comm().Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3 2] [0 1] [-1 3 0 0]
}

// A ring of three ranks with two elements each, and a ghost on either side. The inner
// elements are there to compute with while the ghosts are on their way.
func ExampleHalo() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		ring, err := topology.NewCart(ctx, world, []int{3}, []bool{true})
		if err != nil {
			return err
		}
		r := 10 * ring.Comm().Rank()
		u := []int{0, r + 1, r + 2, 0}
		halo, err := topology.NewHalo(ctx, ring, topology.Layers{Inner: []int{2}, Width: 1}, u)
		if err != nil {
			return err
		}
		if err := halo.Start(u); err != nil {
			return err
		}
		sum := u[1] + u[2]
		if err := halo.Wait(ctx); err != nil {
			return err
		}
		if r == 0 {
			fmt.Println(u, sum)
		}
		return halo.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [22 1 2 11] 3
}

// Rank 0 sends to all others and hears from none: a star.
func ExampleNewDistGraph() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		var e topology.Edges // one rank knows them all
		if world.Rank() == 2 {
			e = topology.Edges{From: []int{0, 0}, To: []int{1, 2}}
		}
		star, err := topology.NewDistGraph(ctx, world, e)
		if err != nil {
			return err
		}
		got, err := collectives.NeighborAllGather(ctx, star, nil, []int{100 + world.Rank()})
		if err != nil {
			return err
		}
		if world.Rank() == 1 {
			fmt.Println(got)
		}
		return star.Comm().Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [100]
}
