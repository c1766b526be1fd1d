package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

func ExampleAllGather() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		ranks, err := collectives.AllGather(ctx, world, nil, []int{world.Rank()})
		if world.Rank() == 0 {
			fmt.Println(ranks)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 1 2]
}

// In place: each rank has its part where it belongs.
func ExampleIAllGather() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		all := make([]int, 3)
		all[world.Rank()] = world.Rank() + 10
		_, err := collectives.IAllGather(world, all, nil).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [10 11 12]
}

func ExampleAllGatherInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine, all := []int{world.Rank()}, make([]int, 2)
		gather := collectives.AllGatherInit(world, all, mine)
		if _, err := gather.Start(); err != nil {
			return err
		}
		_, err := gather.Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 1]
}

func ExampleAllGatherV() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		primes := [][]int{{2, 3, 5, 7}, {11, 13}, nil}[world.Rank()]
		all, _, err := collectives.AllGatherV(ctx, world, nil, primes, collectives.Blocks{})
		if world.Rank() == 2 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2 3 5 7 11 13]
}

func ExampleIAllGatherV() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine, all := [][]int{{1}, {2, 3}}[world.Rank()], make([]int, 3)
		_, err := collectives.IAllGatherV(world, all, mine, collectives.Blocks{Counts: []int{1, 2}}).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 3]
}

func ExampleAllGatherVInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine, all := [][]int{{1}, {2, 3}}[world.Rank()], make([]int, 3)
		gather := collectives.AllGatherVInit(world, all, mine, collectives.Blocks{Counts: []int{1, 2}})
		if _, err := gather.Start(); err != nil {
			return err
		}
		_, err := gather.Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 3]
}
