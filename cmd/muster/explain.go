package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

const explainSynopsis = `muster explain OPERATION [flags]

Says which algorithm carries a collective call out, why, and what all of them
would take, by a walk through the steps of every rank with the costs that are
built in. Operations: barrier, bcast, gather, scatter, allgather, alltoall,
reduce, allreduce, reducescatter, scan, exscan.

  time      until the last rank is done, if all begin together
  messages  and bytes: what the rank sends that sends the most of them
  chain     messages one after the other, each of which needs the one before
  order     in which elements are combined: canonical gives the same bits as
            every other canonical algorithm, unordered may swap operands
  cost      p ranks, n bytes, α for each message, β for each byte, γ for each
            byte combined

Blocking calls among the ranks of one host may go through memory that these
share instead. That form has no steps, and is not predicted: it was measured
where it is the faster one.
`

const explainExamples = `
Examples
  muster explain allreduce --size 1MiB -n 12 --hosts 3
  muster explain bcast --size 256KiB -n 8 --using chain --draw chain.svg
  muster explain reduce -n 5 --root 2 --steps all
  muster explain allgather --size 4KiB -n 64 --table here.tune

Exit code
  0 if the call can be carried out; 64 if the command line is wrong, or the
  algorithm asked for cannot carry it out; 66 if the table cannot be read; 72 if
  the picture cannot be written.
`

func explainHelp() string {
	var b strings.Builder
	b.WriteString(explainSynopsis)
	flagsHelp(&b, explainFlags)
	b.WriteString(explainExamples)
	return b.String()
}

// An explanation is what muster explain prints.
type explanation struct {
	Operation   string       `json:"operation"`
	Bytes       int          `json:"bytes"`
	Element     string       `json:"element,omitempty"`
	Count       int          `json:"count,omitempty"`
	Ranks       int          `json:"ranks"`
	Hosts       int          `json:"hosts"`
	Transport   string       `json:"transport"`
	Order       string       `json:"order,omitempty"` // to be kept at least
	Algorithm   string       `json:"algorithm"`       // of calls by messages
	Why         string       `json:"why"`
	Shared      bool         `json:"shared_memory"` // blocking calls go that way
	WhyShared   string       `json:"shared_memory_why"`
	Predictions []prediction `json:"predictions"`
}

// A prediction is about one algorithm. Without Refused and TooLong it has all else.
type prediction struct {
	Name        string `json:"name"`
	Refused     string `json:"refused,omitempty"`
	TooLong     bool   `json:"too_long_to_walk,omitempty"`
	Nanoseconds int64  `json:"ns,omitempty"`
	Messages    int    `json:"messages,omitempty"`
	SentBytes   int64  `json:"sent_bytes,omitempty"`
	Chain       int    `json:"chain,omitempty"`
	Order       string `json:"order,omitempty"`
	Cost        string `json:"cost"`
	Source      string `json:"source"`
}

// explain is muster explain.
func explain(args []string, stdout, stderr io.Writer) int {
	l, err := parseExplain(args)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, explainHelp())
		return 0
	}
	var table *tune.Table
	if l.table != "" {
		if table, err = readTable(l.table); err != nil {
			return failed(stderr, launcher.ExitSpawn, fmt.Errorf("--table: %w", err))
		}
	}
	x, chosen, err := l.explain(table)
	if err != nil {
		return failed(stderr, launcher.ExitUsage, err)
	}
	show := x.write
	switch {
	case l.json:
		show = x.writeJSON
	case l.steps != "":
		show = func(w io.Writer) error { return l.writeSteps(w, chosen) }
	}
	if l.draw != "" || l.steps != "" {
		if err := l.drawable(x, chosen); err != nil {
			return failed(stderr, launcher.ExitUsage, err)
		}
	}
	if err := show(stdout); err != nil {
		return failed(stderr, launcher.ExitResource, err)
	}
	if l.draw != "" {
		if err := l.writePicture(chosen); err != nil {
			return failed(stderr, launcher.ExitResource, fmt.Errorf("--draw: %w", err))
		}
	}
	return 0
}

// failed says what is wrong and returns the code.
func failed(stderr io.Writer, code int, err error) int {
	fmt.Fprintf(stderr, "muster: %s\n", output.Escape(err.Error()))
	return code
}

// readTable reads a table that muster tune wrote; the error names file, line and
// column.
func readTable(name string) (*tune.Table, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t, err := tune.Parse(string(text))
	var at *tune.SyntaxError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, at.Message)
	}
	return t, err
}

