package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// The root deals equal parts out.
func ExampleScatter() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		var all []int
		if world.Rank() == 0 {
			all = []int{1, 2, 3, 4, 5, 6}
		}
		mine, err := collectives.Scatter(ctx, world, 0, make([]int, 2), all)
		if world.Rank() == 2 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [5 6]
}

func ExampleIScatter() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		all, mine := []int{1, 2}, make([]int, 1)
		_, err := collectives.IScatter(world, 0, mine, all).Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2]
}

func ExampleScatterInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		all, mine := []int{1, 2}, make([]int, 1)
		scatter := collectives.ScatterInit(world, 0, mine, all)
		if _, err := scatter.Start(); err != nil {
			return err
		}
		_, err := scatter.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2]
}

// Nine rows for two ranks: the first gets one more.
func ExampleScatterV() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		rows := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
		mine, err := collectives.ScatterV(ctx, world, 0, nil, rows, collectives.Blocks{Counts: []int{5, 4}})
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [5 6 7 8]
}

func ExampleIScatterV() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine := make([]int, 2-world.Rank())
		r := collectives.IScatterV(world, 0, mine, []int{1, 2, 3}, collectives.Blocks{Counts: []int{2, 1}})
		_, err := r.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

func ExampleScatterVInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine := make([]int, 2-world.Rank())
		scatter := collectives.ScatterVInit(world, 0, mine, []int{1, 2, 3}, collectives.Blocks{Counts: []int{2, 1}})
		if _, err := scatter.Start(); err != nil {
			return err
		}
		_, err := scatter.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}
