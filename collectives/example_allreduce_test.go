package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Every rank has part of the data, and all need its mean.
func ExampleAllReduce() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		part := []float64{float64(world.Rank()), 2}
		totals := []float64{part[0] + part[1], float64(len(part))}
		err := collectives.AllReduce(ctx, world, totals, collectives.Sum)
		if world.Rank() == 0 {
			fmt.Println("mean", totals[0]/totals[1])
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: mean 1.75
}

func ExampleAllReduceTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		norm, largest := []float64{1 / float64(1+world.Rank())}, make([]float64, 1)
		err := collectives.AllReduceTo(ctx, world, largest, norm, collectives.Max)
		if world.Rank() == 3 {
			fmt.Println(norm, largest)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0.25] [1]
}

// Two at once, under way while the rank computes.
func ExampleIAllReduce() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		low, high := []int{world.Rank()}, []int{world.Rank()}
		a := collectives.IAllReduce(world, low, collectives.Min)
		b := collectives.IAllReduce(world, high, collectives.Max)
		if err := rank.WaitAll(ctx, a, b); err != nil {
			return err
		}
		if world.Rank() == 2 {
			fmt.Println(low, high)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0] [3]
}

func ExampleIAllReduceTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		sum := make([]int, 1)
		_, err := collectives.IAllReduceTo(world, sum, []int{world.Rank()}, collectives.Sum).Wait(ctx)
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

// The residual of an iteration, made once and started in every step.
func ExampleAllReduceInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		residual := []float64{1}
		reduce := collectives.AllReduceInit(world, residual, collectives.Max)
		for residual[0] > 0.1 {
			residual[0] /= float64(2 + world.Rank()) // rank 0 converges more slowly
			if _, err := reduce.Start(); err != nil {
				return err
			}
			if _, err := reduce.Wait(ctx); err != nil {
				return err
			}
		}
		if world.Rank() == 1 {
			fmt.Println(residual)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0.0625]
}

func ExampleAllReduceToInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		v, sum := []int{world.Rank()}, make([]int, 1)
		reduce := collectives.AllReduceToInit(world, sum, v, collectives.Sum)
		if _, err := reduce.Start(); err != nil {
			return err
		}
		_, err := reduce.Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(sum)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1]
}

// The sum is that of the numbers, not of their roundings, and so it is the same
// however they are spread.
func ExampleSumExact() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		local := [][]float64{{1e100, 1}, {-1e100, 1}}[world.Rank()]
		sum, err := collectives.SumExact(ctx, world, local)
		if world.Rank() == 0 {
			fmt.Println(sum)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 2
}

func ExampleSumExactEach() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := [][]float64{{1e100, 0.1}, {1, 0.2}, {-1e100, -0.3}}[world.Rank()]
		sums, err := collectives.SumExactEach(ctx, world, nil, v)
		if world.Rank() == 0 {
			fmt.Println(sums[0], sums[1] < 1e-16)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 1 true
}
