package rank

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-mpi/muster/internal/rendezvous"
)

// The end of a job that all have joined is said by the job's rank 0, also if it comes while
// others are still on their way out of Join.
func TestWhoCannotJoinAJobThatHasEndedSaysSoUnlessAnotherDoes(t *testing.T) {
	for _, c := range []struct {
		err  error
		text string
		code int
	}{
		{errors.New("no agent"), "muster: no agent\n", 1},
		{fmt.Errorf("join: %w", &rendezvous.Ended{Code: 66, Text: "rank 2 is missing"}), "muster: join: rank 2 is missing\n", 66},
		{fmt.Errorf("join: %w", &rendezvous.Ended{Code: 71}), "", 71},
	} {
		if text, code := unjoined(c.err); text != c.text || code != c.code {
			t.Errorf("%v: got %q and %d, want %q and %d", c.err, text, code, c.text, c.code)
		}
	}
}
