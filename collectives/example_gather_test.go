package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Each rank gives as many elements as the others; the root gets them in rank order,
// in a slice that is made for it.
func ExampleGather() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		squares, err := collectives.Gather(ctx, world, 0, nil, []int{world.Rank() * world.Rank()})
		if world.Rank() == 0 {
			fmt.Println(squares)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 1 4 9]
}

// The root's own part is where it belongs already.
func ExampleGather_inPlace() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		mine := []int{world.Rank() + 10}
		if world.Rank() != 0 {
			_, err := collectives.Gather(ctx, world, 0, nil, mine)
			return err
		}
		all := []int{10, 0, 0}
		_, err := collectives.Gather(ctx, world, 0, all, nil)
		fmt.Println(all)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [10 11 12]
}

// The root must give a destination: a Request returns no slice.
func ExampleIGather() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		var all []int
		if world.Rank() == 1 {
			all = make([]int, 3)
		}
		_, err := collectives.IGather(world, 1, all, []int{world.Rank()}).Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 1 2]
}

func ExampleGatherInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		mine, all := make([]int, 1), make([]int, 2)
		gather := collectives.GatherInit(world, 0, all, mine)
		for step := range 2 {
			mine[0] = 10*step + world.Rank()
			if _, err := gather.Start(); err != nil {
				return err
			}
			if _, err := gather.Wait(ctx); err != nil {
				return err
			}
			if world.Rank() == 0 {
				fmt.Println(all)
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [0 1]
	// [10 11]
}

// Ranks give as much as they have. Without Counts these are exchanged first.
func ExampleGatherV() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		mine := make([]int, world.Rank())
		for i := range mine {
			mine[i] = world.Rank()
		}
		all, blocks, err := collectives.GatherV(ctx, world, 0, nil, mine, collectives.Blocks{})
		if world.Rank() == 0 {
			fmt.Println(all, blocks.Counts)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 2] [0 1 2]
}

// Displs say where the blocks go, in any order; what lies between them stays.
func ExampleGatherV_holes() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		blocks := collectives.Blocks{Counts: []int{2, 1}, Displs: []int{3, 0}}
		mine := [][]int{{1, 2}, {3}}[world.Rank()]
		if world.Rank() != 0 {
			_, _, err := collectives.GatherV(ctx, world, 0, nil, mine, blocks)
			return err
		}
		all := []int{-1, -1, -1, -1, -1, -1}
		_, _, err := collectives.GatherV(ctx, world, 0, all, mine, blocks)
		fmt.Println(all)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3 -1 -1 1 2 -1]
}

func ExampleIGatherV() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		blocks := collectives.Blocks{Counts: []int{1, 2}}
		mine, all := [][]int{{1}, {2, 3}}[world.Rank()], make([]int, 3)
		_, err := collectives.IGatherV(world, 0, all, mine, blocks).Wait(ctx)
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

func ExampleGatherVInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		blocks := collectives.Blocks{Counts: []int{1, 2}}
		mine, all := [][]int{{1}, {2, 3}}[world.Rank()], make([]int, 3)
		gather := collectives.GatherVInit(world, 0, all, mine, blocks)
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
