package rank_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/muster-mpi/muster/rank"
)

// Strings, maps and pointers travel as objects.
func ExampleSendObject() {
	type Task struct {
		Name   string
		Params map[string]float64
	}
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.SendObject(ctx, world, 1, 1, Task{"relax", map[string]float64{"omega": 1.5}})
		}
		task, _, err := rank.RecvObject[Task](ctx, world, 0, 1)
		fmt.Println(task.Name, task.Params["omega"])
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: relax 1.5
}

// A protocol buffer message travels as such without being asked to.
func ExampleRecvObject() {
	err := rank.Local(2, func(ctx context.Context, world *rank.Comm) error {
		if world.Rank() == 0 {
			return rank.SendObject(ctx, world, 1, 1, wrapperspb.String("hello"))
		}
		m, status, err := rank.RecvObject[*wrapperspb.StringValue](ctx, world, rank.AnySource, 1)
		fmt.Println(m.GetValue(), "in", status.Bytes, "bytes")
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: hello in 7 bytes
}

// The value is encoded at once, so that it can be changed while the message is
// on its way.
func ExampleIsendObject() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		words := []string{"to", "be"}
		r := rank.IsendObject(world, 0, 1, words)
		words[1] = "do"
		got, _, err := rank.RecvObject[[]string](ctx, world, 0, 1)
		if err != nil {
			return err
		}
		fmt.Println(got)
		_, err = r.Wait(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [to be]
}

// Sender and receiver must name the same codec.
func ExampleCodec() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.SendObject(ctx, world, 0, 1, []int{1, 2}, rank.JSON); err != nil {
			return err
		}
		got, status, err := rank.RecvObject[[]int](ctx, world, 0, 1, rank.JSON)
		fmt.Println(got, status.Bytes, err)

		if err := rank.SendObject(ctx, world, 0, 1, []int{1, 2}, rank.JSON); err != nil {
			return err
		}
		_, _, err = rank.RecvObject[[]int](ctx, world, 0, 1, rank.Gob)
		fmt.Println(errors.Is(err, rank.ErrType))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [1 2] 5 <nil>
	// true
}

// A codec of one's own is two functions and a name.
func ExampleCodec_own() {
	varint := rank.Codec{
		Name:    "varint",
		Marshal: func(v any) ([]byte, error) { return binary.AppendUvarint(nil, *v.(*uint64)), nil },
		Unmarshal: func(b []byte, v any) error {
			x, n := binary.Uvarint(b)
			if n != len(b) {
				return fmt.Errorf("varint: %d bytes, used %d", len(b), n)
			}
			*v.(*uint64) = x
			return nil
		},
	}
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		if err := rank.SendObject(ctx, world, 0, 1, uint64(300), varint); err != nil {
			return err
		}
		x, status, err := rank.RecvObject[uint64](ctx, world, 0, 1, varint)
		fmt.Println(x, "in", status.Bytes, "bytes")
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 300 in 2 bytes
}

// Protocol buffer messages go as such, whatever else as gob.
func ExampleCodecFor() {
	message, _ := rank.CodecFor[*wrapperspb.StringValue]()
	other, _ := rank.CodecFor[map[string]int]()
	_, err := rank.CodecFor[error]()
	fmt.Println(message.Name, other.Name, errors.Is(err, rank.ErrCodec))
	// Output: proto gob true
}
