package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// A wait that is given up gives the operation up too, and the buffer is free again.
func ExampleRequest_Conclude() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		impatient, cancel := context.WithCancel(ctx)
		cancel()
		r := rank.Irecv(world, 0, 1, make([]int, 1)) // nobody sends
		_, err := r.Conclude(impatient)
		fmt.Println(errors.Is(err, rank.ErrCancelled), errors.Is(err, context.Canceled))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true true
}

// A call that promises more than one message goes on from step to step by itself.
func ExampleRequest_Continue() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		whole, done := rank.NewRequest(world)
		var buf [1]int
		step := func(s rank.Status, err error) {
			buf[0] *= 10 // a short step
			done(s, err)
		}
		s, already, err := rank.Irecv(world, 0, 1, buf[:]).Continue(step)
		if already {
			step(s, err)
		}
		if err := rank.Send(ctx, world, 0, 1, []int{4}); err != nil {
			return err
		}
		_, err = whole.Wait(ctx)
		fmt.Println(buf[0], already)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 40 false
}

// Unlike Cancel, Withdraw takes a send back.
func ExampleRequest_Withdraw() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.Issend(world, 0, 1, []int{1}) // nobody receives
		r.Withdraw()
		_, err := r.Wait(ctx)
		fmt.Println(errors.Is(err, rank.ErrCancelled))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

// A persistent operation of a library's own: each round sends a number to itself.
func ExampleNewPersistent() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		round, in := 0, make([]int, 1)
		echo := rank.NewPersistent(func() rank.Request {
			if round++; round > 2 {
				return rank.Failed(errors.New("two rounds are enough"))
			}
			if err := rank.Isend(world, 0, 1, []int{round}).Free(); err != nil {
				return rank.Failed(err)
			}
			return rank.Irecv(world, 0, 1, in)
		}, nil)
		for range 3 {
			r, err := echo.Start()
			if err == nil {
				_, err = r.Wait(ctx)
			}
			fmt.Println(in, err)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [1] <nil>
	// [2] <nil>
	// [2] two rounds are enough
}
