package main

import (
	"fmt"
	"strings"
)

const benchSynopsis = `muster bench p2p [flags] [TEST ...]
muster bench coll [flags] [COLLECTIVE ...]
muster bench startup [flags]
muster bench scaling [flags] TARGET [ARGS]
muster bench compare [flags] OLD NEW

Measures messages between ranks, collectives, or the start of a job, as muster
run does them by default. With --against other implementations of MPI run the
same program in C, in turn with ours, and every row has the ratio with its 95 %
interval.

  latency   half the time of a ping-pong
  bw        bandwidth of windows of messages one way
  bibw      bandwidth of windows of messages both ways
  rate      messages per second, of 64 bytes
  overlap   a transfer during computation without calls
  coll      the time of barrier, bcast, gather, scatter, allgather, alltoall,
            reduce, allreduce, reducescatter, reducescatterblock, scan, exscan
  startup   an empty program from start to finish, and memory per rank
  scaling   how a program's time depends on its number of ranks
  compare   whether a file of results is slower than an older one

muster bench scaling -h and muster bench compare -h explain the last two.

The programs are built from source: run it in a clone of muster, or in a module
that requires it. bench/README.md explains the columns and the method.
`

const benchExamples = `
Examples
  muster bench p2p
  muster bench p2p latency -m 8:4096 --transport unix
  muster bench p2p -n 8 latency -m 8:8 --against openmpi,mpich
  muster bench p2p --against openmpi,mpich --json p2p.json --csv p2p.csv
  muster bench coll allreduce -n 8 -m 8,64KiB,1MiB --against openmpi,mpich
  muster bench coll barrier --local
  muster bench startup -n 8,128 --against openmpi,mpich

Exit code
  0 if everything was measured, whatever the verdicts say; 64 if the command
  line is wrong; 66 if a program could not be built or a peer is missing; 70 if
  a program failed; 72 if a file cannot be written; 128+n after signal n.
`

// benchHelp is the help on muster bench, its flags taken from the table that
// parses them.
func benchHelp() string {
	var b strings.Builder
	b.WriteString(benchSynopsis)
	for _, g := range []struct{ only, title string }{{"", "Flags"}, {"p2p coll", "Flags of p2p and coll"}, {"p2p", "Flags of p2p"}, {"coll", "Flags of coll"}, {"startup", "Flags of startup"}} {
		fmt.Fprintf(&b, "\n%s\n", g.title)
		for _, o := range benchOptions {
			if o.only != g.only {
				continue
			}
			left := dashed(o.names[0], false)
			for _, n := range o.names[1:] {
				left += ", " + dashed(n, true)
			}
			if o.value != "" {
				left += " " + o.value
			}
			entry(&b, left, o.help)
		}
	}
	b.WriteString(benchExamples)
	return b.String()
}
