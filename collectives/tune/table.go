// Package tune chooses which algorithm carries out a collective call: from a table
// of what was measured, or by what the steps would cost. What it looks at is what
// all ranks know alike, so all choose the same.
package tune

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// Table says which algorithm was the fastest, and where that was measured.
type Table struct {
	Machine string // processors, network, system
	Date    string
	Commit  string // of the program that measured
	Command string // that made the table

	Entries []Entry // no two of the same Case
}

// Variable is the environment variable that names the file of a table.
const Variable = "MUSTER_TUNE"

// Entry is what was found for one case.
type Entry struct {
	Case
	Uses []Use // ascending; the last one has no bound
}

// Case is what an entry was measured for.
type Case struct {
	Op    schedule.Operation
	Ranks int
	Hosts bool            // on more hosts than one
	Order algo.Bracketing // what the algorithms of the entry keep at least; Unordered for what does not reduce
}

// Use is the algorithm for calls of fewer than Below bytes, as Bytes counts them,
// that are not below the bound before; Below 0: for all the rest. If Shared, it is for
// those among them that cannot go through shared memory, since they do not block.
type Use struct {
	Below  int
	Name   string
	Shared bool
}

// use returns what is for a call of so many bytes.
func (e *Entry) use(bytes int) Use {
	for _, u := range e.Uses {
		if u.Below == 0 || bytes < u.Below {
			return u
		}
	}
	return Use{}
}

// find returns the entry that is nearest to want: one whose order is the same or
// stricter and whose number of ranks has the smallest ratio to want's; of equals the
// one with the order wanted, then the one of fewer ranks. Nil: there is none.
func (t *Table) find(want Case) *Entry {
	var best *Entry
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Op != want.Op || e.Hosts != want.Hosts || e.Order < want.Order {
			continue
		}
		if best == nil || nearer(&e.Case, &best.Case, want.Ranks) {
			best = e
		}
	}
	return best
}

// nearer reports whether a is nearer to a case of so many ranks than b. Ratios are
// compared as products: floating point might differ between machines.
func nearer(a, b *Case, ranks int) bool {
	x := max(a.Ranks, ranks) * min(b.Ranks, ranks)
	y := max(b.Ranks, ranks) * min(a.Ranks, ranks)
	switch {
	case x != y:
		return x < y
	case a.Order != b.Order:
		return a.Order < b.Order
	}
	return a.Ranks < b.Ranks
}

// Hash is equal for tables that choose alike, whatever their heads say and in which
// order their entries stand. Ranks compare it when they join a job.
func (t *Table) Hash() [sha256.Size]byte {
	entries := slices.Clone(t.Entries)
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Case.String(), b.Case.String()) })
	var b strings.Builder
	for i := range entries {
		entries[i].format(&b)
	}
	return sha256.Sum256([]byte(b.String()))
}

// checkUse returns why u's algorithm cannot be used in e, or "".
func (e *Entry) checkUse(u Use) string {
	a, ok := algo.Find(e.Op, u.Name)
	switch {
	case u.Name == SharedForm:
		return "wants what nonblocking calls use: " + SharedForm + " or NAME"
	case u.Shared && e.Hosts:
		return "ranks of several hosts share no memory"
	case !ok:
		return unknown(e.Op, u.Name)
	case e.Op.Reduces() && a.Bracketing < e.Order:
		return fmt.Sprintf("%q does not keep the order that is asked for: it is %s, not %s", u.Name, orderNames[a.Bracketing], orderNames[e.Order])
	}
	return ""
}

// unknown says that op has no algorithm called name, and which it has.
func unknown(op schedule.Operation, name string) string {
	var names []string
	for _, a := range algo.Of(op) {
		names = append(names, a.Name)
	}
	return fmt.Sprintf("no algorithm of %v is called %q; there are %s", op, name, strings.Join(names, ", "))
}
