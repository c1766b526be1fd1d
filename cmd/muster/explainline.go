package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

// An explainLine is what muster explain was told.
type explainLine struct {
	op        schedule.Operation
	named     bool
	bytes     int
	ranks     int
	hosts     int
	placed    []int // host of each rank; nil: all on one
	root      int
	element   element
	combine   string
	anyOrder  bool
	using     string
	table     string
	transport string
	draw      string
	steps     string // a rank, all, or empty
	json      bool
	help      bool
}

// An element is a type that messages may have.
type element struct {
	name  string
	width int
	exact bool // operations on it are associative
}

var elements = []element{
	{"float64", 8, false}, {"float32", 4, false}, {"complex128", 16, false}, {"complex64", 8, false},
	{"int64", 8, true}, {"int32", 4, true}, {"int16", 2, true}, {"int8", 1, true},
	{"uint64", 8, true}, {"uint32", 4, true}, {"uint16", 2, true}, {"byte", 1, true}, {"bool", 1, true},
}

// combining are the operations of package collectives, and one that stands for all
// that do not commute.
var combining = []string{"sum", "product", "min", "max", "and", "or", "xor", "bitand", "bitor", "bitxor", "ordered"}

// linkOf is what the ranks of one host have between them.
var linkOf = map[string]schedule.Link{"shm": tune.SharedMemory, "unix": tune.TCP, "tcp": tune.TCP, "local": tune.InProcess}

// maxExplained bounds -n: what is beyond it would take too long to build.
const maxExplained = maxRanks

var explainFlags = []flagOf[explainLine]{
	{names: []string{"size", "m"}, value: "SIZE", help: "bytes of the vector; of gather, scatter, allgather, alltoall and reducescatter, of one block (default 8)",
		set: func(l *explainLine, v string) error {
			if v == "0" {
				l.bytes = 0
				return nil
			}
			n, err := parseSize(v)
			if err == nil && n > maxMessage {
				err = fmt.Errorf("%s: expected 1GiB at most", quote(v))
			}
			l.bytes = int(n)
			return err
		}},
	{names: []string{"n", "np"}, value: "N", help: "ranks (default 8)",
		set: setNumber(func(l *explainLine) *int { return &l.ranks }, 1, maxExplained, "a number of ranks")},
	{names: []string{"hosts"}, value: "N", help: "hosts, with TCP between them and consecutive ranks on each (default 1)",
		set: setNumber(func(l *explainLine) *int { return &l.hosts }, 1, maxExplained, "a number of hosts")},
	{names: []string{"type"}, value: "TYPE", help: "of the elements (default float64): " + strings.Join(elementNames(), ", "),
		set: func(l *explainLine, v string) error {
			at := slices.IndexFunc(elements, func(e element) bool { return e.name == v })
			if at < 0 {
				return fmt.Errorf("%s: expected one of %s", quote(v), strings.Join(elementNames(), ", "))
			}
			l.element = elements[at]
			return nil
		}},
	{names: []string{"op"}, value: "NAME", help: "how elements are combined (default sum): " + strings.Join(combining[:len(combining)-1], ", ") + ", or ordered, for a function that does not commute",
		set: func(l *explainLine, v string) (err error) {
			l.combine, err = oneOf(v, combining...)
			return err
		}},
	{names: []string{"any-order"}, help: "as with AnyOrder: floating-point results may depend on the algorithm",
		set: setToggle(func(l *explainLine) *bool { return &l.anyOrder })},
	{names: []string{"root"}, value: "RANK", help: "of bcast, gather, scatter and reduce (default 0)",
		set: setNumber(func(l *explainLine) *int { return &l.root }, 0, maxExplained, "a rank")},
	{names: []string{"using"}, value: "NAME", help: "the algorithm asked for, as with Using (default: the one that is chosen)",
		set: setName(func(l *explainLine) *string { return &l.using }, "an algorithm")},
	{names: []string{"table"}, value: "FILE", help: "a table that muster tune has written (default: none, so predictions decide)",
		set: setName(func(l *explainLine) *string { return &l.table }, "a file")},
	{names: []string{"transport"}, value: "NAME", help: "between the ranks of a host: shm (default), unix, tcp, or local for goroutines of one process",
		set: func(l *explainLine, v string) (err error) {
			l.transport, err = oneOf(v, "shm", "unix", "tcp", "local")
			return err
		}},
	{names: []string{"draw"}, value: "FILE", help: "write a picture of the schedule to FILE, as SVG",
		set: setName(func(l *explainLine) *string { return &l.draw }, "a file")},
	{names: []string{"steps"}, value: "RANK", help: "print the steps of a rank, or of all",
		set: func(l *explainLine, v string) error {
			l.steps = v
			if v == "all" {
				return nil
			}
			_, err := number(v, 0, maxExplained, "a rank, or all")
			return err
		}},
	{names: []string{"json"}, help: "print everything as JSON",
		set: setToggle(func(l *explainLine) *bool { return &l.json })},
	{names: []string{"help", "h"}, help: "print this",
		set: setToggle(func(l *explainLine) *bool { return &l.help })},
}

