package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// The count is the slice's: a part of it is a part of the message.
func ExampleSend() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			row := []float64{1, 2, 3, 4}
			return rank.Send(ctx, world, 1, 5, row[:3])
		}
		buf := make([]float64, 8)
		status, err := rank.Recv(ctx, world, 0, 5, buf)
		fmt.Println(buf[:status.Len])
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 3]
}

// Structs travel like numbers if they have no pointers in them.
func ExampleSend_struct() {
	type Body struct {
		Pos, Vel [3]float64
		Mass     float64
		ID       int32
	}
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.Send(ctx, world, 1, 1, []Body{{Mass: 5.97e24, ID: 3}})
		}
		buf := make([]Body, 1)
		_, err := rank.Recv(ctx, world, 0, 1, buf)
		fmt.Println(buf[0].ID, buf[0].Mass)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 3 5.97e+24
}

// What cannot travel is refused before anything is sent, by the field's name.
func ExampleSend_refused() {
	type Person struct {
		Age  int
		Name string
	}
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		err := rank.Send(ctx, world, 0, 1, []Person{{36, "Ada"}})
		fmt.Println(errors.Is(err, rank.ErrElement))
		fmt.Println(errors.Unwrap(err))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// datatype: rank_test.Person.Name is a string: element type cannot travel as memory
}

// After Ssend the receiver is known to have got as far as its receive.
func ExampleSsend() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			_, err := rank.Recv(ctx, world, 0, 1, make([]int, 1))
			return err
		}
		if err := rank.Ssend(ctx, world, 1, 1, []int{42}); err != nil {
			return err
		}
		fmt.Println("rank 1 has begun to receive")
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 1 has begun to receive
}

// Rank 1 says that its receive is posted, so rank 0 may use Rsend.
func ExampleRsend() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			if _, err := rank.Recv(ctx, world, 1, 1, []byte{}); err != nil {
				return err
			}
			return rank.Rsend(ctx, world, 1, 2, []int{42})
		}
		buf := make([]int, 1)
		r := rank.Irecv(world, 0, 2, buf)
		if err := rank.Send(ctx, world, 0, 1, []byte{}); err != nil {
			return err
		}
		_, err := r.Wait(ctx)
		fmt.Println(buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42]
}

// Without a posted receive, Rsend says so.
func ExampleRsend_notReady() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		err := rank.Rsend(ctx, world, 0, 1, []int{42})
		fmt.Println(errors.Is(err, rank.ErrNotReady))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

// While the message is on its way the sender may read buf but not write it.
func ExampleIsend() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			got, _, err := rank.RecvAlloc[int](ctx, world, 0, 1)
			fmt.Println(got)
			return err
		}
		buf := []int{1, 2, 3}
		r := rank.Isend(world, 1, 1, buf)
		sum := 0
		for _, x := range buf { // work that overlaps the transfer
			sum += x
		}
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
		buf[0] = sum // from here on it may be written
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 3]
}

// The Request of an Issend is complete once the receive has started.
func ExampleIssend() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.Issend(world, 0, 1, []int{42})
		_, before, err := r.Peek()
		if err != nil {
			return err
		}
		if _, err := rank.Recv(ctx, world, 0, 1, make([]int, 1)); err != nil {
			return err
		}
		_, err = r.Wait(ctx)
		fmt.Println("complete before the receive:", before)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: complete before the receive: false
}

func ExampleIrsend() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		posted := rank.Irecv(world, 0, 1, buf)
		sent := rank.Irsend(world, 0, 1, []int{42})
		err := rank.WaitAll(ctx, posted, sent)
		fmt.Println(buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42]
}

// Each rank hands its number to the right and takes one from the left. With
// Send and Recv all might wait for each other; with SendRecv they cannot.
func ExampleSendRecv() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		p := world.Size()
		right, left := (world.Rank()+1)%p, (world.Rank()+p-1)%p
		in := make([]int, 1)
		_, err := rank.SendRecv(ctx, world, right, 1, []int{world.Rank()}, left, 1, in)
		if world.Rank() == 0 {
			fmt.Println(in)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2]
}

// At the ends of a line the neighbour is Null: nothing is sent, and the ghost
// cell keeps what it had.
func ExampleSendRecv_null() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		left, right := world.Rank()-1, world.Rank()+1
		if left < 0 {
			left = rank.Null
		}
		if right == world.Size() {
			right = rank.Null
		}
		ghost := []int{-1}
		status, err := rank.SendRecv(ctx, world, right, 1, []int{world.Rank()}, left, 1, ghost)
		if world.Rank() == 0 {
			fmt.Println(ghost, status.Source == rank.Null, status.Len)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [-1] true 0
}

// Two ranks swap their blocks in place.
func ExampleSendRecvReplace() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		other := 1 - world.Rank()
		block := []int{world.Rank(), world.Rank()}
		_, err := rank.SendRecvReplace(ctx, world, other, 1, other, 1, block)
		if world.Rank() == 0 {
			fmt.Println(block)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 1]
}
