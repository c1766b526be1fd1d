package rank_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// A buffer may be longer than the message; the status says how much is there.
func ExampleRecv() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			return rank.Send(ctx, world, 0, 7, []int{1, 2})
		}
		buf := make([]int, 10)
		status, err := rank.Recv(ctx, world, rank.AnySource, rank.AnyTag, buf)
		fmt.Println(buf[:status.Len], "from", status.Source, "tag", status.Tag)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2] from 1 tag 7
}

// Messages of one sender that both match arrive in the order they were sent; a
// receive that names a tag passes over those of other tags.
func ExampleRecv_order() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		for _, m := range []struct {
			tag rank.Tag
			n   int
		}{{1, 10}, {2, 20}, {1, 11}} {
			if err := rank.Send(ctx, world, 0, m.tag, []int{m.n}); err != nil {
				return err
			}
		}
		for _, tag := range []rank.Tag{2, 1, rank.AnyTag} {
			buf := make([]int, 1)
			if _, err := rank.Recv(ctx, world, 0, tag, buf); err != nil {
				return err
			}
			fmt.Print(buf[0], " ")
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 20 10 11
}

// A context bounds the wait. What has not matched by then is withdrawn, and the
// buffer is the caller's again.
func ExampleRecv_timeout() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err := rank.Recv(ctx, world, 0, 1, make([]int, 1))
		fmt.Println(errors.Is(err, rank.ErrCancelled), errors.Is(err, context.DeadlineExceeded))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true true
}

// A message that is too long is an error of its receiver only. What fits is in
// the buffer, the rest is gone, and the next message is not touched.
func ExampleRecv_truncated() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.Send(ctx, world, 0, 1, []int{1, 2, 3}); err != nil {
			return err
		}
		buf := make([]int, 2)
		status, err := rank.Recv(ctx, world, 0, 1, buf)
		fmt.Println(buf, status.Len, errors.Is(err, rank.ErrTruncated))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2] 2 true
}

// Receives that are posted before the work overlap with it.
func ExampleIrecv() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() > 0 {
			return rank.Send(ctx, world, 0, 1, []int{10 * world.Rank()})
		}
		in := make([]int, world.Size())
		var rs []rank.Request
		for source := 1; source < world.Size(); source++ {
			rs = append(rs, rank.Irecv(world, source, 1, in[source:source+1]))
		}
		in[0] = -1 // in[1:] belongs to the receives
		err := rank.WaitAll(ctx, rs...)
		fmt.Println(in)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [-1 10 20]
}

// What is wrong with the arguments comes out of Wait.
func ExampleIrecv_error() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		r := rank.Irecv(world, 2, 1, make([]int, 1))
		_, err := r.Wait(ctx)
		if world.Rank() == 0 {
			fmt.Println(errors.Unwrap(err), errors.Is(err, rank.ErrRank))
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: invalid rank: source 2, legal are 0 to 1, AnySource and Null true
}

// The receiver need not know the length, and no other goroutine can come
// between asking for it and receiving.
func ExampleRecvAlloc() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			return rank.Send(ctx, world, 0, 1, []rune("as long as it gets"))
		}
		text, status, err := rank.RecvAlloc[rune](ctx, world, rank.AnySource, 1)
		fmt.Printf("%s: %d elements\n", string(text), status.Len)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: as long as it gets: 18 elements
}

// A probe does not know the type of the elements, so it counts bytes.
func ExampleCount() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.Send(ctx, world, 0, 1, make([]float64, 3)); err != nil {
			return err
		}
		m, err := rank.Mprobe(ctx, world, 0, 1)
		if err != nil {
			return err
		}
		n, whole := rank.Count[float64](m.Status())
		fmt.Println(n, whole)
		_, whole = rank.Count[[5]int](m.Status())
		fmt.Println(whole)
		_, err = rank.Mrecv(ctx, m, make([]float64, n))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 3 true
	// false
}
