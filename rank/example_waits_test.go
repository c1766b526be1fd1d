package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

func ExampleWaitAll() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		other := 1 - world.Rank()
		in := make([]int, 1)
		err := rank.WaitAll(ctx,
			rank.Irecv(world, other, 1, in),
			rank.Isend(world, other, 1, []int{world.Rank() + 10}))
		if world.Rank() == 0 {
			fmt.Println(in)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [11]
}

// The error of WaitAll tells which requests failed; the others have completed.
func ExampleWaitAll_error() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		err := rank.WaitAll(ctx,
			rank.Isend(world, 0, 1, []int{42}),
			rank.Irecv(world, 0, 1, make([]int, 1)),
			rank.Irecv(world, 5, 1, make([]int, 1)))
		var failed *rank.StatusError
		if errors.As(err, &failed) {
			for i, err := range failed.Errs {
				fmt.Println(i, errors.Is(err, rank.ErrRank))
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 false
	// 1 false
	// 2 true
}

func ExampleWaitAllStatus() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		statuses, err := rank.WaitAllStatus(ctx,
			rank.Isend(world, 0, 1, []int{1, 2}),
			rank.Isend(world, 0, 2, []int{3}),
			rank.Irecv(world, 0, 2, make([]int, 4)),
			rank.Irecv(world, 0, 1, make([]int, 4)))
		fmt.Println(statuses[2].Len, statuses[3].Len)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 1 2
}

// Results are taken as they come. A request that was found complete is spent:
// the zero Request takes its place.
func ExampleWaitAny() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() > 0 {
			return rank.Send(ctx, world, 0, 1, []int{world.Rank()})
		}
		results := make([]int, world.Size())
		rs := make([]rank.Request, world.Size()) // rs[0] stays null
		for source := 1; source < world.Size(); source++ {
			rs[source] = rank.Irecv(world, source, 1, results[source:source+1])
		}
		sum := 0
		for {
			i, _, err := rank.WaitAny(ctx, rs...)
			if err != nil {
				return err
			}
			if i == rank.Undefined {
				break
			}
			sum += results[i]
			rs[i] = rank.Request{}
		}
		fmt.Println(sum)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 3
}

// WaitSome is WaitAny for those who would rather have all that is there.
func ExampleWaitSome() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() > 0 {
			return rank.Send(ctx, world, 0, 1, []int{world.Rank()})
		}
		results := make([]int, world.Size())
		rs := make([]rank.Request, world.Size())
		for source := 1; source < world.Size(); source++ {
			rs[source] = rank.Irecv(world, source, 1, results[source:source+1])
		}
		sum := 0
		for {
			found, err := rank.WaitSome(ctx, rs...)
			if err != nil {
				return err
			}
			if found == nil {
				break
			}
			for _, f := range found {
				sum += results[f.Index]
				rs[f.Index] = rank.Request{}
			}
		}
		fmt.Println(sum)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 3
}

// TestAll ends all requests or none.
func ExampleTestAll() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		a, b := rank.Irecv(world, 0, 1, make([]int, 1)), rank.Irecv(world, 0, 2, make([]int, 1))
		for tag := rank.Tag(1); tag <= 2; tag++ {
			if err := rank.Send(ctx, world, 0, tag, []int{42}); err != nil {
				return err
			}
			_, done, err := rank.TestAll(a, b)
			fmt.Println(done, err)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// false <nil>
	// true <nil>
}

func ExampleTestAny() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		a, b := rank.Irecv(world, 0, 1, make([]int, 1)), rank.Irecv(world, 0, 2, make([]int, 2))
		_, _, found, err := rank.TestAny(a, b)
		fmt.Println(found, err)

		if err := rank.Send(ctx, world, 0, 2, []int{1, 2}); err != nil {
			return err
		}
		i, status, found, err := rank.TestAny(a, b)
		fmt.Println(i, status.Len, found, err)

		if err := rank.Send(ctx, world, 0, 1, []int{1}); err != nil {
			return err
		}
		_, err = a.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// false <nil>
	// 1 2 true <nil>
}

func ExampleTestSome() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		rs := make([]rank.Request, 3)
		for i := range rs {
			rs[i] = rank.Irecv(world, 0, rank.Tag(i), make([]int, 1))
		}
		for _, tag := range []rank.Tag{2, 0} {
			if err := rank.Send(ctx, world, 0, tag, []int{1}); err != nil {
				return err
			}
		}
		found, err := rank.TestSome(rs...)
		for _, f := range found {
			fmt.Println(f.Index, f.Status.Tag, f.Err)
		}
		if err != nil {
			return err
		}
		if err := rs[1].Cancel(); err != nil {
			return err
		}
		return rs[1].Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 0 <nil>
	// 2 2 <nil>
}
