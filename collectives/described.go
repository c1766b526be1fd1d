package collectives

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// mode is how a call was made. Calls of different modes do not match (MPI 4.1
// §6.12).
type mode uint8

const (
	blocking mode = iota
	nonblocking
	persistent
)

// described is what a call is, as far as all ranks must say the same.
type described struct {
	mode      mode
	name      string // of the function, without I or Init
	op        schedule.Operation
	root      int // −1: none
	count     int
	counts    []int
	element   reflect.Type
	operation string // name of the Op
	algorithm string
	site      string // where the program made the call, once it is known
}

// fingerprint is a number that calls which differ mostly do not share.
func (d *described) fingerprint() uint64 {
	h := uint64(14695981039346656037)
	mix := func(v uint64) { h = (h ^ v) * 1099511628211 }
	text := func(s string) {
		for i := range len(s) {
			mix(uint64(s[i]))
		}
	}
	mix(uint64(d.mode))
	mix(uint64(d.op))
	mix(uint64(d.root + 1))
	mix(uint64(d.count))
	for _, n := range d.counts {
		mix(uint64(n))
	}
	if d.element != nil {
		mix(uint64(d.element.Kind()))
		mix(uint64(d.element.Size()))
	}
	text(d.name)
	text(d.operation)
	text(d.algorithm)
	return h ^ h>>32
}

// equal reports whether d and e are the same call, as far as it has a fingerprint.
func (d *described) equal(e *described) bool {
	return d.mode == e.mode && d.op == e.op && d.root == e.root && d.count == e.count && d.counts == nil && e.counts == nil &&
		d.element == e.element && d.name == e.name && d.operation == e.operation && d.algorithm == e.algorithm
}

// String tells the call as the program would write it.
func (d *described) String() string {
	var b strings.Builder
	switch d.mode {
	case nonblocking:
		b.WriteByte('I')
	}
	b.WriteString(d.name)
	if d.mode == persistent {
		b.WriteString("Init")
	}
	var parts []string
	if d.root >= 0 {
		parts = append(parts, fmt.Sprintf("root %d", d.root))
	}
	if d.element != nil && d.op != schedule.Barrier {
		switch {
		case d.counts != nil:
			parts = append(parts, fmt.Sprintf("%v of %s", d.counts, d.element))
		case d.count >= 0:
			parts = append(parts, fmt.Sprintf("%d of %s", d.count, d.element))
		default:
			parts = append(parts, d.element.String())
		}
	}
	if d.operation != "" {
		parts = append(parts, d.operation)
	}
	if d.algorithm != "" {
		parts = append(parts, "by "+d.algorithm)
	}
	if len(parts) > 0 {
		b.WriteString("(" + strings.Join(parts, ", ") + ")")
	}
	if d.site != "" {
		b.WriteString(" at " + d.site)
	}
	return b.String()
}
