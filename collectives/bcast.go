package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Bcast gives every rank's buf what the root's holds (MPI_Bcast, MPI 4.1 §6.4).
// len(buf) is the same on all ranks.
func Bcast[T any](ctx context.Context, c *rank.Comm, root int, buf []T, opts ...Option) error {
	p := bcast(c, root, buf, opts)
	return p.do(ctx)
}

// IBcast starts a Bcast (MPI_Ibcast).
func IBcast[T any](c *rank.Comm, root int, buf []T, opts ...Option) rank.Request {
	p := bcast(c, root, buf, opts)
	return p.start()
}

// BcastInit makes a persistent Bcast (MPI_Bcast_init).
func BcastInit[T any](c *rank.Comm, root int, buf []T, opts ...Option) *rank.Persistent {
	p := bcast(c, root, buf, opts)
	return p.persist()
}

func bcast[T any](c *rank.Comm, root int, buf []T, opts []Option) (p plan[T]) {
	if crosses(c) {
		return bcastAcross(c, root, buf, opts)
	}
	p.begin(c, "Bcast", schedule.Bcast, opts)
	p.rooted(root)
	p.call.Count = len(buf)
	p.mem[schedule.Out] = buf
	return p
}
