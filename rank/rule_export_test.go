package rank

import (
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// PeakUnexpected returns the most bytes that c's process ever held for messages
// no receive had asked for.
func PeakUnexpected(c *Comm) int64 { return c.job.engine.Stats().PeakBytes }

// ContextOf returns the name of c's matching space in the job.
func ContextOf(c *Comm) engine.ContextID { return c.ctx.ID() }

// Contexts returns how many contexts c's process knows, and how many ranges it
// remembers of those that are past.
func Contexts(c *Comm) (alive, past int) {
	s := c.job.engine.Stats()
	return s.Contexts, s.Retired
}

// Blocked returns the calls of c's process that have blocked for so long that a
// report would name them.
func Blocked(c *Comm) []record.Record { return c.job.engine.Records().Reader().Blocked() }
