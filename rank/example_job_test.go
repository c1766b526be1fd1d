package rank_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/muster-mpi/muster/rank"
)

// A token goes once round a ring of four ranks, and each adds its number.
func Example() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		const tag = 1
		p := world.Size()
		right, left := (world.Rank()+1)%p, (world.Rank()+p-1)%p
		token := []int{world.Rank()}
		if world.Rank() > 0 {
			if _, err := rank.Recv(ctx, world, left, tag, token); err != nil {
				return err
			}
			token[0] += world.Rank()
		}
		if err := rank.Send(ctx, world, right, tag, token); err != nil {
			return err
		}
		if world.Rank() == 0 {
			_, err := rank.Recv(ctx, world, left, tag, token)
			fmt.Println("the ring adds up to", token[0])
			return err
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: the ring adds up to 6
}

// The whole main of a program for two ranks, which muster run -n 2 starts.
func ExampleRun() {
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		const tag = 1
		if world.Rank() == 0 {
			return rank.Send(ctx, world, 1, tag, []float64{1, 2, 3})
		}
		buf := make([]float64, 3)
		status, err := rank.Recv(ctx, world, 0, tag, buf)
		if err != nil {
			return err
		}
		fmt.Println("got", buf, "from rank", status.Source)
		return nil
	})
}

// A program that wants its main to itself joins and leaves by hand.
func ExampleJoin() {
	ctx := context.Background()
	world, err := rank.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("rank %d of %d on %s\n", world.Rank(), world.Size(), world.Host(world.Rank()))
	if err := world.Leave(ctx); err != nil {
		log.Fatal(err)
	}
}

// Leave comes last, on every rank. A buffered send may still be on its way: it
// is delivered.
func ExampleComm_Leave() {
	ctx := context.Background()
	world, err := rank.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := world.AttachBuffer(1 << 20); err != nil {
		log.Fatal(err)
	}
	if world.Rank() > 0 {
		err = rank.Bsend(ctx, world, 0, 1, []byte("done"))
	} else {
		for range world.Size() - 1 {
			_, _, err = rank.RecvAlloc[byte](ctx, world, rank.AnySource, 1)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := world.Leave(ctx); err != nil {
		log.Fatal(err)
	}
}

// One process, three ranks: what runs here runs under muster run as well.
func ExampleLocal() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() > 0 {
			return rank.Send(ctx, world, 0, 1, []int{world.Rank() * world.Rank()})
		}
		for source := 1; source < world.Size(); source++ {
			square := make([]int, 1)
			if _, err := rank.Recv(ctx, world, source, 1, square); err != nil {
				return err
			}
			fmt.Println(source, square[0])
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 1
	// 2 4
}

// The error of the rank that failed first is Local's; the others, who wait for
// it, are told.
func ExampleLocal_failure() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			return os.ErrNotExist
		}
		_, err := rank.Recv(ctx, world, 1, 1, make([]int, 1))
		fmt.Println("rank 0 aborted:", errors.Is(err, rank.ErrAborted))
		return err
	})
	fmt.Println(err)
	// Output:
	// rank 0 aborted: true
	// rank 1: file does not exist
}

// Rank 1 finds that the job makes no sense. In processes of their own Abort
// ends them all; here it ends the world of Local.
func ExampleComm_Abort() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			world.Abort(3, "no input")
			return nil
		}
		_, err := rank.Recv(ctx, world, 1, 1, make([]int, 1))
		return err
	})
	fmt.Println(err)
	// Output: job aborted with code 3: no input
}

func ExampleComm_Clock() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		began := world.Clock()
		if _, err := rank.SendRecvReplace(ctx, world, 0, 1, 0, 1, make([]float64, 1000)); err != nil {
			return err
		}
		fmt.Println("time has passed:", world.Clock() > began)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: time has passed: true
}

// Ranks of one host can share files and memory; whether they are on one is a
// comparison of SplitType's communicators, or of names.
func ExampleComm_Host() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			fmt.Println(world.Host(0) == world.Host(1), world.Host(2) == "")
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true true
}

// The first messages of 1 KiB go at once and lie at the receiver until it asks;
// a message above EagerBytes waits at the sender.
func ExampleEagerBytes() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 1 {
			// Rank 0 says when it has looked.
			buf := make([]byte, 1025)
			if _, err := rank.Recv(ctx, world, 0, 2, buf[:0]); err != nil {
				return err
			}
			_, err := rank.Recv(ctx, world, 0, 1, buf)
			return err
		}
		r := rank.Isend(world, 1, 1, make([]byte, 1025))
		_, done, err := r.Peek()
		fmt.Println("complete before the receive:", done)
		if err == nil {
			err = rank.Send(ctx, world, 1, 2, []byte{})
		}
		if err == nil {
			_, err = r.Wait(ctx)
		}
		return err
	}, rank.EagerBytes(1024))
	if err != nil {
		fmt.Println(err)
	}
	// Output: complete before the receive: false
}

// A receiver that sleeps through a thousand messages holds no more than it was
// told to: the sender waits, nothing is lost and the order stays.
func ExampleUnexpectedBytes() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		message := make([]int, 128)
		for i := range 1000 {
			if world.Rank() == 0 {
				message[0] = i
				if err := rank.Send(ctx, world, 1, 1, message); err != nil {
					return err
				}
				continue
			}
			if _, err := rank.Recv(ctx, world, 0, 1, message); err != nil {
				return err
			}
			if message[0] != i {
				return fmt.Errorf("message %d came as number %d", message[0], i)
			}
		}
		if world.Rank() == 1 {
			fmt.Println("1000 messages in order")
		}
		return nil
	}, rank.UnexpectedBytes(64<<10))
	if err != nil {
		fmt.Println(err)
	}
	// Output: 1000 messages in order
}

// Rank 1 sees a message and does not receive it. Under muster run the launcher
// reports such things.
func ExampleOnLeftovers() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.Send(ctx, world, 1, 7, []int32{1, 2})
		}
		_, err := rank.Probe(ctx, world, 0, 7)
		return err
	}, rank.OnLeftovers(func(r int, left []rank.Leftover) {
		for _, l := range left {
			fmt.Printf("rank %d: %v\n", r, l)
		}
	}))
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 1: message never received: from 0 to 1, tag 7, 8 bytes, on world
}

func ExampleLeftover_String() {
	l := rank.Leftover{
		Kind: rank.UnmatchedRecv, Op: "Irecv", Comm: "world",
		Source: rank.AnySource, Dest: 2, Tag: 5, Bytes: 80, Count: 3,
	}
	fmt.Println(l)
	// Output: Irecv never matched: from any source to 2, tag 5, 80 bytes, on world (3 times)
}

// The same ranks, linked by gRPC over TCP as processes are with --transport tcp.
func ExampleOver() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		peer := 1 - world.Rank()
		got := make([]int, 1)
		_, err := rank.SendRecv(ctx, world, peer, 0, []int{world.Rank()}, peer, 0, got)
		if world.Rank() == 0 {
			fmt.Println("from rank", got[0])
		}
		return err
	}, rank.Over("tcp"))
	if err != nil {
		fmt.Println(err)
	}
	// Output: from rank 1
}
