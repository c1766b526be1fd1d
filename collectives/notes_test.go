package collectives

import (
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// A process may run many worlds of goroutines, one after the other.
func TestNothingIsKeptOfAWorldThatIsOver(t *testing.T) {
	before := keptEngines()
	for _, p := range []int{1, 2, 5} {
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			if err := Barrier(t.Context(), c); err != nil {
				t.Errorf("rank %d of %d: %v", c.Rank(), p, err)
			}
		})
		if n := keptEngines(); n != before {
			t.Errorf("after a world of %d ranks %d engines are kept, want %d", p, n, before)
		}
	}
}

// keptEngines returns how many engines have readers of notes.
func keptEngines() int {
	readersMu.Lock()
	defer readersMu.Unlock()
	return len(readersOf)
}
