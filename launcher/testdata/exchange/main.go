// Exchange is what tests of several hosts run: rounds in which every rank sends to
// every other and all reduce what came. Rank 0 prints a number that depends on every
// bit that was sent. With -stdin it goes on until rank 0's input ends, and says how many
// rounds there were.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

func main() {
	rounds := flag.Int("rounds", 10, "rounds")
	n := flag.Int("n", 1000, "numbers from each rank to each other in a round")
	pause := flag.Duration("pause", 0, "between two rounds")
	unmet := flag.Int("unmet", 0, "instead of all that, rank 1 waits for a message of this rank, -1 for anybody's, that nobody sends")
	first := flag.Duration("first", 0, "pause before all rounds")
	last := flag.Duration("last", 0, "pause after all rounds")
	spin := flag.Duration("spin", 0, "computing without a call in each round")
	ballast := flag.Int("ballast", 0, "bytes held in pieces, which are replaced all the time")
	floodBytes := flag.Int("flood", 0, "instead of all that, bytes that each rank sends to rank 0, which sleeps first")
	input := flag.Bool("stdin", false, "until the input ends")
	canary := flag.String("canary", "", "text that is sent in each round as well")
	flag.Parse()
	over := make(chan struct{})
	if *input {
		*rounds = math.MaxInt
		go func() {
			io.Copy(io.Discard, os.Stdin) // others' is empty
			close(over)
		}()
	}
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		if *floodBytes > 0 {
			return flood(ctx, world, *floodBytes, *pause)
		}
		if *unmet != 0 {
			if world.Rank() != 1 {
				return nil
			}
			from := *unmet
			if from < 0 {
				from = rank.AnySource
			}
			_, err := rank.Recv(ctx, world, from, 5, make([]float64, 3))
			return err
		}
		litter(*ballast)
		time.Sleep(*first)
		p := world.Size()
		send, recv := make([]float64, p**n), make([]float64, p**n)
		state := make([]float64, *n)
		for i := range state {
			state[i] = math.Sin(float64(i + world.Rank()))
		}
		for round := range *rounds {
			for begin := time.Now(); time.Since(begin) < *spin; {
			}
			for i := range send {
				send[i] = state[i%*n] + float64(round)/float64(1+i)
			}
			if _, err := collectives.AllToAll(ctx, world, recv, send); err != nil {
				return err
			}
			for i := range state {
				state[i] = 0
				for r := range p {
					state[i] += math.Cos(recv[r**n+i])
				}
			}
			if err := collectives.AllReduce(ctx, world, state, collectives.Sum); err != nil {
				return err
			}
			if round == 0 && world.Rank() == 0 {
				fmt.Println("exchanging on", p, "ranks") // all have links to all
			}
			if *canary != "" {
				if err := collectives.Bcast(ctx, world, 0, []byte(*canary)); err != nil {
					return err
				}
			}
			if *input {
				done := []int{0}
				select {
				case <-over:
					done[0] = 1
				default:
				}
				if err := collectives.Bcast(ctx, world, 0, done); err != nil {
					return err
				}
				if done[0] == 1 {
					if world.Rank() == 0 {
						fmt.Println("after", round+1, "rounds")
					}
					break
				}
			}
			time.Sleep(*pause)
		}
		time.Sleep(*last)
		if world.Rank() == 0 {
			sum := uint64(0)
			for _, x := range state {
				sum = sum*1099511628211 ^ math.Float64bits(x)
			}
			fmt.Printf("result %016x\n", sum)
		}
		return nil
	})
}

// litter makes garbage in the background.
func litter(bytes int) {
	pieces := make([][]byte, bytes/1000)
	if len(pieces) == 0 {
		return
	}
	go func() {
		for i := 0; ; i++ {
			pieces[i%len(pieces)] = make([]byte, 1000)
		}
	}()
}

// flood has all ranks send to rank 0, which takes nothing for a while.
func flood(ctx context.Context, world *rank.Comm, bytes int, pause time.Duration) error {
	data := make([]byte, bytes)
	if world.Rank() > 0 {
		data[bytes-1] = byte(world.Rank())
		return rank.Send(ctx, world, 0, 0, data)
	}
	time.Sleep(pause)
	for from := world.Size() - 1; from > 0; from-- {
		if _, err := rank.Recv(ctx, world, from, 0, data); err != nil {
			return err
		}
		if data[bytes-1] != byte(from) {
			return fmt.Errorf("rank %d sent %d", from, data[bytes-1])
		}
	}
	fmt.Println("took", world.Size()-1, "messages")
	return nil
}
