package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// Bsend never waits for the receiver, however long the message.
func ExampleBsend() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		const n = 1 << 20
		if err := world.AttachBuffer(n + rank.BsendOverhead); err != nil {
			return err
		}
		message := make([]byte, n)
		if err := rank.Bsend(ctx, world, 0, 1, message); err != nil {
			return err
		}
		message[0] = 1 // a copy is on its way

		err := rank.Bsend(ctx, world, 0, 1, []byte{1})
		fmt.Println("full:", errors.Is(err, rank.ErrBuffer))

		got, _, err := rank.RecvAlloc[byte](ctx, world, 0, 1)
		if err != nil {
			return err
		}
		fmt.Println(len(got), got[0])
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// full: true
	// 1048576 0
}

func ExampleIbsend() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := world.AttachBuffer(1 << 10); err != nil {
			return err
		}
		_, done, err := rank.Ibsend(world, 0, 1, []int{42}).Test()
		if err != nil {
			return err
		}
		buf := make([]int, 1)
		_, err = rank.Recv(ctx, world, 0, 1, buf)
		fmt.Println(done, buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true [42]
}

// A library gives its own communicator room, and takes none of the program's.
func ExampleComm_AttachBuffer() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		library, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		fmt.Println(library.AttachBuffer(10 * (800 + rank.BsendOverhead))) // for ten messages of 800 bytes
		fmt.Println(errors.Is(library.AttachBuffer(1), rank.ErrBuffer))
		return library.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// true
}

func ExampleComm_FlushBuffer() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			_, _, err := rank.RecvAlloc[byte](ctx, world, 0, 1)
			return err
		}
		const n = 1 << 20
		if err := world.AttachBuffer(n + rank.BsendOverhead); err != nil {
			return err
		}
		if err := rank.Bsend(ctx, world, 1, 1, make([]byte, n)); err != nil {
			return err
		}
		if err := world.FlushBuffer(ctx); err != nil {
			return err
		}
		fmt.Println("rank 1 has it")
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 1 has it
}

func ExampleComm_DetachBuffer() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := world.AttachBuffer(4096); err != nil {
			return err
		}
		fmt.Println(world.DetachBuffer(ctx))
		_, err := world.DetachBuffer(ctx)
		fmt.Println(errors.Is(err, rank.ErrBuffer))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 4096 <nil>
	// true
}
