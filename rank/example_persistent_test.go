package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// The arguments are given once, and each round sends what the buffer holds when
// it starts.
func ExampleSendInit() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		var p *rank.Persistent
		if world.Rank() == 0 {
			p = rank.SendInit(world, 1, 1, buf)
		} else {
			p = rank.RecvInit(world, 0, 1, buf)
		}
		for round := range 3 {
			if world.Rank() == 0 {
				buf[0] = round * round
			}
			if _, err := p.Start(); err != nil {
				return err
			}
			if _, err := p.Wait(ctx); err != nil {
				return err
			}
			if world.Rank() == 1 {
				fmt.Print(buf[0], " ")
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 0 1 4
}

// A persistent receive takes messages of plain sends too.
func ExampleRecvInit() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		p := rank.RecvInit(world, 0, 1, buf)
		if _, err := p.Start(); err != nil {
			return err
		}
		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		status, err := p.Wait(ctx)
		fmt.Println(buf, status.Len)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42] 1
}

func ExampleSsendInit() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		p := rank.SsendInit(world, 0, 1, []int{42})
		if _, err := p.Start(); err != nil {
			return err
		}
		_, before, err := p.Test()
		if err != nil {
			return err
		}
		if _, err := rank.Recv(ctx, world, 0, 1, make([]int, 1)); err != nil {
			return err
		}
		_, err = p.Wait(ctx)
		fmt.Println("complete before the receive:", before)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: complete before the receive: false
}

// The receive is started first, in the order of the list.
func ExampleRsendInit() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		buf := make([]int, 1)
		rs, err := rank.StartAll(rank.RecvInit(world, 0, 1, buf), rank.RsendInit(world, 0, 1, []int{42}))
		if err != nil {
			return err
		}
		err = rank.WaitAll(ctx, rs...)
		fmt.Println(buf)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42]
}

// A round of a persistent Bsend is complete as soon as it has started.
func ExampleBsendInit() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := world.AttachBuffer(1 << 10); err != nil {
			return err
		}
		p := rank.BsendInit(world, 0, 1, []int{42})
		if _, err := p.Start(); err != nil {
			return err
		}
		_, done, err := p.Test()
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

// The halo exchange of every step is one StartAll and one WaitAll.
func ExampleStartAll() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		other := 1 - world.Rank()
		mine, halo := []int{100 * world.Rank()}, make([]int, 1)
		exchange := []*rank.Persistent{
			rank.RecvInit(world, other, 1, halo),
			rank.SendInit(world, other, 1, mine),
		}
		for range 3 {
			rs, err := rank.StartAll(exchange...)
			if err != nil {
				return err
			}
			if err := rank.WaitAll(ctx, rs...); err != nil {
				return err
			}
			mine[0]++
		}
		if world.Rank() == 0 {
			fmt.Println(halo)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [102]
}

// A round must be waited for before the next starts.
func ExamplePersistent_Start() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		p := rank.RecvInit(world, 0, 1, make([]int, 1))
		if _, err := p.Start(); err != nil {
			return err
		}
		_, err := p.Start()
		fmt.Println(errors.Is(err, rank.ErrActive))
		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		_, err = p.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}

// A Persistent that is not active is complete, with the empty status.
func ExamplePersistent_Wait() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		p := rank.RecvInit(world, 0, 1, make([]int, 1))
		status, err := p.Wait(ctx)
		fmt.Println(status.Source == rank.AnySource, status.Len, err)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true 0 <nil>
}

func ExamplePersistent_Test() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		p := rank.RecvInit(world, 0, 1, make([]int, 1))
		if _, err := p.Start(); err != nil {
			return err
		}
		_, done, err := p.Test()
		fmt.Println(done, err)
		if err := rank.Send(ctx, world, 0, 1, []int{42}); err != nil {
			return err
		}
		status, done, err := p.Test()
		fmt.Println(status.Len, done, err)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// false <nil>
	// 1 true <nil>
}

func ExamplePersistent_Active() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		p := rank.SendInit(world, rank.Null, 1, []int{42})
		fmt.Print(p.Active(), " ")
		if _, err := p.Start(); err != nil {
			return err
		}
		fmt.Print(p.Active(), " ")
		_, err := p.Wait(ctx)
		fmt.Println(p.Active())
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: false true false
}

func ExamplePersistent_Err() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		p := rank.SendInit(world, 0, -1, []int{42})
		fmt.Println(errors.Is(p.Err(), rank.ErrTag))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true
}
