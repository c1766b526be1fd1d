package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// The duplicate has the same ranks, and its messages are its own: equal tags do
// not mix.
func ExampleComm_Dup() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		for i, c := range []*rank.Comm{world, d} {
			if err := rank.Send(ctx, c, 0, 1, []int{i}); err != nil {
				return err
			}
		}
		for _, c := range []*rank.Comm{d, world} {
			buf := make([]int, 1)
			if _, err := rank.Recv(ctx, c, 0, 1, buf); err != nil {
				return err
			}
			fmt.Println(c.Name(), buf)
		}
		return d.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// world/dup1 [1]
	// world [0]
}

// The duplicate is made while the ranks do something else.
func ExampleComm_Idup() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		d, r := world.Idup()
		// Work that does not need d.
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
		if d.Rank() == 0 {
			fmt.Println(d.Name(), d.Size())
		}
		return d.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: world/dup1 2
}

// Six ranks as a grid of two rows: each gets a communicator of its row, where
// its rank is its column.
func ExampleComm_Split() {
	err := rank.Local(6, func(ctx context.Context, world *rank.Comm) error {
		const columns = 3
		row, column := world.Rank()/columns, world.Rank()%columns
		inRow, err := world.Split(ctx, row, column)
		if err != nil {
			return err
		}
		if world.Rank() == 4 {
			fmt.Println("rank", inRow.Rank(), "of", inRow.Size(), "in", inRow.Name())
		}
		return inRow.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 1 of 3 in world/color1
}

// A rank that gives Undefined takes part in the call and in no communicator.
func ExampleComm_Split_undefined() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		color := 0
		if world.Rank() == 0 {
			color = rank.Undefined
		}
		workers, err := world.Split(ctx, color, 0)
		switch world.Rank() {
		case 0:
			fmt.Println(workers == nil, err)
		default:
			err = workers.Free()
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true <nil>
}

// The ranks of a host together: those that could share memory.
func ExampleComm_SplitType() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		host, err := world.SplitType(ctx, rank.SplitHost, world.Rank())
		if err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println(host.Size(), "ranks on this host")
		}
		return host.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 3 ranks on this host
}

// All ranks of the world call Create; those of the group get a communicator.
func ExampleComm_Create() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		even, err := world.Group().Include(0, 2)
		if err != nil {
			return err
		}
		c, err := world.Create(ctx, even)
		if err != nil || c == nil {
			return err
		}
		if world.Rank() == 2 {
			fmt.Println(c)
		}
		return c.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: world/create1 (rank 1 of 2)
}

// Only the ranks of the group call CreateGroup; the others know nothing of it.
func ExampleComm_CreateGroup() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank()%2 == 0 {
			return nil
		}
		odd, err := world.Group().Include(3, 1)
		if err != nil {
			return err
		}
		c, err := world.CreateGroup(ctx, odd, 1)
		if err != nil {
			return err
		}
		if world.Rank() == 3 {
			fmt.Println("rank 3 of the world is rank", c.Rank(), "of", c.Size())
		}
		return c.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 3 of the world is rank 0 of 2
}

// Ranks that do not make the same creation call are told so.
func ExampleComm_Dup_mismatch() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		var err error
		if world.Rank() == 0 {
			_, err = world.Dup(ctx)
			fmt.Println(errors.Is(err, rank.ErrMismatch))
		} else {
			_, err = world.Split(ctx, 0, 0)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}
