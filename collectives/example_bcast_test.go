package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// Nobody passes the barrier before all have come to it.
func ExampleBarrier() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if err := collectives.Barrier(ctx, world); err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println("all are here")
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: all are here
}

// A barrier in the background: the rank works on until it is over.
func ExampleIBarrier() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		r := collectives.IBarrier(world)
		worked := world.Rank() * 10
		_, err := r.Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println("all are here", worked)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: all are here 0
}

func ExampleBarrierInit() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		barrier := collectives.BarrierInit(world)
		for step := range 3 {
			if _, err := barrier.Start(); err != nil {
				return err
			}
			if _, err := barrier.Wait(ctx); err != nil {
				return err
			}
			if world.Rank() == 0 {
				fmt.Println("step", step)
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// step 0
	// step 1
	// step 2
}

// Rank 0 has read the settings; all get them.
func ExampleBcast() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		settings := make([]float64, 2)
		if world.Rank() == 0 {
			copy(settings, []float64{0.5, 1e-9})
		}
		err := collectives.Bcast(ctx, world, 0, settings)
		if world.Rank() == 3 {
			fmt.Println(settings)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0.5 1e-09]
}

func ExampleIBcast() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		buf := []int{world.Rank()}
		_, err := collectives.IBcast(world, 2, buf).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(buf)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2]
}

// What the root has in buf is read at every start.
func ExampleBcastInit() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		bcast := collectives.BcastInit(world, 0, buf)
		for step := range 3 {
			if world.Rank() == 0 {
				buf[0] = step * step
			}
			if _, err := bcast.Start(); err != nil {
				return err
			}
			if _, err := bcast.Wait(ctx); err != nil {
				return err
			}
			if world.Rank() == 3 {
				fmt.Println(buf)
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [0]
	// [1]
	// [4]
}
