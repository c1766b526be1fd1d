package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// In place: the sum is in the root's vector.
func ExampleReduce() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{1, world.Rank()}
		err := collectives.Reduce(ctx, world, 0, v, collectives.Sum)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [4 6]
}

func ExampleReduceTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		var sum []int
		if world.Rank() == 0 {
			sum = make([]int, 1)
		}
		err := collectives.ReduceTo(ctx, world, 0, sum, []int{world.Rank()}, collectives.Sum)
		if world.Rank() == 0 {
			fmt.Println(sum)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleIReduce() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{world.Rank()}
		_, err := collectives.IReduce(world, 0, v, collectives.Max).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

func ExampleIReduceTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		sum := make([]int, 1)
		_, err := collectives.IReduceTo(world, 0, sum, []int{world.Rank()}, collectives.Sum).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(sum)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

// Each round starts from what is in the vectors; the root's has the sum of the last.
func ExampleReduceInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		v := []int{1}
		reduce := collectives.ReduceInit(world, 0, v, collectives.Sum)
		for range 3 {
			if _, err := reduce.Start(); err != nil {
				return err
			}
			if _, err := reduce.Wait(ctx); err != nil {
				return err
			}
		}
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [4]
}

func ExampleReduceToInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		v, sum := make([]int, 1), make([]int, 1)
		reduce := collectives.ReduceToInit(world, 0, sum, v, collectives.Sum)
		for step := range 2 {
			v[0] = step + world.Rank()
			if _, err := reduce.Start(); err != nil {
				return err
			}
			if _, err := reduce.Wait(ctx); err != nil {
				return err
			}
			if world.Rank() == 0 {
				fmt.Println(sum)
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [1]
	// [3]
}

// Two vectors of one rank, without any communication.
func ExampleReduceLocal() {
	lower, sum := []int{1, 2}, []int{10, 20}
	err := collectives.ReduceLocal(lower, sum, collectives.Sum)
	fmt.Println(sum, err)
	// Output: [11 22] <nil>
}
