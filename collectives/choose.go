package collectives

import (
	"fmt"
	"strings"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// choose returns the algorithm that carries c out.
func choose(c *schedule.Call, brackets class, using string, elem int) (algo.Algorithm, error) {
	var names []string
	for _, a := range algo.Of(c.Op) {
		names = append(names, a.Name)
		if using != "" && a.Name != using {
			continue
		}
		var why string
		if a.Refuses != nil {
			why = a.Refuses(c)
		}
		switch {
		case why == "" && brackets.permits(a.Bracketing):
			return a, nil
		case using == "":
		case why != "":
			return a, fmt.Errorf("%w: algorithm %s of %v %s", rank.ErrArgument, using, c.Op, why)
		default:
			return a, fmt.Errorf("%w: algorithm %s of %v combines ranks in an order that this call does not permit; AnyOrder permits it if the operation commutes", rank.ErrArgument, using, c.Op)
		}
	}
	if using != "" {
		return algo.Algorithm{}, fmt.Errorf("%w: no algorithm %q of %v, there are %s", rank.ErrArgument, using, c.Op, strings.Join(names, ", "))
	}
	return algo.Algorithm{}, fmt.Errorf("%w: no algorithm of %v serves", rank.ErrArgument, c.Op)
}
