package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

func ExampleScan() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{world.Rank() + 1}
		err := collectives.Scan(ctx, world, v, collectives.Product)
		if world.Rank() == 3 {
			fmt.Println(v) // 1·2·3·4
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [24]
}

func ExampleScanTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v, upToHere := []int{1}, make([]int, 1)
		err := collectives.ScanTo(ctx, world, upToHere, v, collectives.Sum)
		if world.Rank() == 2 {
			fmt.Println(upToHere)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

// Where each rank writes in a file, if all write one after the other. That of rank 0
// is what was there.
func ExampleExScan() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		lengths := []int{100, 20, 3, 50}
		offset := []int{lengths[world.Rank()]}
		if err := collectives.ExScan(ctx, world, offset, collectives.Sum); err != nil {
			return err
		}
		if world.Rank() == 3 {
			fmt.Println(offset)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [123]
}

func ExampleExScanTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		offset := []int{0} // stays on rank 0
		err := collectives.ExScanTo(ctx, world, offset, []int{10}, collectives.Sum)
		if world.Rank() == 3 {
			fmt.Println(offset)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [30]
}

func ExampleIScan() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{world.Rank()}
		_, err := collectives.IScan(world, v, collectives.Sum).Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleIScanTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		upToHere := make([]int, 1)
		_, err := collectives.IScanTo(world, upToHere, []int{world.Rank()}, collectives.Sum).Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(upToHere)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleScanInit() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{world.Rank()}
		scan := collectives.ScanInit(world, v, collectives.Sum)
		if _, err := scan.Start(); err != nil {
			return err
		}
		_, err := scan.Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleScanToInit() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		upToHere := make([]int, 1)
		scan := collectives.ScanToInit(world, upToHere, []int{world.Rank()}, collectives.Sum)
		if _, err := scan.Start(); err != nil {
			return err
		}
		_, err := scan.Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(upToHere)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleIExScan() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{world.Rank()}
		_, err := collectives.IExScan(world, v, collectives.Sum).Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

func ExampleIExScanTo() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		upToHere := make([]int, 1)
		_, err := collectives.IExScanTo(world, upToHere, []int{world.Rank()}, collectives.Sum).Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(upToHere)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

func ExampleExScanInit() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []int{world.Rank()}
		scan := collectives.ExScanInit(world, v, collectives.Sum)
		if _, err := scan.Start(); err != nil {
			return err
		}
		_, err := scan.Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

func ExampleExScanToInit() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		upToHere := make([]int, 1)
		scan := collectives.ExScanToInit(world, upToHere, []int{world.Rank()}, collectives.Sum)
		if _, err := scan.Start(); err != nil {
			return err
		}
		_, err := scan.Wait(ctx)
		if world.Rank() == 3 {
			fmt.Println(upToHere)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}
