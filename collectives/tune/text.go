package tune

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// The text of a table, for people to read and edit:
//
//	machine  2 cores of a Xeon 8481C, Linux 6.1
//	date     2026-11-26
//	commit   9f46639
//	command  muster tune --ranks 2,8
//
//	# Small vectors are a matter of steps, long ones of bytes.
//	allreduce ranks=8 hosts=one order=canonical
//	    below 8KiB  shared-memory or recursive-doubling
//	    else        rabenseifner
//
// Blocking calls of fewer than 8 KiB go through shared memory there, all others by
// messages.
//
// Lines of space, or that begin with #, say nothing. Operations that do not reduce
// have no order. Bounds are bytes, or KiB, MiB or GiB.

var orderNames = [...]string{algo.Unordered: "any", algo.Ordered: "ordered", algo.Canonical: "canonical"}

// SyntaxError says what is wrong with the text of a table and where.
type SyntaxError struct {
	Line, Column int // from 1, columns in bytes
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("tune: line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// String returns the line that begins an entry.
func (c Case) String() string {
	hosts, order := "one", ""
	if c.Hosts {
		hosts = "many"
	}
	if c.Op.Reduces() {
		order = " order=" + orderNames[c.Order]
	}
	return fmt.Sprintf("%v ranks=%d hosts=%s%s", c.Op, c.Ranks, hosts, order)
}

// String returns the text of t, which Parse reads. Space in the head comes out as
// single blanks, since each of its values is one line.
func (t *Table) String() string {
	var b strings.Builder
	for _, h := range t.head() {
		if value := strings.Join(strings.Fields(*h.value), " "); value != "" {
			fmt.Fprintf(&b, "%-8s %s\n", h.key, value)
		}
	}
	for i := range t.Entries {
		b.WriteByte('\n')
		t.Entries[i].format(&b)
	}
	return b.String()
}

type headLine struct {
	key   string
	value *string
}

func (t *Table) head() []headLine {
	return []headLine{{"machine", &t.Machine}, {"date", &t.Date}, {"commit", &t.Commit}, {"command", &t.Command}}
}

func (e *Entry) format(b *strings.Builder) {
	fmt.Fprintf(b, "%v\n", e.Case)
	for _, u := range e.Uses {
		fmt.Fprintf(b, "    %-13s %s\n", u.bound(), u.name())
	}
}

// name returns the text of what carries calls out.
func (u Use) name() string {
	if u.Shared {
		return SharedForm + " or " + u.Name
	}
	return u.Name
}

// bound returns the text of a bound.
func (u Use) bound() string {
	if u.Below == 0 {
		return "else"
	}
	return "below " + formatBytes(u.Below)
}

var units = []struct {
	suffix string
	bytes  int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

func formatBytes(n int) string {
	for _, u := range units {
		if n%u.bytes == 0 {
			return strconv.Itoa(n/u.bytes) + u.suffix
		}
	}
	panic("unreachable")
}

// parseBytes reads a positive number of bytes.
func parseBytes(s string) (int, bool) {
	for _, u := range units {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.Atoi(digits)
			return n * u.bytes, err == nil && 0 < n && n <= math.MaxInt/u.bytes
		}
	}
	return 0, false
}

// Parse reads the text of a table; errors are of type *SyntaxError.
func Parse(text string) (*Table, error) {
	p := parser{table: new(Table)}
	for line := range strings.Lines(text) {
		p.line++
		p.words = fields(line)
		if len(p.words) == 0 || strings.HasPrefix(p.words[0].text, "#") {
			continue
		}
		if err := p.parseLine(line); err != nil {
			return nil, err
		}
	}
	if err := p.endEntry(); err != nil {
		return nil, err
	}
	for _, h := range p.table.head() {
		if *h.value == "" {
			return nil, &SyntaxError{p.line + 1, 1, "the head has no line " + strconv.Quote(h.key)}
		}
	}
	return p.table, nil
}

type word struct {
	text   string
	column int
}

// fields cuts a line at its space.
func fields(line string) (list []word) {
	for rest, at := line, 0; ; {
		trimmed := strings.TrimLeft(rest, " \t\r\n")
		at += len(rest) - len(trimmed)
		if trimmed == "" {
			return list
		}
		end := strings.IndexAny(trimmed, " \t\r\n")
		if end < 0 {
			end = len(trimmed)
		}
		list = append(list, word{trimmed[:end], at + 1})
		rest, at = trimmed[end:], at+end
	}
}

type parser struct {
	table *Table
	line  int
	words []word

	entry   *Entry // not ended yet; nil: in the head
	started int    // line on which it began
}

// wrong returns an error at word i, or behind the last one.
func (p *parser) wrong(i int, format string, args ...any) error {
	column := 1
	if i < len(p.words) {
		column = p.words[i].column
	} else if last := len(p.words) - 1; last >= 0 {
		column = p.words[last].column + len(p.words[last].text)
	}
	return &SyntaxError{p.line, column, fmt.Sprintf(format, args...)}
}

func (p *parser) parseLine(line string) error {
	first := p.words[0].text
	if first == "below" || first == "else" {
		return p.parseUse()
	}
	for _, h := range p.table.head() {
		if h.key != first {
			continue
		}
		value := strings.Join(strings.Fields(line)[1:], " ")
		switch {
		case p.entry != nil:
			return p.wrong(0, "the head ends where the entries begin")
		case *h.value != "":
			return p.wrong(0, "a second line %q", first)
		case value == "":
			return p.wrong(1, "wants what the %s is", first)
		}
		*h.value = value
		return nil
	}
	return p.parseCase()
}

// parseCase begins an entry.
func (p *parser) parseCase() error {
	if err := p.endEntry(); err != nil {
		return err
	}
	c := Case{Op: schedule.Operations}
	for op := range schedule.Operations {
		if op.String() == p.words[0].text {
			c.Op = op
		}
	}
	if c.Op == schedule.Operations {
		return p.wrong(0, "%q is no operation, no line of the head, and no bound", p.words[0].text)
	}
	keys := []string{"ranks", "hosts", "order"}
	if !c.Op.Reduces() {
		keys = keys[:2]
	}
	for i, key := range keys {
		if i+1 >= len(p.words) {
			return p.wrong(i+1, "wants %s=", key)
		}
		value, ok := strings.CutPrefix(p.words[i+1].text, key+"=")
		if !ok || !c.set(key, value) {
			return p.wrong(i+1, "%q: wants %s", p.words[i+1].text, caseValues[key])
		}
	}
	if len(p.words) > len(keys)+1 {
		return p.wrong(len(keys)+1, "%q is too much", p.words[len(keys)+1].text)
	}
	for i := range p.table.Entries {
		if p.table.Entries[i].Case == c {
			return p.wrong(0, "a second entry for %v", c)
		}
	}
	p.entry, p.started = &Entry{Case: c}, p.line
	return nil
}

var caseValues = map[string]string{
	"ranks": "ranks=N, from 1 to 2147483647",
	"hosts": "hosts=one or hosts=many",
	"order": "order=any, order=ordered or order=canonical",
}

// set sets what key names and reports whether value can be that.
func (c *Case) set(key, value string) bool {
	switch key {
	case "ranks":
		n, err := strconv.ParseInt(value, 10, 32)
		c.Ranks = int(n)
		return err == nil && n > 0
	case "hosts":
		c.Hosts = value == "many"
		return c.Hosts || value == "one"
	}
	i := slices.Index(orderNames[:], value)
	c.Order = algo.Bracketing(max(i, 0))
	return i >= 0
}

// parseUse reads a line of an entry.
func (p *parser) parseUse() error {
	if p.entry == nil {
		return p.wrong(0, "a bound before any entry")
	}
	var u Use
	name := 1
	if p.words[0].text == "below" {
		name = 2
		if len(p.words) < 2 {
			return p.wrong(1, "wants a bound, such as 4KiB")
		}
		n, ok := parseBytes(p.words[1].text)
		if !ok {
			return p.wrong(1, "%q is no bound: wants a positive number of bytes, KiB, MiB or GiB", p.words[1].text)
		}
		u.Below = n
	}
	if len(p.words) > name+1 && p.words[name].text == SharedForm && p.words[name+1].text == "or" {
		u.Shared = true
		name += 2
	}
	uses := p.entry.Uses
	switch {
	case len(p.words) <= name:
		return p.wrong(name, "wants the name of an algorithm")
	case len(p.words) > name+1:
		return p.wrong(name+1, "%q is too much", p.words[name+1].text)
	case len(uses) > 0 && uses[len(uses)-1].Below == 0:
		return p.wrong(0, "a bound after else")
	case len(uses) > 0 && u.Below != 0 && u.Below <= uses[len(uses)-1].Below:
		return p.wrong(1, "%q is not above the bound before", p.words[1].text)
	}
	u.Name = p.words[name].text
	if why := p.entry.checkUse(u); why != "" {
		return p.wrong(name, "%s", why)
	}
	p.entry.Uses = append(uses, u)
	return nil
}

// endEntry adds the entry that was read to the table.
func (p *parser) endEntry() error {
	if p.entry == nil {
		return nil
	}
	if uses := p.entry.Uses; len(uses) == 0 || uses[len(uses)-1].Below != 0 {
		return &SyntaxError{p.started, 1, fmt.Sprintf("%v wants a last line: else NAME", p.entry.Case)}
	}
	p.table.Entries = append(p.table.Entries, *p.entry)
	p.entry = nil
	return nil
}