// explain finds out what there is to say, and returns the algorithm of calls by
// messages; that has no name if the form in shared memory was asked for.
func (l *explainLine) explain(table *tune.Table) (*explanation, tune.Choice, error) {
	c := l.call(0)
	x := &explanation{Operation: l.op.String(), Ranks: l.ranks, Hosts: l.hosts, Transport: l.transport}
	if l.op != schedule.Barrier {
		x.Bytes, x.Element, x.Count = l.bytes, l.element.name, c.Count
	}
	if l.op.Reduces() {
		x.Order = l.order().String()
	}
	q := tune.Query{Call: &c, Width: l.element.width, Order: l.order(), Using: l.using}
	params := tune.Params(linkOf[l.transport], tune.TCP)
	x.Shared, x.WhyShared = l.shared(table, tune.Bytes(&c, l.element.width))
	var choice tune.Choice
	if l.using == tune.SharedForm {
		if l.hosts > 1 || l.transport == "unix" || l.transport == "tcp" || l.ranks > tune.MaxSharers || l.ranks == 1 {
			return nil, choice, fmt.Errorf("--using: %q cannot be used: %s", l.using, x.WhyShared)
		}
		x.Shared, x.WhyShared, x.Why = true, "asked for", "calls that do not block have no form in shared memory"
	} else {
		var err error
		if choice, err = tune.New(table, params).Choose(q); err != nil {
			return nil, choice, fmt.Errorf("--using: %w", err)
		}
		x.Algorithm, x.Why = choice.Name, choice.Why
	}
	for _, p := range tune.Predict(q, params) {
		o := prediction{Name: p.Name, Refused: p.Refused, TooLong: p.TooLong, Cost: p.Cost, Source: p.Source,
			Nanoseconds: p.Time.Nanoseconds(), Messages: p.Messages, SentBytes: p.Sent, Chain: p.Steps}
		if l.op.Reduces() {
			o.Order = p.Bracketing.String()
		}
		x.Predictions = append(x.Predictions, o)
	}
	return x, choice, nil
}

// shared returns whether blocking calls go through shared memory, and why.
func (l *explainLine) shared(table *tune.Table, bytes int) (bool, string) {
	switch {
	case l.ranks == 1:
		return false, "there is one rank"
	case l.hosts > 1:
		return false, "ranks of several hosts share no memory"
	case l.transport == "unix" || l.transport == "tcp":
		return false, "with --transport " + l.transport + " ranks share no memory"
	case l.using != "" && l.using != tune.SharedForm:
		return false, "another algorithm is asked for"
	}
	s, why := tune.Share(table, l.op, l.ranks, l.order(), l.transport == "local")
	if l.op != schedule.Barrier {
		why += ": calls " + s.String()
	}
	return s.At(bytes), why
}

func (x *explanation) writeJSON(w io.Writer) error { return writeJSON(w, x) }

// write prints x for people.
func (x *explanation) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", x.title())
	messages := x.Algorithm
	if messages == "" {
		messages = "none"
	}
	if x.Shared {
		fmt.Fprintf(&b, "blocking calls  %s (%s)\nother calls     %s (%s)\n\n", tune.SharedForm, x.WhyShared, messages, x.Why)
	} else {
		fmt.Fprintf(&b, "all calls       %s (%s)\n", messages, x.Why)
		fmt.Fprintf(&b, "shared memory   not for this call (%s)\n\n", x.WhyShared)
	}
	x.table(&b)
	if p := x.Bytes / max(x.width(), 1); p > 0 && p&(p-1) != 0 {
		b.WriteString("\nA choice by prediction is that for the power of two below the count of elements.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// width is how many bytes an element has; 0 if there are none.
func (x *explanation) width() int {
	if x.Count == 0 {
		return 0
	}
	return x.Bytes / x.Count
}

// title says which call x is about.
func (x *explanation) title() string {
	text := x.Operation
	if x.Element != "" {
		text += fmt.Sprintf(" of %s (%s of %s)", binary(int64(x.Bytes)), count(x.Count, "element"), x.Element)
	}
	text += ", " + count(x.Ranks, "rank")
	switch {
	case x.Hosts > 1:
		text += fmt.Sprintf(" on %d hosts, %s and tcp", x.Hosts, x.Transport)
	case x.Transport == "local":
		text += " of one process"
	default:
		text += " of one host, " + x.Transport
	}
	if x.Order != "" {
		text += ", order " + x.Order
	}
	return text
}

// table writes what was predicted, and below it what was not, and the sources.
func (x *explanation) table(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "\talgorithm\ttime\tmessages\tbytes\tchain\torder\n")
	for _, p := range x.Predictions {
		mark := ""
		if p.Name == x.Algorithm {
			mark = "*"
		}
		switch {
		case p.Refused != "":
			continue
		case p.TooLong:
			fmt.Fprintf(t, "%s\t%s\ttoo long to walk\t\t\t\t%s\n", mark, p.Name, or(p.Order, "-"))
		default:
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%s\n", mark, p.Name, micros(p.Nanoseconds), p.Messages, binary(p.SentBytes), p.Chain, or(p.Order, "-"))
		}
	}
	t.Flush()
	for i, p := range x.refused() {
		if i == 0 {
			b.WriteString("\ncannot carry it out\n")
		}
		fmt.Fprintf(b, "  %s: %s\n", p.Name, p.Refused)
	}
	b.WriteString("\ncosts and sources\n")
	for _, p := range x.Predictions {
		if p.Refused == "" {
			fmt.Fprintf(b, "  %s: %s\n      %s\n", p.Name, p.Cost, p.Source)
		}
	}
}

func (x *explanation) refused() (list []prediction) {
	for _, p := range x.Predictions {
		if p.Refused != "" {
			list = append(list, p)
		}
	}
	return list
}

// micros is a time as tables show it.
func micros(ns int64) string { return strconv.FormatFloat(float64(ns)/1e3, 'f', 2, 64) + "us" }

// binary is a number of bytes, with the largest binary unit that divides it.
func binary(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
