package rank_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/muster-mpi/muster/rank"
)

// Four goroutines fill a message together. Each part leaves as soon as it is
// filled, whatever the others do.
func ExamplePsendInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		const parts = 4
		buf := make([]int, 2*parts)
		if world.Rank() == 1 {
			r := rank.PrecvInit(world, 1, buf, 0, 1)
			if err := r.Start(); err != nil {
				return err
			}
			_, err := r.Wait(ctx)
			fmt.Println(buf)
			return err
		}
		s := rank.PsendInit(world, parts, buf, 1, 1)
		if err := s.Start(); err != nil {
			return err
		}
		var fill sync.WaitGroup
		errs := make([]error, parts)
		for i := range parts {
			fill.Go(func() {
				buf[2*i], buf[2*i+1] = i, i*i
				errs[i] = s.Ready(i)
			})
		}
		fill.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		_, err := s.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 0 1 1 2 4 3 9]
}

// The receiver can cut the message otherwise than the sender: here in two.
func ExamplePrecvInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 6)
		if world.Rank() == 0 {
			s := rank.PsendInit(world, 3, buf, 1, 1)
			if err := s.Start(); err != nil {
				return err
			}
			if err := s.ReadyRange(0, 2); err != nil {
				return err
			}
			_, err := s.Wait(ctx)
			return err
		}
		r := rank.PrecvInit(world, 2, buf, 0, 1)
		if err := r.Start(); err != nil {
			return err
		}
		status, err := r.Wait(ctx)
		fmt.Println(status.Len, err)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 6 <nil>
}

// The Init calls can be made once and the rounds be as many as one likes.
func ExamplePartitionedSend_Start() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 2)
		s, r := rank.PsendInit(world, 2, buf, 1, 1), (*rank.PartitionedRecv)(nil)
		if world.Rank() == 1 {
			s, r = nil, rank.PrecvInit(world, 2, buf, 0, 1)
		}
		for round := range 2 {
			if world.Rank() == 1 {
				if err := r.Start(); err != nil {
					return err
				}
				if _, err := r.Wait(ctx); err != nil {
					return err
				}
				fmt.Println(buf)
				continue
			}
			if err := s.Start(); err != nil {
				return err
			}
			buf[0], buf[1] = round, 10*round
			if err := s.Ready(0, 1); err != nil {
				return err
			}
			if _, err := s.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [0 0]
	// [1 10]
}

// A partition is handed over once in a round.
func ExamplePartitionedSend_Ready() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		s := rank.PsendInit(world, 4, make([]int, 4), rank.Null, 1)
		fmt.Println(errors.Is(s.Ready(0), rank.ErrInactive))
		if err := s.Start(); err != nil {
			return err
		}
		fmt.Println(s.Ready(3, 1))
		fmt.Println(errors.Is(s.Ready(1), rank.ErrArgument))
		if err := s.Ready(0, 2); err != nil {
			return err
		}
		_, err := s.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// <nil>
	// true
}

func ExamplePartitionedSend_ReadyRange() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		s := rank.PsendInit(world, 10, make([]int, 10), rank.Null, 1)
		if err := s.Start(); err != nil {
			return err
		}
		if err := s.ReadyRange(5, 9); err != nil { // 9 is one of them
			return err
		}
		if err := s.ReadyRange(0, 4); err != nil {
			return err
		}
		_, err := s.Wait(ctx)
		fmt.Println(err)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: <nil>
}

// A round is complete when all partitions were handed over and may be written
// again; waiting before would wait for oneself.
func ExamplePartitionedSend_Wait() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		s := rank.PsendInit(world, 2, make([]int, 2), rank.Null, 1)
		if err := s.Start(); err != nil {
			return err
		}
		if err := s.Ready(0); err != nil {
			return err
		}
		_, err := s.Wait(ctx)
		fmt.Println(errors.Is(err, rank.ErrPending))
		if err := s.Ready(1); err != nil {
			return err
		}
		_, err = s.Wait(ctx)
		fmt.Println(err)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// <nil>
}

func ExamplePartitionedSend_Err() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		s := rank.PsendInit(world, 3, make([]int, 10), 0, 1)
		fmt.Println(errors.Unwrap(s.Err()))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: invalid argument: 10 elements in 3 partitions; the count must be from 1 to 2147483647 and divide them
}

// After Free no further round can be started.
func ExamplePartitionedSend_Free() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		s := rank.PsendInit(world, 2, make([]int, 2), rank.Null, 1)
		fmt.Println(s.Free(), errors.Is(s.Start(), rank.ErrRequest))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: <nil> true
}

func ExamplePartitionedRecv_Start() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.PrecvInit(world, 2, make([]int, 2), rank.Null, 1)
		fmt.Println(r.Start(), errors.Is(r.Start(), rank.ErrActive))
		_, err := r.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: <nil> true
}

// The second half of the message is there, and can be worked on while the
// first is still being made.
func ExamplePartitionedRecv_Arrived() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		in := make([]int, 2)
		s, r := rank.PsendInit(world, 2, []int{7, 8}, 0, 1), rank.PrecvInit(world, 2, in, 0, 1)
		if err := errors.Join(s.Start(), r.Start(), s.Ready(1)); err != nil {
			return err
		}
		for {
			there, err := r.Arrived(1)
			if err != nil {
				return err
			}
			if there {
				break
			}
		}
		fmt.Println(in[1])
		first, err := r.Arrived(0)
		fmt.Println(first, err)

		if err := s.Ready(0); err != nil {
			return err
		}
		if _, err := s.Wait(ctx); err != nil {
			return err
		}
		_, err = r.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 8
	// false <nil>
}

// Sender and receiver must mean the same number of bytes.
func ExamplePartitionedRecv_Wait() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		s, r := rank.PsendInit(world, 2, make([]int, 6), 0, 1), rank.PrecvInit(world, 2, make([]int, 4), 0, 1)
		if err := r.Start(); err != nil {
			return err
		}
		_, err := r.Wait(ctx)
		fmt.Println(errors.Is(err, rank.ErrMismatch))
		return s.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

func ExamplePartitionedRecv_Err() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.PrecvInit(world, 1, make([]int, 1), rank.AnySource, 1)
		fmt.Println(errors.Unwrap(r.Err()))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: invalid argument: partitioned receives have no wildcards
}

// A receive that was never started waits for its sender no more.
func ExamplePartitionedRecv_Free() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		r := rank.PrecvInit(world, 1, make([]int, 1), 0, 1)
		fmt.Println(r.Free(), errors.Is(r.Start(), rank.ErrRequest))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: <nil> true
}
