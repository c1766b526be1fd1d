package rank_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// A column of a matrix is sent from where it lies, without a copy.
func ExampleSendView() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		const rows, cols = 3, 4
		if world.Rank() == 0 {
			m := []int{
				0, 1, 2, 3,
				10, 11, 12, 13,
				20, 21, 22, 23,
			}
			column := datatype.Vector(m[2:], rows, 1, cols)
			return rank.SendView(ctx, world, 1, 1, column)
		}
		column := make([]int, rows)
		_, err := rank.Recv(ctx, world, 0, 1, column)
		fmt.Println(column)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2 12 22]
}

func ExampleSsendView() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			m := []int{1, 2, 3, 4, 5, 6}
			return rank.SsendView(ctx, world, 1, 1, datatype.Vector(m, 3, 1, 2))
		}
		odd := make([]int, 3)
		_, err := rank.Recv(ctx, world, 0, 1, odd)
		fmt.Println(odd)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 3 5]
}

// A message lands strided too: here in the lower right corner of a matrix.
func ExampleRecvView() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.Send(ctx, world, 1, 1, []int{1, 2, 3, 4})
		}
		m := make([]int, 3*4)
		corner := datatype.Subarray(m, []int{3, 4}, []int{1, 2}, []int{2, 2})
		status, err := rank.RecvView(ctx, world, 0, 1, corner)
		fmt.Println(m[:4], m[4:8], m[8:], status.Len)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 0 0 0] [0 0 1 2] [0 0 3 4] 4
}

// Both faces of a block leave at once; none is packed.
func ExampleIsendView() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		const rows, cols = 2, 3
		if world.Rank() == 0 {
			m := []int{
				0, 1, 2,
				10, 11, 12,
			}
			return rank.WaitAll(ctx,
				rank.IsendView(world, 1, 1, datatype.Vector(m, rows, 1, cols)),
				rank.IsendView(world, 1, 2, datatype.Vector(m[cols-1:], rows, 1, cols)))
		}
		first, last := make([]int, rows), make([]int, rows)
		err := rank.WaitAll(ctx, rank.Irecv(world, 0, 1, first), rank.Irecv(world, 0, 2, last))
		fmt.Println(first, last)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 10] [2 12]
}

func ExampleIrecvView() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.Send(ctx, world, 1, 1, []int{7, 8})
		}
		s := make([]int, 6)
		r := rank.IrecvView(world, 0, 1, datatype.Indexed(s, datatype.Block{Offset: 4, Len: 1}, datatype.Block{Offset: 1, Len: 1}))
		_, err := r.Wait(ctx)
		fmt.Println(s)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 8 0 0 7 0]
}
