package tune

import (
	"time"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// What messages cost over the transports, where nothing was measured. The figures
// for SharedMemory and TCP are fitted to the latency, rate and bandwidth in
// bench/RESULTS.md. Those for InProcess are the ones under which the choices came
// nearest to the best algorithms of 2 to 17 goroutine ranks on 2 cores: as such ranks
// share the cores, their messages come one after the other, and each counts for more
// than it takes by itself. Ratios decide, so they serve other machines as well.
var (
	InProcess    = schedule.Link{Latency: 300 * time.Nanosecond, Overhead: 600 * time.Nanosecond, Gap: 600 * time.Nanosecond, PerByte: 0.02}
	SharedMemory = schedule.Link{Latency: 35 * time.Nanosecond, Overhead: 70 * time.Nanosecond, Gap: 200 * time.Nanosecond, PerByte: 0.07}
	TCP          = schedule.Link{Latency: 4300 * time.Nanosecond, Overhead: 3 * time.Microsecond, Gap: 3 * time.Microsecond, PerByte: 0.4}
)

// Params returns parameters for a communicator with these links on each host and
// between hosts, and memory at the speed of that machine.
func Params(local, remote schedule.Link) schedule.Params {
	return schedule.Params{Local: local, Remote: remote, Reduce: 0.1, Copy: 0.06}
}
