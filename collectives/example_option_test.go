package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// The algorithm is named, for a measurement say; the same on all ranks.
func ExampleUsing() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{1}
		err := collectives.AllReduce(ctx, world, v, collectives.Sum, collectives.Using("ring"))
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [4]
}

// With leave to add in any order, algorithms may serve that keep every link busy.
func ExampleAnyOrder() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []float64{1, 2, 3, 4, 5, 6}
		err := collectives.AllReduce(ctx, world, v, collectives.Sum, collectives.AnyOrder(), collectives.Using("ring"))
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3 6 9 12 15 18]
}

// A chain passes pieces of 1000 elements on while the next ones come.
func ExampleSegment() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := make([]int, 5000)
		if world.Rank() == 0 {
			v[4999] = 1
		}
		err := collectives.Bcast(ctx, world, 0, v, collectives.Using("chain"), collectives.Segment(1000))
		if world.Rank() == 2 {
			fmt.Println(v[4999])
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 1
}

func ExampleWith() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		all, err := collectives.AllGatherObject(ctx, world, []string{"a", "b"}[world.Rank()], collectives.With(rank.JSON))
		if world.Rank() == 1 {
			fmt.Println(all)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [a b]
}
