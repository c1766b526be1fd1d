// Package below is the one look that package collectives has beneath package rank:
// what a communicator stands on.
package below

import (
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/hostmem"
)

// Comm is what a communicator stands on.
type Comm struct {
	Engine  *engine.Engine
	Context *engine.Context
	Memory  *hostmem.Memory // shared by the ranks of this host; nil if there is none
	Hosts   []int           // of each rank that calls name, its host's number; nil if all are on one
}

// Begin is called with every engine before frames can come to it, so that what uses
// kinds of frames of its own misses none. It is set by init functions alone.
var Begin = func(*engine.Engine) {}

// Leave is called with every engine once its rank starts nothing any more, because it
// leaves the job or the job is over. It may be called twice. As Begin.
var Leave = func(*engine.Engine) {}
