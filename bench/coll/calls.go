package main

import (
	"context"

	"github.com/muster-mpi/muster/collectives"
)

// A collective is what is timed, the shape of its buffers, and the check of what
// it leaves behind. A size is that of one block.
type collective struct {
	call   func(ctx context.Context, g *group, root int) error
	outAll bool // the source has a block for each rank, and not just one
	inAll  bool // the destination has
	sums   bool // elements are float64, and are added

	// check looks at this rank's buffers after calls of which the first had one
	// root and the last another.
	check func(g *group, first, last int) error
}

var all = map[string]collective{
	"barrier": {
		call:  func(ctx context.Context, g *group, _ int) error { return collectives.Barrier(ctx, g.world, g.with...) },
		check: func(*group, int, int) error { return nil }, // it has no data; see spread.meets
	},
	"bcast": {
		call: func(ctx context.Context, g *group, root int) error {
			return collectives.Bcast(ctx, g.world, root, g.src, g.with...)
		},
		// The calls after the first give away what that one has brought.
		check: func(g *group, first, _ int) error { return g.expectBlock(g.src, first, 0) },
	},
	"gather": {inAll: true,
		call: func(ctx context.Context, g *group, root int) error {
			_, err := collectives.Gather(ctx, g.world, root, g.dst, g.src, g.with...)
			return err
		},
		check: func(g *group, _, last int) error {
			if g.rank != last {
				return nil
			}
			return g.expectBlocks(0)
		},
	},
	"scatter": {outAll: true,
		call: func(ctx context.Context, g *group, root int) error {
			_, err := collectives.Scatter(ctx, g.world, root, g.dst, g.src, g.with...)
			return err
		},
		check: func(g *group, _, last int) error { return g.expectBlock(g.dst, last, g.rank) },
	},
	"allgather": {inAll: true,
		call: func(ctx context.Context, g *group, _ int) error {
			_, err := collectives.AllGather(ctx, g.world, g.dst, g.src, g.with...)
			return err
		},
		check: func(g *group, _, _ int) error { return g.expectBlocks(0) },
	},
	"alltoall": {outAll: true, inAll: true,
		call: func(ctx context.Context, g *group, _ int) error {
			_, err := collectives.AllToAll(ctx, g.world, g.dst, g.src, g.with...)
			return err
		},
		check: func(g *group, _, _ int) error { return g.expectBlocks(g.rank) },
	},
	"reduce": {sums: true,
		call: func(ctx context.Context, g *group, root int) error {
			return collectives.ReduceTo(ctx, g.world, root, g.result, g.terms, collectives.Sum, g.with...)
		},
		check: func(g *group, _, last int) error {
			if g.rank != last {
				return nil
			}
			return g.expectSum(g.result, 0, g.size)
		},
	},
	"allreduce": {sums: true,
		call: func(ctx context.Context, g *group, _ int) error {
			return collectives.AllReduceTo(ctx, g.world, g.result, g.terms, collectives.Sum, g.with...)
		},
		check: func(g *group, _, _ int) error { return g.expectSum(g.result, 0, g.size) },
	},
	"reducescatter": {sums: true,
		call: func(ctx context.Context, g *group, _ int) error {
			_, err := collectives.ReduceScatter(ctx, g.world, g.result[:g.counts[g.rank]], g.terms, g.counts, collectives.Sum, g.with...)
			return err
		},
		check: func(g *group, _, _ int) error {
			before := 0
			for _, n := range g.counts[:g.rank] {
				before += n
			}
			return g.expectSum(g.result[:g.counts[g.rank]], before, g.size)
		},
	},
	"reducescatterblock": {outAll: true, sums: true,
		call: func(ctx context.Context, g *group, _ int) error {
			_, err := collectives.ReduceScatterBlock(ctx, g.world, g.result, g.terms, collectives.Sum, g.with...)
			return err
		},
		check: func(g *group, _, _ int) error { return g.expectSum(g.result, g.rank*len(g.result), g.size) },
	},
	"scan": {sums: true,
		call: func(ctx context.Context, g *group, _ int) error {
			return collectives.ScanTo(ctx, g.world, g.result, g.terms, collectives.Sum, g.with...)
		},
		check: func(g *group, _, _ int) error { return g.expectSum(g.result, 0, g.rank+1) },
	},
	"exscan": {sums: true,
		call: func(ctx context.Context, g *group, _ int) error {
			return collectives.ExScanTo(ctx, g.world, g.result, g.terms, collectives.Sum, g.with...)
		},
		check: func(g *group, _, _ int) error {
			if g.rank == 0 {
				return nil // nothing comes before it
			}
			return g.expectSum(g.result, 0, g.rank)
		},
	},
}
