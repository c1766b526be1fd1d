package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Barrier returns once every rank of c has called it (MPI_Barrier, MPI 4.1 §6.3). On
// an intercommunicator those are the ranks of both groups.
func Barrier(ctx context.Context, c *rank.Comm, opts ...Option) error {
	p := barrier(c, opts)
	return p.do(ctx)
}

// IBarrier starts a Barrier; its Request is complete once every rank has started
// it (MPI_Ibarrier).
func IBarrier(c *rank.Comm, opts ...Option) rank.Request {
	p := barrier(c, opts)
	return p.start()
}

// BarrierInit makes a persistent Barrier (MPI_Barrier_init).
func BarrierInit(c *rank.Comm, opts ...Option) *rank.Persistent {
	p := barrier(c, opts)
	return p.persist()
}

func barrier(c *rank.Comm, opts []Option) (p plan[byte]) {
	if crosses(c) {
		return barrierAcross(c, opts)
	}
	p.begin(c, "Barrier", schedule.Barrier, opts)
	return p
}
