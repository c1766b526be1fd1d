// Package algo has the algorithms of collective operations: pure functions of a
// call, one file each, which write down a schedule for one rank. Nothing here
// knows how a step is carried out.
//
// To add one, write its file and its line in All.
package algo

import "github.com/muster-mpi/muster/collectives/schedule"

// Bracketing is in which order an algorithm combines the elements of the ranks.
type Bracketing = schedule.Bracketing

const (
	Unordered = schedule.Unordered
	Ordered   = schedule.Ordered
	Canonical = schedule.Canonical
)

// Algorithm is one way to carry out an operation.
type Algorithm struct {
	Name string // as in Using and `muster explain`
	Op   schedule.Operation

	// Build writes the steps of rank c.Rank. It is only called where Refuses
	// returns "".
	Build func(s *schedule.Schedule, c *schedule.Call)

	// Refuses returns why the algorithm cannot carry out c, such as "needs an even
	// number of ranks", or "". It looks only at what all ranks say alike. Nil: never.
	Refuses func(c *schedule.Call) string

	Bracketing Bracketing // of operations that reduce

	// Turns: where all pieces are equally long, the schedule of rank r is that of
	// rank 0 with r added to every rank, modulo the size, so the cost of one rank is
	// that of all.
	Turns bool

	Cost   string // in the terms of LogGP: p ranks, n bytes
	Source string // the paper or program that it is from
}

// All lists every algorithm, by operation. The first of an operation carries out
// every call of it.
var All = []Algorithm{
	barrierDissemination,
	barrierTree,
	barrierTwoLevel,

	bcastBinomial,
	bcastScatterRing,
	bcastScatterDoubling,
	bcastChain,
	bcastBinary,
	bcastLinear,
	bcastTwoLevel,
	bcastTwoLevelChain,

	gatherBinomial,
	gatherLinear,
	gatherTwoLevel,

	scatterBinomial,
	scatterLinear,
	scatterTwoLevel,

	allGatherRing,
	allGatherDoubling,
	allGatherBruck,
	allGatherNeighbour,
	allGatherTwoLevel,

	allToAllSpread,
	allToAllPairwise,
	allToAllBruck,
	allToAllTwoLevel,

	reduceBinomial,
	reduceRabenseifner,
	reducePairwise,
	reduceChain,
	reduceBinary,
	reduceLinear,
	reduceTwoLevel,
	reduceTwoLevelInRows,
	reduceTwoLevelAligned,

	allReduceDoubling,
	allReduceRabenseifner,
	allReducePairwise,
	allReduceReduceBcast,
	allReduceRing,
	allReduceSegmentedRing,
	allReduceTwoLevel,
	allReduceTwoLevelInRows,
	allReduceTwoLevelAligned,
	allReduceLanes,
	allReduceLanesInRows,
	allReduceLanesAligned,

	reduceScatterHalving,
	reduceScatterPairwise,
	reduceScatterRing,
	reduceScatterTwoLevel,
	reduceScatterTwoLevelInRows,
	reduceScatterTwoLevelAligned,

	scanDoubling,
	scanLinear,
	scanChain,

	exScanDoubling,
	exScanLinear,
	exScanChain,
}

// Of returns the algorithms of op, in the order of All.
func Of(op schedule.Operation) []Algorithm {
	var list []Algorithm
	for _, a := range All {
		if a.Op == op {
			list = append(list, a)
		}
	}
	return list
}

// Find returns the algorithm of op called name.
func Find(op schedule.Operation, name string) (Algorithm, bool) {
	for _, a := range All {
		if a.Op == op && a.Name == name {
			return a, true
		}
	}
	return Algorithm{}, false
}
