package tune

import (
	"fmt"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// SharedForm is what the forms of operations in the memory that the ranks of a host
// share are called: by Using, in tables, and by `muster explain`. They have no
// schedule, so none is in package algo.
const SharedForm = "shared-memory"

// MaxSharers bounds the ranks of a communicator that share memory: beyond it the
// region of each would be too small.
const MaxSharers = 256

// Sharing says which blocking calls of an operation, among ranks of one host, go
// through the memory that these share, and which by messages: the first stretch
// whose bound is above the size of the call, as Bytes counts it, decides.
type Sharing []Stretch

// Stretch is of sizes below a bound in bytes; 0: of all.
type Stretch struct {
	Below  int
	Shared bool
}

// At returns whether a call of so many bytes goes through shared memory.
func (s Sharing) At(bytes int) bool {
	for _, x := range s {
		if x.Below == 0 || bytes < x.Below {
			return x.Shared
		}
	}
	return true
}

// String returns such as "below 32KiB".
func (s Sharing) String() string {
	text, from := "", 0
	for _, x := range s {
		if x.Shared {
			if text != "" {
				text += " and "
			}
			switch {
			case from == 0 && x.Below == 0:
				text += "of all sizes"
			case from == 0:
				text += "below " + formatBytes(x.Below)
			case x.Below == 0:
				text += "from " + formatBytes(from) + " on"
			default:
				text += "from " + formatBytes(from) + " to below " + formatBytes(x.Below)
			}
		}
		from = x.Below
	}
	if text == "" {
		return "of no size"
	}
	return text
}

// Share returns which calls of op by so many ranks of one host go through shared
// memory, and why: by the table, which may be nil, or by what is built in for ranks
// of one process or of several. All ranks get the same. That a host has such memory is
// for the caller to know.
func Share(t *Table, op schedule.Operation, ranks int, order algo.Bracketing, oneProcess bool) (Sharing, string) {
	if ranks > MaxSharers {
		return Sharing{{}}, fmt.Sprintf("more than %d ranks", MaxSharers)
	}
	if t != nil {
		want := Case{Op: op, Ranks: ranks}
		if op.Reduces() {
			want.Order = order
		}
		if e := t.find(want); e != nil {
			return e.sharing(), fmt.Sprintf("table: %v", e.Case)
		}
	}
	return built(op, ranks, order, oneProcess), "built in"
}

// sharing returns what an entry says about shared memory, neighbours that say the
// same as one.
func (e *Entry) sharing() (s Sharing) {
	for _, u := range e.Uses {
		if n := len(s); n > 0 && s[n-1].Shared == u.Shared {
			s[n-1].Below = u.Below
			continue
		}
		s = append(s, Stretch{u.Below, u.Shared})
	}
	return s
}
