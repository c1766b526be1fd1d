package algo

import (
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
)

var gatherTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.Gather, Build: buildGatherTwoLevel,
	Refuses: needsTwoLevels,
	Cost:    "binomial on each host, then among the hosts; one message leaves a host",
	Source:  magpie,
}

// buildGatherTwoLevel gathers the blocks of a host at its leader, and those of the
// hosts at the root.
func buildGatherTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h := hostsOf(c)
	q := h.reordered(c.Rank == c.Root)
	var all, host row
	switch {
	case c.Rank == c.Root:
		all = rowOf(s, q)
		host = h.hostOf(all, h.mine)
	case h.leads():
		host = rowIn(s, q, h.start(h.mine), h.start(h.mine+1))
	}
	h.inside(s, func(in *schedule.Call) {
		in.Of = h.blocksInside(q)
		gatherRow(s, in, c.Input(), row{in, 0, in.Size, host.span})
	})
	h.across(s, func(out *schedule.Call) {
		out.Of = h.blocksAcross(q)
		gatherRow(s, out, host.span, row{out, 0, out.Size, all.span})
	})
	all.unpack(s)
}

// reordered returns the call with the ranks numbered host by host, which makes what
// a host's ranks have a run of blocks. Displacements are there if buffer says that
// this rank has the buffer that Of divides. Input and Output it does not know.
func (h *hosts) reordered(buffer bool) *schedule.Call {
	order := h.inOrder()
	if slices.IsSorted(order) {
		return h.c
	}
	q := *h.c
	q.Of = schedule.Blocks{}
	for _, r := range order {
		if h.c.Of.Counts != nil {
			q.Of.Counts = append(q.Of.Counts, h.c.BlockLen(r))
		}
		if buffer {
			q.Of.Displs = append(q.Of.Displs, h.c.Block(r).Off)
		}
	}
	return &q
}

// hostOf returns the blocks of host i of a row of all blocks host by host.
func (h *hosts) hostOf(all row, i int) row {
	lo, hi := h.start(i), h.start(i+1)
	return row{all.c, lo, hi, all.run(lo, hi)}
}

// blocksInside returns the blocks of the ranks of this host, for the group of them.
func (h *hosts) blocksInside(q *schedule.Call) (b schedule.Blocks) {
	if q.Of.Counts != nil {
		b.Counts = q.Of.Counts[h.start(h.mine):h.start(h.mine+1)]
	}
	return b
}

// blocksAcross returns the blocks of all ranks of each host as one, for the group of
// the leaders.
func (h *hosts) blocksAcross(q *schedule.Call) (b schedule.Blocks) {
	for i := range h.ranks {
		b.Counts = append(b.Counts, lenOf(q, h.start(i), h.start(i+1)))
	}
	return b
}
