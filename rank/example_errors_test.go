package rank_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

// An error tells the class to errors.Is and the rest to errors.As.
func ExampleError() {
	err := rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
		err := rank.Send(ctx, world, 3, 1, []int{42})
		var e *rank.Error
		if errors.As(err, &e) {
			fmt.Println(e.Op, e.Comm, e.Rank, e.Peer, e.Tag)
		}
		fmt.Println(errors.Is(err, rank.ErrRank))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// Send world 0 3 1
	// true
}

// The text says who called what and where, and what was expected.
func ExampleError_Error() {
	err := &rank.Error{
		Op: "Recv", Comm: "world", Rank: 2, Peer: rank.AnySource, Tag: 5, Site: "solver.go:31",
		Err: rank.ErrTruncated,
	}
	fmt.Println(err)
	// Output: rank 2: Recv from any source, tag 5, on world (solver.go:31): message longer than the receive buffer
}

func ExampleError_Unwrap() {
	err := &rank.Error{Op: "Send", Comm: "world", Rank: 0, Peer: 1, Tag: 1, Err: rank.ErrFailed}
	fmt.Println(errors.Unwrap(err) == rank.ErrFailed)
	// Output: true
}

func ExampleStatusError_Error() {
	err := &rank.StatusError{Errs: []error{nil, rank.ErrTruncated, nil, rank.ErrPending}}
	fmt.Println(err)
	// Output: some operations failed: 1 of 4, first request 1: message longer than the receive buffer
}

func ExampleStatusError_Is() {
	var err error = &rank.StatusError{Errs: []error{nil, rank.ErrTruncated}}
	fmt.Println(errors.Is(err, rank.ErrInStatus))
	// Output: true
}

// errors.Is finds the class of any of the operations.
func ExampleStatusError_Unwrap() {
	var err error = &rank.StatusError{Errs: []error{nil, rank.ErrTruncated}}
	fmt.Println(errors.Is(err, rank.ErrTruncated), errors.Is(err, rank.ErrType))
	// Output: true false
}
