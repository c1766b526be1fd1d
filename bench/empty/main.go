// Empty is the smallest rank program: it joins and leaves. What `muster run`
// takes for it is the cost of a job.
//
//	muster run -n 128 ./bench/empty
package main

import (
	"context"

	"github.com/muster-mpi/muster/rank"
)

func main() {
	rank.Run(func(context.Context, *rank.Comm) error { return nil })
}
