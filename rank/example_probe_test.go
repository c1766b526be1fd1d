package rank_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// Where one goroutine receives, Probe and Recv of what it told are a pair.
func ExampleProbe() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			return rank.Send(ctx, world, 0, 3, []int{1, 2, 3})
		}
		status, err := rank.Probe(ctx, world, rank.AnySource, rank.AnyTag)
		if err != nil {
			return err
		}
		n, _ := rank.Count[int](status)
		buf := make([]int, n)
		_, err = rank.Recv(ctx, world, status.Source, status.Tag, buf)
		fmt.Println(buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 3]
}

func ExampleIprobe() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		_, found, err := rank.Iprobe(world, rank.AnySource, 1)
		fmt.Println(found, err)

		buf := make([]int, 1)
		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		for !found && err == nil { // a program has something better to do here
			_, found, err = rank.Iprobe(world, rank.AnySource, 1)
		}
		if err != nil {
			return err
		}
		_, err = rank.Recv(ctx, world, rank.AnySource, 1, buf)
		fmt.Println(buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// false <nil>
	// [42]
}

// Several goroutines can probe for the same messages: what Mprobe took is
// nobody else's.
func ExampleMprobe() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			for n := range 4 {
				if err := rank.Send(ctx, world, 0, 1, make([]byte, n)); err != nil {
					return err
				}
			}
			return nil
		}
		lengths, errs := make(chan int, 4), make(chan error, 4)
		for range 4 {
			go func() {
				m, err := rank.Mprobe(ctx, world, rank.AnySource, 1)
				if err == nil {
					buf := make([]byte, m.Status().Bytes)
					_, err = rank.Mrecv(ctx, m, buf)
					lengths <- len(buf)
				}
				errs <- err
			}()
		}
		sum := 0
		for range 4 {
			if err := <-errs; err != nil {
				return err
			}
			sum += <-lengths
		}
		fmt.Println("0 + 1 + 2 + 3 =", sum)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 0 + 1 + 2 + 3 = 6
}

func ExampleImprobe() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		m, err := rank.Improbe(world, 0, 1)
		fmt.Println(m == nil, err)

		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		for m == nil && err == nil {
			m, err = rank.Improbe(world, 0, 1)
		}
		if err != nil {
			return err
		}
		buf := make([]int, 1)
		_, err = rank.Mrecv(ctx, m, buf)
		fmt.Println(buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true <nil>
	// [42]
}

func ExampleMessage_Status() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.Send(ctx, world, 0, 9, make([]float32, 3)); err != nil {
			return err
		}
		m, err := rank.Mprobe(ctx, world, rank.AnySource, rank.AnyTag)
		if err != nil {
			return err
		}
		s := m.Status()
		fmt.Println(s.Source, s.Tag, s.Bytes)
		_, err = rank.Mrecv(ctx, m, make([]float32, 3))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 0 9 12
}

// The length decides where the message goes.
func ExampleMrecv() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.Send(ctx, world, 0, 1, []int{4, 5}); err != nil {
			return err
		}
		m, err := rank.Mprobe(ctx, world, 0, 1)
		if err != nil {
			return err
		}
		n, _ := rank.Count[int](m.Status())
		all := []int{1, 2, 3}
		all = append(all, make([]int, n)...)
		status, err := rank.Mrecv(ctx, m, all[3:])
		fmt.Println(all, status.Len)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 3 4 5] 2
}

func ExampleImrecv() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		sent := rank.Isend(world, 0, 1, make([]int, 1<<20))
		m, err := rank.Mprobe(ctx, world, 0, 1)
		if err != nil {
			return err
		}
		buf := make([]int, m.Status().Bytes/8)
		err = rank.WaitAll(ctx, sent, rank.Imrecv(m, buf))
		fmt.Println(len(buf))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 1048576
}

// A column is received where it lies.
func ExampleMrecvView() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.Send(ctx, world, 0, 1, []int{7, 8}); err != nil {
			return err
		}
		m, err := rank.Mprobe(ctx, world, 0, 1)
		if err != nil {
			return err
		}
		matrix := []int{0, 1, 2, 3} // 2×2
		_, err = rank.MrecvView(ctx, m, datatype.Vector(matrix, 2, 1, 2))
		fmt.Println(matrix)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [7 1 8 3]
}

func ExampleMrecvAlloc() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.Send(ctx, world, 0, 1, []int{4, 5}); err != nil {
			return err
		}
		m, err := rank.Mprobe(ctx, world, rank.AnySource, rank.AnyTag)
		if err != nil {
			return err
		}
		got, _, err := rank.MrecvAlloc[int](ctx, m)
		fmt.Println(got)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [4 5]
}

// The tag says what the object is.
func ExampleMrecvObject() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.SendObject(ctx, world, 0, 2, map[string]int{"a": 1}); err != nil {
			return err
		}
		m, err := rank.Mprobe(ctx, world, 0, rank.AnyTag)
		if err != nil {
			return err
		}
		if m.Status().Tag == 2 {
			counts, _, err := rank.MrecvObject[map[string]int](ctx, m)
			fmt.Println(counts)
			return err
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: map[a:1]
}