func elementNames() (names []string) {
	for _, e := range elements {
		names = append(names, e.name)
	}
	return names
}

func operationNames() (names []string) {
	for op := range schedule.Operations {
		names = append(names, op.String())
	}
	return names
}

// operationOf returns the operation called name.
func operationOf(name string) (schedule.Operation, error) {
	names := operationNames()
	if at := slices.Index(names, name); at >= 0 {
		return schedule.Operation(at), nil
	}
	if s := nearest(name, names); s != "" {
		return 0, fmt.Errorf("%s is no operation; did you mean %s?", quote(name), s)
	}
	return 0, fmt.Errorf("%s is no operation: expected one of %s", quote(name), strings.Join(names, ", "))
}

// parseExplain reads the arguments of muster explain and checks all that shows
// without looking at a file.
func parseExplain(args []string) (*explainLine, error) {
	l := &explainLine{bytes: 8, ranks: 8, hosts: 1, element: elements[0], combine: "sum", transport: "shm"}
	word := func(v string) (err error) {
		if l.named {
			return fmt.Errorf("%s: expected one operation, and %v is named already", quote(v), l.op)
		}
		l.named = true
		l.op, err = operationOf(v)
		return err
	}
	if err := readFlags(l, "explain", explainFlags, args, word, &l.help); err != nil || l.help {
		return l, err
	}
	return l, l.check()
}

// check looks at what only the whole line shows.
func (l *explainLine) check() error {
	switch {
	case !l.named:
		return errors.New("no operation named: expected muster explain " + strings.Join(operationNames(), ", "))
	case l.hosts > l.ranks:
		return fmt.Errorf("--hosts: %d hosts for %s: expected a rank at least on each", l.hosts, count(l.ranks, "rank"))
	case l.transport == "local" && l.hosts > 1:
		return errors.New("--transport local: expected one host, since the ranks are goroutines of one process")
	case l.root >= l.ranks:
		return fmt.Errorf("--root: \"%d\": expected a rank, 0 to %d", l.root, l.ranks-1)
	case l.op != schedule.Barrier && l.bytes%l.element.width != 0:
		return fmt.Errorf("--size: %d bytes are no whole number of %s, which has %d", l.bytes, l.element.name, l.element.width)
	}
	if l.steps != "" && l.steps != "all" {
		if _, err := number(l.steps, 0, l.ranks-1, "a rank"); err != nil {
			return fmt.Errorf("--steps: %w", err)
		}
	}
	return nil
}

// call is the call of a rank.
func (l *explainLine) call(rank int) schedule.Call {
	c := schedule.Call{Op: l.op, Rank: rank, Size: l.ranks, Segment: tune.Segment(l.element.width)}
	if l.op != schedule.Barrier {
		c.Count = l.bytes / l.element.width
	}
	if l.op.Rooted() {
		c.Root = l.root
	}
	if l.hosts > 1 && l.placed == nil {
		l.placed = make([]int, l.ranks)
		for r := range l.placed {
			l.placed[r] = r * l.hosts / l.ranks
		}
	}
	c.Hosts = l.placed
	return c
}

// order is the least order in which elements may be combined.
func (l *explainLine) order() algo.Bracketing {
	switch {
	case !l.op.Reduces():
		return algo.Unordered
	case !l.element.exact && !l.anyOrder:
		return algo.Canonical
	case l.combine == "ordered":
		return algo.Ordered
	}
	return algo.Unordered
}
