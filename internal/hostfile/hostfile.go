// Package hostfile reads the lists of hosts that launchers and schedulers write:
// host files of Open MPI and MPICH, the node files of PBS, LSF and SGE, the
// argument of --host, and Slurm's compressed lists; and rank files.
//
// A host file has one host a line. These are lines of it:
//
//	node1                       # one slot; three such lines are three slots
//	node1 slots=4 max_slots=8   Open MPI's; cpu= and count= say the same as slots=
//	alice@node1 port=2222       so do user=, username= and user-name= as alice@
//	node1:4 binding=core        MPICH's
//	node1 4 all.q@node1 UNDEFINED     SGE's: slots, queue, processors
//	node1 4 node2 2             LSF's, as in LSB_MCPU_HOSTS: hosts and slots in turn
//	n[1-3,07-12]-ib slots=2     Slurm's: every host of the list with two slots
//	::1
//	[fe80::1%eth0]:4            an IPv6 address has brackets where slots follow
//
// What follows # or // is a comment, as is what stands between /* and */.
//
// A host that is named on several lines has the slots of all of them, as PBS and
// SGE mean it and MPICH does it. (Open MPI adds up lines without slots= as well,
// but refuses a host with two lines that have it.) A line without a number is one
// slot, as with PBS, LSF and MPICH, where Open MPI takes the host's cores: those
// are not known here. Where a line has max_slots= alone, that is the number of
// slots too, as Open MPI has it.
//
// No input makes Parse hold more than MaxHosts hosts. Errors are of type
// *Error and say where the text is wrong and what was expected.
package hostfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	MaxHosts = 1 << 16 // hosts in a list
	MaxSlots = 1 << 16 // slots of a host

	maxTotal = 1 << 22  // slots of all hosts: what a list costs to read is bounded too
	maxFile  = 64 << 20 // bytes
	maxLine  = 1 << 20
)

// Host is one host of a list.
type Host struct {
	Name    string // as ssh takes it; an IPv6 address without brackets
	User    string // "": ssh's own choice
	Port    int    // of its ssh server; 0: ssh's own choice
	Slots   int    // ranks it is meant for, 1 or more
	Max     int    // ranks it takes even if oversubscribed; 0: any number
	Counted bool   // the list says how many slots, by a number or by repetition
	Binding string // of MPICH's binding=, as it stands there
	Line    int    // where it was first named, from 1; 0 in a list without lines
}

// String writes the host as --host takes it; without max_slots and port.
func (h Host) String() string {
	text := h.Name
	if h.Counted && strings.Contains(text, ":") {
		text = "[" + text + "]"
	}
	if h.User != "" {
		text = h.User + "@" + text
	}
	if h.Counted {
		text += ":" + strconv.Itoa(h.Slots)
	}
	return text
}

// An Error is a list that cannot be read.
type Error struct {
	File    string // of the list, or the variable that holds it; may be empty
	Line    int    // from 1; 0 in a list without lines
	Column  int    // in characters, from 1
	Text    string // what stands there
	Problem string // what is wrong or was expected
}

func (e *Error) Error() string {
	var where string
	switch {
	case e.Line > 0:
		where = fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	case e.File != "":
		where = fmt.Sprintf("%s: character %d: ", e.File, e.Column)
	default:
		where = fmt.Sprintf("character %d: ", e.Column)
	}
	if e.Text == "" {
		return where + e.Problem
	}
	return where + clip(e.Text) + ": " + e.Problem
}

// clip shows text so that it is harmless, its ends are seen, and it is short.
func clip(text string) string {
	const longest = 60
	if len(text) > longest {
		return fmt.Sprintf("%q…", text[:longest])
	}
	return fmt.Sprintf("%q", text)
}

// A place is where in a line something stands: the bytes before it.
type place int

// A mistake is an error whose file and line are not known yet.
type mistake struct {
	at      place
	text    string
	problem string
}

func (m *mistake) in(file string, line int, text string) *Error {
	return &Error{File: file, Line: line, Column: column(text, m.at), Text: m.text, Problem: m.problem}
}

// column counts characters, from 1.
func column(text string, at place) int { return utf8.RuneCountInString(text[:at]) + 1 }

// Parse reads a host file. name is what errors call it. A file without hosts is
// an error.
func Parse(r io.Reader, name string) ([]Host, error) {
	var all list
	n, err := scan(r, name, all.addLine)
	if err != nil {
		return nil, err
	}
	hosts, c := all.done()
	if c != nil {
		return nil, &Error{File: name, Line: c.line, Column: 1, Text: c.text, Problem: c.problem}
	}
	if len(hosts) == 0 {
		return nil, &Error{File: name, Line: max(n, 1), Column: 1, Problem: "the file names no host"}
	}
	return hosts, nil
}

// scan calls take with every line of r, without its comments, and its number. It
// returns how many there are.
func scan(r io.Reader, name string, take func(text string, line int) *mistake) (int, error) {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxLine)
	n, inComment := 0, false
	for lines.Scan() {
		n++
		text := lines.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		var plain string
		plain, inComment = withoutComments(text, inComment)
		if m := take(plain, n); m != nil {
			return n, m.in(name, n, text)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return n, &Error{File: name, Line: n + 1, Column: 1, Problem: fmt.Sprintf("a line of more than %d bytes", maxLine)}
	case err != nil:
		return n, fmt.Errorf("%s: %w", name, err)
	case limited.N == 0:
		return n, &Error{File: name, Line: n, Column: 1, Problem: fmt.Sprintf("a file of more than %d bytes", maxFile)}
	}
	return n, nil
}

// withoutComments puts blanks in place of comments, byte for byte, so that places
// stay what they are. Whether a comment is open at the beginning of the line goes in, and at its
// end comes out.
func withoutComments(text string, inside bool) (string, bool) {
	if !inside && !strings.ContainsAny(text, "#/") {
		return text, false
	}
	b := []byte(text)
	for i := 0; i < len(b); i++ {
		rest := text[i:]
		switch {
		case inside && strings.HasPrefix(rest, "*/"):
			b[i], b[i+1] = ' ', ' '
			i++
			inside = false
		case inside:
			b[i] = ' '
		case strings.HasPrefix(rest, "/*"):
			b[i], b[i+1] = ' ', ' '
			i++
			inside = true
		case b[i] == '#' || strings.HasPrefix(rest, "//"):
			return string(b[:i]), false
		}
	}
	return string(b), inside
}
