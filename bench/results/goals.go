package results

import "slices"

const (
	kib = 1 << 10
	mib = 1 << 20

	// Better stands for the peer with the better median in the row.
	Better = "better"
	// Absolute stands for no reference: the value itself is bounded.
	Absolute = "absolute"
)

// A Goal is what a cell has to reach: ours divided by the reference must be at
// most Bound where lower is better, and at least Bound elsewhere.
type Goal struct {
	Transport string
	Test      string
	Ranks     int
	Low, High int // sizes
	Against   string
	Bound     float64
	Figure    string // the figure of the repetition that counts; empty: the value
}

// Goals are those of the project for medians of alternating runs on a machine
// with two cores. Of those of a cell against one reference the first counts.
var Goals = slices.Concat(messageGoals, collectiveGoals, noLosingCell())

// messageGoals are of messages between two ranks, or eight where ranks share
// cores, and of the start of jobs.
var messageGoals = []Goal{
	{Transport: "shm", Test: "latency", Ranks: 2, Low: 8, High: 8, Against: Better, Bound: 0.9},
	{Transport: "shm", Test: "latency", Ranks: 2, Low: 4 * kib, High: 4 * kib, Against: Better, Bound: 0.9},
	{Transport: "shm", Test: "latency", Ranks: 2, Low: 64 * kib, High: 64 * mib, Against: Better, Bound: 0.8},
	{Transport: "shm", Test: "rate", Ranks: 2, Low: 64, High: 64, Against: Better, Bound: 1.3},
	{Transport: "shm", Test: "bw", Ranks: 2, Low: mib, High: mib, Against: Better, Bound: 1.4},
	{Transport: "shm", Test: "bw", Ranks: 2, Low: 64 * mib, High: 64 * mib, Against: Better, Bound: 1.5},
	{Transport: "shm", Test: "bibw", Ranks: 2, Low: 1, High: 64 * mib, Against: Better, Bound: 1.0},
	{Transport: "shm", Test: "latency", Ranks: 8, Low: 8, High: 8, Against: "openmpi", Bound: 1.0},
	{Transport: "shm", Test: "latency", Ranks: 8, Low: 8, High: 8, Against: "mpich", Bound: 0.01},
	{Transport: "shm", Test: "overlap", Ranks: 2, Low: 4 * mib, High: 4 * mib, Against: Absolute, Bound: 1.15, Figure: "excess"},
	{Transport: "shm", Test: "overlap", Ranks: 2, Low: 4 * mib, High: 4 * mib, Against: Absolute, Bound: 1, Figure: "incomplete"},

	{Transport: "tcp", Test: "latency", Ranks: 2, Low: 8, High: 8, Against: "tcp-poll", Bound: 3},
	{Transport: "tcp", Test: "latency", Ranks: 2, Low: 8, High: 8, Against: "grpc", Bound: 1. / 3},
	{Transport: "tcp", Test: "bw", Ranks: 2, Low: 4 * mib, High: 4 * mib, Against: "tcp", Bound: 0.75},
	{Transport: "tcp", Test: "bw", Ranks: 2, Low: 4 * mib, High: 4 * mib, Against: "grpc", Bound: 2.5},
	{Transport: "tcp", Test: "rate", Ranks: 2, Low: 64, High: 64, Against: Absolute, Bound: 5},
	{Transport: "tcp-tls", Test: "bw", Ranks: 2, Low: 4 * mib, High: 4 * mib, Against: "tls", Bound: 0.75},
	{Transport: "unix", Test: "latency", Ranks: 2, Low: 8, High: 8, Against: Absolute, Bound: 6},
	{Transport: "unix", Test: "bw", Ranks: 2, Low: 4 * mib, High: 4 * mib, Against: Absolute, Bound: 4000},

	{Test: "startup", Ranks: 8, Against: Better, Bound: 0.15},
	{Test: "startup", Ranks: 128, Against: Better, Bound: 0.1},
	{Test: "memory", Ranks: 32, Against: "openmpi", Bound: 1},
}

var collectiveGoals = []Goal{
	{Transport: "shm", Test: "barrier", Ranks: 2, Against: Better, Bound: 0.7},
	{Transport: "shm", Test: "barrier", Ranks: 8, Against: Better, Bound: 0.6},
	{Transport: "shm", Test: "allreduce", Ranks: 2, Low: 8, High: 8, Against: Better, Bound: 0.7},
	{Transport: "shm", Test: "allreduce", Ranks: 8, Low: 8, High: 8, Against: Better, Bound: 0.6},
	{Transport: "shm", Test: "allreduce", Ranks: 8, Low: 64 * kib, High: 64 * kib, Against: Better, Bound: 0.35},
	{Transport: "shm", Test: "allreduce", Ranks: 8, Low: mib, High: mib, Against: Better, Bound: 0.5},
	{Transport: "shm", Test: "allreduce", Ranks: 8, Low: 16 * mib, High: 16 * mib, Against: Better, Bound: 0.35},
	{Transport: "shm", Test: "bcast", Ranks: 8, Low: 4 * kib, High: 4 * kib, Against: Better, Bound: 0.35},
	{Transport: "shm", Test: "alltoall", Ranks: 8, Low: mib, High: mib, Against: Better, Bound: 0.7},
	{Transport: "tcp", Test: "allreduce", Ranks: 8, Low: 8, High: 8, Against: "openmpi", Bound: 1},
	{Transport: "local", Test: "barrier", Ranks: 8, Against: "openmpi", Bound: 0.15},
}

// noLosingCell is that no collective within a host is slower than the better peer.
func noLosingCell() (list []Goal) {
	for _, test := range Collectives {
		for _, ranks := range []int{2, 4, 8} {
			list = append(list, Goal{Transport: "shm", Test: test, Ranks: ranks, Low: 0, High: 16 * mib, Against: Better, Bound: 1})
		}
	}
	return list
}

// goalsFor returns the goals of a cell of ours.
func goalsFor(k Key) []Goal {
	var list []Goal
	for _, g := range Goals {
		if g.Test == k.Test && g.Ranks == k.Ranks && (g.Transport == "" || g.Transport == k.Transport) && g.Low <= k.Size && k.Size <= g.High {
			list = append(list, g)
		}
	}
	return list
}

// A Verdict says where the interval lies.
type Verdict string

const (
	Met  Verdict = "met"  // wholly within the goal
	Lost Verdict = "lost" // wholly beyond it
	Open Verdict = "open" // on both sides, or there is none
)

// judge compares an interval with a bound.
func judge(lower bool, low, high, bound float64, known bool) Verdict {
	switch {
	case !known:
		return Open
	case lower && high <= bound, !lower && low >= bound:
		return Met
	case lower && low > bound, !lower && high < bound:
		return Lost
	}
	return Open
}
