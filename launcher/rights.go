package launcher

import "github.com/muster-mpi/muster/launcher/internal/agent"

// OwnRights is an error for a process that has other rights than whoever started it.
// Run checks it; who builds programs before should as well.
func OwnRights() error { return agent.OwnRights() }
