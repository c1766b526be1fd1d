package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// Each rank has a row of a matrix and gets a column.
func ExampleAllToAll() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		r := world.Rank()
		row := []int{10*r + 0, 10*r + 1, 10*r + 2}
		column, err := collectives.AllToAll(ctx, world, nil, row)
		if r == 1 {
			fmt.Println(column)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 11 21]
}

// In place: what is sent is replaced by what comes.
func ExampleIAllToAll() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		buf := []int{10 * world.Rank(), 10*world.Rank() + 1}
		_, err := collectives.IAllToAll(world, buf, nil).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(buf)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 10]
}

func ExampleAllToAllInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		src, dst := []int{10 * world.Rank(), 10*world.Rank() + 1}, make([]int, 2)
		exchange := collectives.AllToAllInit(world, dst, src)
		if _, err := exchange.Start(); err != nil {
			return err
		}
		_, err := exchange.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(dst)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 11]
}

// A sort into buckets: each rank knows what it has for the others, and learns what
// they have for it.
func ExampleAllToAllV() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		numbers := [][]int{{1, 4, 60}, {3, 50, 90}}[world.Rank()] // in order; up to 9 goes to rank 0
		small := []int{2, 1}[world.Rank()]
		from := collectives.Blocks{Counts: []int{small, len(numbers) - small}}
		mine, to, err := collectives.AllToAllV(ctx, world, nil, numbers, collectives.Blocks{}, from)
		if world.Rank() == 1 {
			fmt.Println(mine, to.Counts)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [60 50 90] [1 2]
}

func ExampleIAllToAllV() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		other := 1 - world.Rank() // nothing to oneself, and as many as its own rank to the other
		from, to := make([]int, 2), make([]int, 2)
		from[other], to[other] = 1+world.Rank(), 1+other
		src := []int{7, 8}[:from[other]]
		dst := make([]int, to[other])
		_, err := collectives.IAllToAllV(world, dst, src, collectives.Blocks{Counts: to}, collectives.Blocks{Counts: from}).Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(dst)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [7 8]
}

func ExampleAllToAllVInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		blocks := collectives.Blocks{Counts: []int{1, 1}}
		src, dst := []int{10 * world.Rank(), 10*world.Rank() + 1}, make([]int, 2)
		exchange := collectives.AllToAllVInit(world, dst, src, blocks, blocks)
		if _, err := exchange.Start(); err != nil {
			return err
		}
		_, err := exchange.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(dst)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 11]
}

// Each rank has two rows of a 4×4 matrix, and gets two rows of the transposed one:
// what it sends to a rank are columns, and what comes is put down as rows.
func ExampleAllToAllW() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		r := world.Rank()
		rows := []int{8*r + 0, 8*r + 1, 8*r + 2, 8*r + 3, 8*r + 4, 8*r + 5, 8*r + 6, 8*r + 7}
		turned := make([]int, 8)
		var src, dst []datatype.View[int]
		for other := range 2 {
			var columns []datatype.Block
			for j := 2 * other; j < 2*other+2; j++ {
				columns = append(columns, datatype.Block{Offset: j, Len: 1}, datatype.Block{Offset: j + 4, Len: 1})
			}
			src = append(src, datatype.Indexed(rows, columns...))
			dst = append(dst, datatype.Vector(turned[2*other:], 2, 2, 4))
		}
		err := collectives.AllToAllW(ctx, world, dst, src)
		if r == 1 {
			fmt.Println(turned[:4], turned[4:])
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2 6 10 14] [3 7 11 15]
}

func ExampleIAllToAllW() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		src, dst := []int{10 * world.Rank(), 0, 10*world.Rank() + 1}, make([]int, 2)
		out := []datatype.View[int]{datatype.Vector(src, 1, 1, 1), datatype.Vector(src[2:], 1, 1, 1)}
		in := []datatype.View[int]{datatype.Vector(dst[1:], 1, 1, 1), datatype.Vector(dst, 1, 1, 1)}
		_, err := collectives.IAllToAllW(world, in, out).Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(dst) // the other way round
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [11 1]
}

func ExampleAllToAllWInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		src, dst := []int{10 * world.Rank(), 10*world.Rank() + 1}, make([]int, 2)
		out := []datatype.View[int]{datatype.Vector(src, 1, 1, 1), datatype.Vector(src[1:], 1, 1, 1)}
		in := []datatype.View[int]{datatype.Vector(dst, 1, 1, 1), datatype.Vector(dst[1:], 1, 1, 1)}
		exchange := collectives.AllToAllWInit(world, in, out)
		if _, err := exchange.Start(); err != nil {
			return err
		}
		_, err := exchange.Wait(ctx)
		if world.Rank() == 1 {
			fmt.Println(dst)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 11]
}
