package collectives_test

import (
	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// serves reports whether the algorithm called name must carry out a call of op by p
// ranks of one host, whose elements permit combining in order: it may only refuse by
// its Refuses. The name may be that of the form in shared memory.
func serves(name string, c schedule.Call, order algo.Bracketing) bool {
	if name == "shared-memory" {
		return c.From.Counts == nil
	}
	a, ok := algo.Find(c.Op, name)
	return ok && (a.Refuses == nil || a.Refuses(&c) == "") && (!c.Op.Reduces() || a.Bracketing >= order)
}

// algorithms lists the algorithms that carry out calls of op by p ranks on any
// elements, in shared memory too.
func algorithms(op schedule.Operation, p int) []string {
	names := []string{}
	for _, a := range append([]algo.Algorithm{{Name: "shared-memory"}}, algo.Of(op)...) {
		if serves(a.Name, schedule.Call{Op: op, Size: p}, algo.Canonical) {
			names = append(names, a.Name)
		}
	}
	return names
}
