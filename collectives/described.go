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

// described is what a call is, as far as all ranks must say the same. It is
// immutable.
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
	print     uint64 // fingerprint of all this
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
	return b.String()
}
