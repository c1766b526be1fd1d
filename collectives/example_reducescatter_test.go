package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// All add up vectors of five, and each keeps a part of the sum.
func ExampleReduceScatter() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		v := []int{1, 2, 3, 4, 5}
		mine, err := collectives.ReduceScatter(ctx, world, nil, v, []int{3, 2}, collectives.Sum)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [8 10]
}

func ExampleIReduceScatter() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		counts := []int{3, 2}
		mine := make([]int, counts[world.Rank()])
		_, err := collectives.IReduceScatter(world, mine, []int{1, 2, 3, 4, 5}, counts, collectives.Sum).Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [8 10]
}

func ExampleReduceScatterInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		counts := []int{3, 2}
		mine := make([]int, counts[world.Rank()])
		reduce := collectives.ReduceScatterInit(world, mine, []int{1, 2, 3, 4, 5}, counts, collectives.Sum)
		if _, err := reduce.Start(); err != nil {
			return err
		}
		_, err := reduce.Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2 4 6]
}

func ExampleReduceScatterBlock() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine, err := collectives.ReduceScatterBlock(ctx, world, nil, []int{1, 2, 3, 4}, collectives.Sum)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6 8]
}

func ExampleIReduceScatterBlock() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine := make([]int, 2)
		_, err := collectives.IReduceScatterBlock(world, mine, []int{1, 2, 3, 4}, collectives.Sum).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2 4]
}

func ExampleReduceScatterBlockInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine := make([]int, 2)
		reduce := collectives.ReduceScatterBlockInit(world, mine, []int{1, 2, 3, 4}, collectives.Sum)
		if _, err := reduce.Start(); err != nil {
			return err
		}
		_, err := reduce.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(mine)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6 8]
}
