package rank_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// A Request is complete once: it is spent after the Wait that found it so.
func ExampleRequest_Wait() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		r := rank.Irecv(world, 0, 1, buf)
		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		status, err := r.Wait(ctx)
		fmt.Println(buf, status.Source, err)

		_, err = r.Wait(ctx)
		fmt.Println(errors.Is(err, rank.ErrRequest))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [42] 0 <nil>
	// true
}

// A context that ends gives up the wait, not the operation.
func ExampleRequest_Wait_timeout() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		r := rank.Irecv(world, 0, 1, buf)

		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err := r.Wait(short)
		fmt.Println(errors.Is(err, context.DeadlineExceeded))

		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		_, err = r.Wait(ctx)
		fmt.Println(buf, err)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// [42] <nil>
}

// Test looks whether the message is there, so that work can go on if not.
func ExampleRequest_Test() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		r := rank.Irecv(world, 0, 1, buf)
		for step := 0; ; step++ {
			_, done, err := r.Test()
			if err != nil {
				return err
			}
			if done {
				fmt.Println("step", step, "has", buf)
				return nil
			}
			if step == 2 {
				if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
					return err
				}
			}
		}
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: step 3 has [42]
}

// Peek tells the same as Test and leaves the Request to be waited for.
func ExampleRequest_Peek() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.Irecv(world, 0, 1, make([]int, 4))
		if err := rank.Send(ctx, world, 0, 1, []int{1, 2}); err != nil {
			return err
		}
		for range 2 {
			status, done, err := r.Peek()
			fmt.Println(status.Len, done, err)
		}
		_, err := r.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2 true <nil>
	// 2 true <nil>
}

// Done makes a Request one case of a select.
func ExampleRequest_Done() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			return rank.Send(ctx, world, 0, 1, []int{42})
		}
		buf := make([]int, 1)
		r := rank.Irecv(world, 1, 1, buf)
		interrupt := make(chan struct{}) // nobody closes it here
		select {
		case <-r.Done():
			_, err := r.Wait(ctx) // at once
			fmt.Println(buf)
			return err
		case <-interrupt:
			return errors.New("interrupted")
		}
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42]
}

// A receive that nobody will serve is cancelled and then waited for: it either
// was cancelled or has matched after all.
func ExampleRequest_Cancel() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.Irecv(world, 0, 1, make([]int, 1))
		if err := r.Cancel(); err != nil {
			return err
		}
		status, err := r.Wait(ctx)
		fmt.Println(status.Cancelled, errors.Is(err, rank.ErrCancelled))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true true
}

// Then has a function called instead of waiting.
func ExampleRequest_Then() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		done := make(chan error)
		err := rank.Irecv(world, 0, 1, buf).Then(func(status rank.Status, err error) {
			fmt.Println(buf, "from", status.Source)
			done <- err
		})
		if err != nil {
			return err
		}
		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		return <-done
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42] from 0
}

// A sender that wants to hear nothing more lets the Request go. The buffer is
// not to be written again: only the receiver can tell when it was read.
func ExampleRequest_Free() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			got, _, err := rank.RecvAlloc[byte](ctx, world, 0, 1)
			fmt.Printf("%s\n", got)
			return err
		}
		return rank.Isend(world, 1, 1, []byte("so long")).Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: so long
}

// The zero Request is complete, so it can stand where there is nothing to wait
// for.
func ExampleRequest_IsNull() {
	var r rank.Request
	status, err := r.Wait(context.Background())
	fmt.Println(r.IsNull(), status.Source == rank.AnySource, status.Len, err)
	// Output: true true 0 <nil>
}

// A library completes a Request of its own, which its user waits for like any
// other.
func ExampleNewRequest() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r, complete := rank.NewRequest(world)
		go complete(rank.Status{Source: rank.Null, Tag: 3, Bytes: 100}, nil)
		status, err := r.Wait(ctx)
		fmt.Println(status.Tag, status.Bytes)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 3 100
}
