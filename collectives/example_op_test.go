package collectives_test

import (
	"context"
	"fmt"
	"math/cmplx"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// The greatest common divisor of all ranks' numbers.
func ExampleEach() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		gcd := collectives.Each("gcd", true, func(a, b int) int {
			for b != 0 {
				a, b = b, a%b
			}
			return a
		})
		v := []int{12 * (world.Rank() + 1)}
		err := collectives.AllReduce(ctx, world, v, gcd)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [12]
}

// An operation that does not commute gets its operands in the order of the ranks,
// whatever the root.
func ExampleEach_order() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		type word struct {
			n       int
			letters [8]byte
		}
		join := collectives.Each("join", false, func(a, b word) word {
			a.n += copy(a.letters[a.n:], b.letters[:b.n])
			return a
		})
		w := []word{{1, [8]byte{"muon"[world.Rank()]}}}
		err := collectives.Reduce(ctx, world, 2, w, join)
		if world.Rank() == 2 {
			fmt.Printf("%s\n", w[0].letters[:w[0].n])
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: muon
}

// A function on slices is called on pieces of the vector, which saves a call for
// each element.
func ExampleSlices() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		longest := collectives.Slices("longest", true, func(dst, a, b []complex128) {
			for i := range dst {
				if dst[i] = a[i]; cmplx.Abs(b[i]) > cmplx.Abs(a[i]) {
					dst[i] = b[i]
				}
			}
		})
		v := []complex128{complex(0, float64(world.Rank()))}
		err := collectives.AllReduce(ctx, world, v, longest)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [(0+2i)]
}

// Who has the least, and how little that is.
func ExampleMinLoc() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		load := []float64{7, 3, 5, 3}[world.Rank()]
		v := []collectives.Located[float64]{{Value: load, Index: int64(world.Rank())}}
		err := collectives.AllReduce(ctx, world, v, collectives.MinLoc)
		if world.Rank() == 0 {
			fmt.Println("rank", v[0].Index, "with", v[0].Value)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 1 with 3
}

func ExampleMaxLoc() {
	err := rank.Local(4, func(ctx context.Context, world *rank.Comm) error {
		v := []collectives.Located[int]{{Value: 10 * world.Rank(), Index: int64(world.Rank())}}
		err := collectives.AllReduce(ctx, world, v, collectives.MaxLoc)
		if world.Rank() == 0 {
			fmt.Println("rank", v[0].Index, "with", v[0].Value)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: rank 3 with 30
}

func ExampleSum() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{1, 2, 3}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.Sum)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleProduct() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{2, 3, 4}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.Product)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [24]
}

func ExampleMin() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{2, 1, 3}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.Min)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1]
}

func ExampleMax() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{2, 3, 1}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.Max)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [3]
}

// Have all converged?
func ExampleAnd() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{1, 0, 1}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.And)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0]
}

// Has anyone found it?
func ExampleOr() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{0, 7, 0}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.Or)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1]
}

func ExampleXor() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []int{[]int{1, 2, 3}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.Xor)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [1]
}

func ExampleBitAnd() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []uint8{[]uint8{0b1110, 0b0111, 0b1111}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.BitAnd)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [6]
}

func ExampleBitOr() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []uint8{[]uint8{0b1000, 0b0010, 0}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.BitOr)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [10]
}

func ExampleBitXor() {
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		v := []uint8{[]uint8{0b1100, 0b0110, 0}[world.Rank()]}
		err := collectives.AllReduce(ctx, world, v, collectives.BitXor)
		if world.Rank() == 0 {
			fmt.Println(v)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [10]
}
