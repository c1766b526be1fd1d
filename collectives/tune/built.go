package tune

import "github.com/muster-mpi/muster/collectives/schedule"

func built(op schedule.Operation, ranks int, oneProcess bool) Sharing { return Sharing{{0, true}} }
