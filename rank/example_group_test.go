package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// inWorldOf calls f on rank 0 with the group of a world of n ranks.
func inWorldOf(n int, f func(world *rank.Group) error) {
	err := rank.Local(n, func(_ context.Context, world *rank.Comm) error {
		if world.Rank() != 0 {
			return nil
		}
		return f(world.Group())
	})
	if err != nil {
		fmt.Println(err)
	}
}

// members returns the world ranks of g in order.
func members(g *rank.Group) []int {
	world := make([]int, g.Size())
	for r := range world {
		world[r] = g.World(r)
	}
	return world
}

func ExampleGroup_Size() {
	inWorldOf(5, func(world *rank.Group) error {
		g, err := world.Include(1, 3)
		fmt.Println(world.Size(), g.Size())
		return err
	})
	// Output: 5 2
}

// The calling process is rank 0 of the world.
func ExampleGroup_Rank() {
	inWorldOf(5, func(world *rank.Group) error {
		with, err := world.Include(3, 0)
		if err != nil {
			return err
		}
		without, err := world.Exclude(0)
		fmt.Println(with.Rank(), without.Rank() == rank.Undefined)
		return err
	})
	// Output: 1 true
}

func ExampleGroup_World() {
	inWorldOf(5, func(world *rank.Group) error {
		g, err := world.Include(4, 2)
		fmt.Println(g.World(0), g.World(1), g.World(2) == rank.Undefined)
		return err
	})
	// Output: 4 2 true
}

// The order given is the order of the ranks.
func ExampleGroup_Include() {
	inWorldOf(5, func(world *rank.Group) error {
		g, err := world.Include(4, 0, 2)
		fmt.Println(members(g), err)
		_, err = world.Include(1, 1)
		fmt.Println(err, errors.Is(err, rank.ErrRank))
		return nil
	})
	// Output:
	// [4 0 2] <nil>
	// invalid rank: rank 1 is named twice true
}

func ExampleGroup_Exclude() {
	inWorldOf(5, func(world *rank.Group) error {
		g, err := world.Exclude(0, 3)
		fmt.Println(members(g))
		return err
	})
	// Output: [1 2 4]
}

// Every third rank, and then the others of the first row backwards.
func ExampleGroup_IncludeRanges() {
	inWorldOf(9, func(world *rank.Group) error {
		g, err := world.IncludeRanges(rank.Range{First: 0, Last: 8, Stride: 3}, rank.Range{First: 2, Last: 1, Stride: -1})
		fmt.Println(members(g))
		return err
	})
	// Output: [0 3 6 2 1]
}

func ExampleGroup_ExcludeRanges() {
	inWorldOf(9, func(world *rank.Group) error {
		g, err := world.ExcludeRanges(rank.Range{First: 1, Last: 7, Stride: 2})
		fmt.Println(members(g))
		return err
	})
	// Output: [0 2 4 6 8]
}

func ExampleGroup_Union() {
	inWorldOf(5, func(world *rank.Group) error {
		a, errA := world.Include(3, 1)
		b, errB := world.Include(0, 1, 2)
		fmt.Println(members(a.Union(b)))
		return errors.Join(errA, errB)
	})
	// Output: [3 1 0 2]
}

func ExampleGroup_Intersection() {
	inWorldOf(5, func(world *rank.Group) error {
		a, errA := world.Include(3, 1, 0)
		b, errB := world.Include(0, 1, 2)
		fmt.Println(members(a.Intersection(b)))
		return errors.Join(errA, errB)
	})
	// Output: [1 0]
}

func ExampleGroup_Difference() {
	inWorldOf(5, func(world *rank.Group) error {
		a, errA := world.Include(3, 1, 0)
		b, errB := world.Include(0, 4)
		fmt.Println(members(a.Difference(b)))
		return errors.Join(errA, errB)
	})
	// Output: [3 1]
}

// Whom a communicator of the even ranks calls 1 and 2, the world calls 2 and 4.
func ExampleGroup_Translate() {
	inWorldOf(6, func(world *rank.Group) error {
		even, err := world.Include(0, 2, 4)
		if err != nil {
			return err
		}
		there, err := even.Translate(world, 1, 2)
		if err != nil {
			return err
		}
		back, err := world.Translate(even, 4, 5)
		fmt.Println(there, back[0], back[1] == rank.Undefined)
		return err
	})
	// Output: [2 4] 2 true
}

func ExampleGroup_Compare() {
	inWorldOf(3, func(world *rank.Group) error {
		turned, err := world.Include(1, 2, 0)
		if err != nil {
			return err
		}
		part, err := world.Include(1, 2)
		fmt.Println(world.Compare(world), world.Compare(turned), world.Compare(part))
		return err
	})
	// Output: identical similar unequal
}
