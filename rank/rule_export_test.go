package rank

import "github.com/muster-mpi/muster/internal/engine"

// PeakUnexpected returns the most bytes that c's process ever held for messages
// no receive had asked for.
func PeakUnexpected(c *Comm) int64 { return c.job.engine.Stats().PeakBytes }

// ContextOf returns the name of c's matching space in the job.
func ContextOf(c *Comm) engine.ContextID { return c.ctx.ID() }
