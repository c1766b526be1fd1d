package collectives_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

func ExampleBcastObject() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		var config map[string]string
		if world.Rank() == 0 {
			config = map[string]string{"solver": "cg"}
		}
		config, err := collectives.BcastObject(ctx, world, 0, config)
		if world.Rank() == 2 {
			fmt.Println(config)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: map[solver:cg]
}

func ExampleGatherObject() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		names, err := collectives.GatherObject(ctx, world, 0, []string{"ada", "grace", "barbara"}[world.Rank()])
		if world.Rank() == 0 {
			fmt.Println(names)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [ada grace barbara]
}

func ExampleAllGatherObject() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		hosts, err := collectives.AllGatherObject(ctx, world, fmt.Sprint("node", world.Rank()))
		if world.Rank() == 1 {
			fmt.Println(hosts)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [node0 node1]
}

func ExampleScatterObject() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		tasks := []string{"read", "write"}
		task, err := collectives.ScatterObject(ctx, world, 0, tasks)
		if world.Rank() == 1 {
			fmt.Println(task)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: write
}

// The words that the ranks have counted, together.
func ExampleReduceObject() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		counts := []map[string]int{{"to": 2, "be": 2}, {"or": 1}, {"to": 1}}[world.Rank()]
		add := func(a, b map[string]int) map[string]int {
			for word, n := range b {
				a[word] += n
			}
			return a
		}
		counts, err := collectives.ReduceObject(ctx, world, 0, counts, add)
		if world.Rank() == 0 {
			fmt.Println(counts)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: map[be:2 or:1 to:3]
}

func ExampleAllReduceObject() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		longer := func(a, b string) string {
			if len(b) > len(a) {
				return b
			}
			return a
		}
		word, err := collectives.AllReduceObject(ctx, world, []string{"rank", "communicator", "tag"}[world.Rank()], longer)
		if world.Rank() == 0 {
			fmt.Println(word)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: communicator
}
