package rank_test

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// A library keeps what it knows of a communicator with it. Duplicates get a copy
// of their own, and what is left goes with the communicator.
func ExampleNewKey() {
	type cache struct{ plans int }
	key := rank.NewKey(rank.KeyHooks[*cache]{
		Copy: func(_, _ *rank.Comm, v *cache) (*cache, bool, error) {
			return &cache{v.plans}, true, nil
		},
		Delete: func(c *rank.Comm, v *cache) error {
			fmt.Println(c.Name(), "lets go of", v.plans)
			return nil
		},
	})
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := key.Set(world, &cache{plans: 1}); err != nil {
			return err
		}
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		v, _ := key.Get(d)
		v.plans++
		return d.Free()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// world/dup1 lets go of 2
	// world lets go of 1
}

func ExampleKey_Get() {
	key := new(rank.Key[string])
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		color, ok := key.Get(world)
		fmt.Printf("%q %v\n", color, ok)
		if err := key.Set(world, "red"); err != nil {
			return err
		}
		color, ok = key.Get(world)
		fmt.Printf("%q %v\n", color, ok)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// "" false
	// "red" true
}

// What is set on Self is told when the rank leaves, before anything else ends.
func ExampleKey_Set() {
	atExit := rank.NewKey(rank.KeyHooks[string]{
		Delete: func(_ *rank.Comm, word string) error {
			fmt.Println(word)
			return nil
		},
	})
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := atExit.Set(world.Self(), "goodbye"); err != nil {
			return err
		}
		fmt.Println("at work")
		return world.Leave(ctx)
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// at work
	// goodbye
}

func ExampleKey_Delete() {
	key := new(rank.Key[int])
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := key.Set(world, 42); err != nil {
			return err
		}
		if err := key.Delete(world); err != nil {
			return err
		}
		_, ok := key.Get(world)
		fmt.Println(ok)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: false
}
