package collectives

import (
	"context"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Scan gives rank r the combination of the vectors of ranks 0 to r, in buf
// (MPI_Scan in place, MPI 4.1 §6.11.1). len(buf) and op are the same on all ranks.
func Scan[T any](ctx context.Context, c *rank.Comm, buf []T, op Operation[T], opts ...Option) error {
	p := scan(c, schedule.Scan, "Scan", buf, op, opts)
	return p.do(ctx)
}

// ScanTo is Scan of src into dst; as AllReduceTo (MPI_Scan).
func ScanTo[T any](ctx context.Context, c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) error {
	p := scanTo(c, schedule.Scan, "Scan", dst, src, op, opts)
	return p.do(ctx)
}

// IScan starts a Scan (MPI_Iscan).
func IScan[T any](c *rank.Comm, buf []T, op Operation[T], opts ...Option) rank.Request {
	p := scan(c, schedule.Scan, "Scan", buf, op, opts)
	return p.start()
}

// IScanTo starts a ScanTo.
func IScanTo[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) rank.Request {
	p := scanTo(c, schedule.Scan, "Scan", dst, src, op, opts)
	return p.start()
}

// ScanInit makes a persistent Scan (MPI_Scan_init).
func ScanInit[T any](c *rank.Comm, buf []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := scan(c, schedule.Scan, "Scan", buf, op, opts)
	return p.persist()
}

// ScanToInit makes a persistent ScanTo.
func ScanToInit[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := scanTo(c, schedule.Scan, "Scan", dst, src, op, opts)
	return p.persist()
}

// ExScan gives rank r the combination of the vectors of ranks 0 to r−1, in buf.
// That of rank 0 stays as it is: nothing comes before it. Rank 1 gets the vector of
// rank 0 itself (MPI_Exscan in place, MPI 4.1 §6.11.2).
func ExScan[T any](ctx context.Context, c *rank.Comm, buf []T, op Operation[T], opts ...Option) error {
	p := scan(c, schedule.ExScan, "ExScan", buf, op, opts)
	return p.do(ctx)
}

// ExScanTo is ExScan of src into dst; as AllReduceTo (MPI_Exscan).
func ExScanTo[T any](ctx context.Context, c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) error {
	p := scanTo(c, schedule.ExScan, "ExScan", dst, src, op, opts)
	return p.do(ctx)
}

// IExScan starts an ExScan (MPI_Iexscan).
func IExScan[T any](c *rank.Comm, buf []T, op Operation[T], opts ...Option) rank.Request {
	p := scan(c, schedule.ExScan, "ExScan", buf, op, opts)
	return p.start()
}

// IExScanTo starts an ExScanTo.
func IExScanTo[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) rank.Request {
	p := scanTo(c, schedule.ExScan, "ExScan", dst, src, op, opts)
	return p.start()
}

// ExScanInit makes a persistent ExScan (MPI_Exscan_init).
func ExScanInit[T any](c *rank.Comm, buf []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := scan(c, schedule.ExScan, "ExScan", buf, op, opts)
	return p.persist()
}

// ExScanToInit makes a persistent ExScanTo.
func ExScanToInit[T any](c *rank.Comm, dst, src []T, op Operation[T], opts ...Option) *rank.Persistent {
	p := scanTo(c, schedule.ExScan, "ExScan", dst, src, op, opts)
	return p.persist()
}

func scan[T any](c *rank.Comm, what schedule.Operation, name string, buf []T, op Operation[T], opts []Option) (p plan[T]) {
	p.begin(c, name, what, opts)
	p.refuseAcross()
	p.vector(buf, nil, op)
	return p
}

func scanTo[T any](c *rank.Comm, what schedule.Operation, name string, dst, src []T, op Operation[T], opts []Option) (p plan[T]) {
	p.begin(c, name, what, opts)
	p.refuseAcross()
	p.vectorTo(dst, src, op)
	return p
}
