package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

func ExampleComm_Rank() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == world.Size()-1 {
			fmt.Println("the last is rank", world.Rank())
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: the last is rank 2
}

// A block distribution: rank r has the elements from r·n/p to (r+1)·n/p.
func ExampleComm_Size() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		const n = 10
		r, p := world.Rank(), world.Size()
		if r == 1 {
			fmt.Println("elements", r*n/p, "to", (r+1)*n/p-1)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: elements 2 to 4
}

func ExampleComm_Group() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 2 {
			g := world.Group()
			fmt.Println(g.Rank(), "of", g.Size())
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 2 of 3
}

// Names appear in errors and in the launcher's reports.
func ExampleComm_SetName() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		rows, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		fmt.Println(rows.Name())
		rows.SetName("rows")
		fmt.Println(rows.Name())
		return rows.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// world/dup1
	// rows
}

func ExampleComm_Name() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		fmt.Println(world.Name(), world.Self().Name())
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: world self
}

func ExampleComm_String() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			fmt.Println(world)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: world (rank 1 of 3)
}

// Every rank has a Self, where it is rank 0 of 1.
func ExampleComm_Self() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 2 {
			self := world.Self()
			fmt.Println(self.Rank(), "of", self.Size(), "is", self.Group().World(0), "of the world")
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 0 of 1 is 2 of the world
}

// A library can talk behind its user's back: not even a receive of everything
// sees what it sends.
func ExampleComm_Twin() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		anything := make([]int, 1)
		r := rank.Irecv(world, rank.AnySource, rank.AnyTag, anything)

		library := world.Twin()
		if err := rank.Send(ctx, library, 0, 1, []int{1}); err != nil {
			return err
		}
		if err := rank.Send(ctx, world, 0, 1, []int{2}); err != nil {
			return err
		}
		_, err := r.Wait(ctx)
		fmt.Println(anything)
		if err != nil {
			return err
		}
		_, err = rank.Recv(ctx, library, 0, 1, anything)
		fmt.Println(anything)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [2]
	// [1]
}

// Under AbortOnError a program need not look at errors that it cannot mend.
func ExampleComm_SetErrorPolicy() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		world.SetErrorPolicy(rank.AbortOnError)
		if world.Rank() == 1 {
			rank.Send(ctx, world, 7, 1, []int{42}) // there is no rank 7
		}
		rank.Recv(ctx, world, rank.AnySource, 1, make([]int, 1))
		return nil
	})
	fmt.Println(errors.Is(err, rank.ErrAborted))
	// Output: true
}

// Communicators begin with the policy of the one they were made from.
func ExampleComm_ErrorPolicy() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		fmt.Println(world.ErrorPolicy() == rank.ReturnErrors)
		world.SetErrorPolicy(rank.AbortOnError)
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		fmt.Println(d.ErrorPolicy() == rank.AbortOnError)
		return d.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// true
}

func ExampleComm_Compare() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		same, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		reversed, err := world.Split(ctx, 0, -world.Rank())
		if err != nil {
			return err
		}
		if world.Rank() == 0 {
			for _, d := range []*rank.Comm{world, same, reversed, world.Self()} {
				fmt.Println(world.Compare(d))
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// identical
	// congruent
	// similar
	// unequal
}

func ExampleComparison_String() {
	fmt.Println(rank.Identical, rank.Congruent, rank.Similar, rank.Unequal)
	// Output: identical congruent similar unequal
}

// After Free the communicator is of no use, but what was begun on it ends well.
func ExampleComm_Free() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		buf := make([]int, 1)
		r, s := rank.Irecv(d, 0, 1, buf), rank.Issend(d, 0, 1, []int{42})
		if err := d.Free(); err != nil {
			return err
		}
		err = rank.WaitAll(ctx, r, s)
		fmt.Println(buf, err)
		fmt.Println(errors.Is(rank.Send(ctx, d, 0, 1, buf), rank.ErrFreed))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [42] <nil>
	// true
}

// After Disconnect nothing that was begun on the communicator goes on.
func ExampleComm_Disconnect() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		if d.Rank() == 0 {
			r := rank.Isend(d, 1, 1, make([]byte, 1<<20))
			if err := d.Disconnect(ctx); err != nil {
				return err
			}
			_, done, err := r.Test()
			fmt.Println("sent:", done)
			return err
		}
		if _, _, err := rank.RecvAlloc[byte](ctx, d, 0, 1); err != nil {
			return err
		}
		return d.Disconnect(ctx)
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: sent: true
}

func ExampleComm_IsInter() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		x, err := facing(ctx, world)
		if err == nil && world.Rank() == 0 {
			fmt.Println(world.IsInter(), x.IsInter())
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: false true
}

// Workers and a server: each side calls the other's ranks by their own numbers.
func ExampleCreateInter() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		server := world.Rank() == 0
		color, remoteLeader := 1, 0
		if server {
			color, remoteLeader = 0, 1
		}
		local, err := world.Split(ctx, color, 0)
		if err != nil {
			return err
		}
		x, err := rank.CreateInter(ctx, local, 0, world, remoteLeader, 1)
		if err != nil {
			return err
		}
		if !server {
			return rank.Send(ctx, x, 0, 1, []int{x.Rank() * 10})
		}
		for worker := range x.RemoteSize() {
			buf := make([]int, 1)
			if _, err := rank.Recv(ctx, x, worker, 1, buf); err != nil {
				return err
			}
			fmt.Println("worker", worker, "sent", buf[0])
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// worker 0 sent 0
	// worker 1 sent 10
}

// facing makes an intercommunicator of rank 0 and the others.
func facing(ctx context.Context, world *rank.Comm) (*rank.Comm, error) {
	local, err := world.Split(ctx, min(world.Rank(), 1), 0)
	if err != nil {
		return nil, err
	}
	return rank.CreateInter(ctx, local, 0, world, 1-min(world.Rank(), 1), 1)
}

func ExampleComm_Merge() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		x, err := facing(ctx, world)
		if err != nil {
			return err
		}
		m, err := x.Merge(ctx, world.Rank() == 0) // rank 0 comes last
		if err != nil {
			return err
		}
		if m.Rank() == 0 {
			fmt.Println(m.Group())
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1 2 0]
}

func ExampleComm_RemoteSize() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		x, err := facing(ctx, world)
		if err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println(x.Size(), "faces", x.RemoteSize())
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 1 faces 2
}

func ExampleComm_RemoteGroup() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		x, err := facing(ctx, world)
		if err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println(x.Group(), "faces", x.RemoteGroup())
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0] faces [1 2]
}

// The ranks of one side talk among themselves.
func ExampleComm_Local() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		x, err := facing(ctx, world)
		if err != nil {
			return err
		}
		switch beside := x.Local(); world.Rank() {
		case 1:
			return rank.Send(ctx, beside, 1, 1, []int{42})
		case 2:
			buf := make([]int, 1)
			st, err := rank.Recv(ctx, beside, rank.AnySource, 1, buf)
			fmt.Println(buf, "from", st.Source, "of", beside.Size())
			return err
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [42] from 0 of 2
}
