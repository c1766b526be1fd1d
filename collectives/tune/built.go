package tune

import (
	"math"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// sizes are those of blocking calls that go through shared memory: from so many bytes
// on, and below so many.
type sizes struct{ from, below int }

var allSizes = sizes{0, math.MaxInt}

// What is built in, where no table says anything, was measured with `muster tune` on
// 2 to 33 goroutine ranks and 2 to 16 processes over 2 cores of an AMD EPYC.
//
// Between processes shared memory is the quicker way but for prefixes of short
// vectors, whose messages run along a chain while nobody waits for the next call. It
// needs an order that a chain may have.
//
// Goroutines copy a message once, straight to where it belongs, and through shared
// memory twice, so that long blocks are the quicker as messages. Reductions read the
// others' operands where they lie in either case. So might long vectors of a broadcast
// or a prefix be, by a third, but not by the algorithm that their costs suggest.
var (
	builtProcesses = map[schedule.Operation]sizes{
		schedule.Scan:   {16 << 10, math.MaxInt},
		schedule.ExScan: {16 << 10, math.MaxInt},
	}
	// Two that exchange blocks by messages copy them once, between their memories. That is
	// the quicker for long ones where the two cores have no second-level cache in common; for
	// shorter ones it is a little quicker there, and takes twice as long where they have.
	builtTwoProcesses = map[schedule.Operation]sizes{
		schedule.AllGather: {0, 512 << 10},
		schedule.AllToAll:  {0, 512 << 10},
	}
	builtGoroutines = map[schedule.Operation]sizes{
		schedule.Gather:    {0, 32 << 10},
		schedule.Scatter:   {0, 128 << 10},
		schedule.AllGather: {0, 128 << 10},
		schedule.AllToAll:  {0, 16 << 10},
	}
	builtTwoGoroutines = sizes{0, 16 << 10} // of every operation
)

// built returns what is built in.
func built(op schedule.Operation, ranks int, order algo.Bracketing, oneProcess bool) Sharing {
	s := allSizes
	switch {
	case op == schedule.Barrier:
	case oneProcess && ranks == 2:
		s = builtTwoGoroutines
	case oneProcess:
		s = sizesOf(builtGoroutines, op)
	case ranks == 2:
		s = sizesOf(builtTwoProcesses, op)
	case !op.Reduces() || order < algo.Canonical:
		s = sizesOf(builtProcesses, op)
	}
	return s.sharing()
}

func sizesOf(m map[schedule.Operation]sizes, op schedule.Operation) sizes {
	if s, ok := m[op]; ok {
		return s
	}
	return allSizes
}

func (s sizes) sharing() (list Sharing) {
	if s.from > 0 {
		list = append(list, Stretch{s.from, false})
	}
	if s.below == math.MaxInt {
		return append(list, Stretch{0, true})
	}
	return append(list, Stretch{s.below, true}, Stretch{0, false})
}
