package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// A receive that nothing has matched is withdrawn when its context ends.
func ExampleRequest_Conclude() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.Irecv(world, 0, 1, make([]int, 1))
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := r.Conclude(ended)
		fmt.Println(errors.Is(err, rank.ErrCancelled))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

// What follows the receive starts when the message is there.
func ExampleRequest_Continue() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.Send(ctx, world, 1, 1, []int{42})
		}
		buf, followed := make([]int, 1), make(chan struct{})
		_, done, err := rank.Irecv(world, 0, 1, buf).Continue(func(rank.Status, error) { close(followed) })
		if err != nil {
			return err
		}
		if !done {
			<-followed
		}
		fmt.Println(buf)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42]
}

// A message too long to be sent without a receive is taken back.
func ExampleRequest_Withdraw() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			r := rank.Isend(world, 1, 1, make([]byte, 1<<20))
			r.Withdraw()
			_, err := r.Wait(ctx)
			fmt.Println(errors.Is(err, rank.ErrCancelled))
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

// A persistent operation of one's own: each round sends one more.
func ExampleNewPersistent() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		n := 0
		count := rank.NewPersistent(func() rank.Request {
			n++
			r, done := rank.NewRequest(world)
			done(rank.Status{Bytes: n}, nil)
			return r
		}, nil)
		for range 2 {
			if _, err := count.Start(); err != nil {
				return err
			}
			status, err := count.Wait(ctx)
			fmt.Println(status.Bytes, err)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}

// A call that starts an operation gives its error to who waits.
func ExampleFailed() {
	r := rank.Failed(errors.New("no such thing"))
	_, err := r.Wait(context.Background())
	fmt.Println(err)
	// Output: no such thing
}
