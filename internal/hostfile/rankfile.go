package hostfile

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxRank = 1<<16 - 1
	maxCPU  = 1<<16 - 1 // a CPU, a socket, a core of one
)

// A Rankfile says where single ranks run.
type Rankfile struct {
	Name string // what errors call it
	Pins []Pin  // in the order of the file, each rank once
}

// A Pin is a line of a rank file.
type Pin struct {
	Rank   int
	Host   string // a name or an address; empty where Nth counts
	User   string // "": not said
	Nth    int    // of the job's hosts, from 0, as in +n2; -1: Host says which
	Socket int    // -1: not said
	CPUs   []int  // cores of that socket, from 0, or else the system's numbers of CPUs; nil: all
	Line   int
	Column int // of the host
}

// Wrong is the error of a line that is well written but makes no sense.
func (f *Rankfile) Wrong(p Pin, problem string) error {
	text := p.Host
	if text == "" {
		text = "+n" + strconv.Itoa(p.Nth)
	}
	return &Error{File: f.Name, Line: p.Line, Column: p.Column, Text: text, Problem: problem}
}

// ParseRankfile reads a rank file of Open MPI's grammar. These are lines of it:
//
//	rank 0=node1 slot=1:0-2     cores 0 to 2 of socket 1
//	rank 1=node2 slot=0:*       all of socket 0
//	rank 2=node2 slot=4,6-7     CPUs by the system's numbers
//	rank 3=+n0 slot=*           all of the first of the job's hosts
//	rank 4=::1                  likewise
//
// Open MPI takes numbers without a socket for its own count of cores: that
// differs from the system's where cores have several hardware threads.
func ParseRankfile(r io.Reader, name string) (*Rankfile, error) {
	f := &Rankfile{Name: name}
	lines := make(map[int]int) // by rank
	total := 0                 // CPUs
	n, err := scan(r, name, func(text string, line int) *mistake {
		w := equations(text)
		if len(w) == 0 {
			return nil
		}
		p, m := parsePin(w, place(len(text)))
		if m != nil {
			return m
		}
		if lines[p.Rank] != 0 {
			return &mistake{w[1].at, w[1].text, fmt.Sprintf("rank %d has line %d already", p.Rank, lines[p.Rank])}
		}
		if total += len(p.CPUs); total > maxTotal {
			return &mistake{w[6].at, w[6].text, fmt.Sprintf("expected %d CPUs at most of all ranks together", maxTotal)}
		}
		lines[p.Rank] = line
		p.Line, p.Column = line, column(text, w[3].at)
		f.Pins = append(f.Pins, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(f.Pins) == 0 {
		return nil, &Error{File: name, Line: max(n, 1), Column: 1, Problem: "the file names no rank"}
	}
	return f, nil
}

// equations splits a line at blanks, and around equals signs.
func equations(text string) []word {
	var all []word
	for _, w := range words(text) {
		for {
			i := strings.IndexByte(w.text, '=')
			if i < 0 {
				break
			}
			if i > 0 {
				all = append(all, word{w.text[:i], w.at})
			}
			all = append(all, word{"=", w.at + place(i)})
			w = word{w.text[i+1:], w.at + place(i+1)}
		}
		if w.text != "" {
			all = append(all, w)
		}
	}
	return all
}

// parsePin reads rank N = HOST [slot = LIST]; end is where the line ends.
func parsePin(w []word, end place) (Pin, *mistake) {
	p := Pin{Nth: -1, Socket: -1}
	expect := func(i int, what string) *mistake {
		if i < len(w) {
			return &mistake{w[i].at, w[i].text, "expected " + what}
		}
		return &mistake{end, "", "expected " + what + " at the end of the line"}
	}
	is := func(i int, texts ...string) bool {
		for _, t := range texts {
			if i < len(w) && w[i].text == t {
				return true
			}
		}
		return false
	}
	if !is(0, "rank") {
		return p, expect(0, "rank N=HOST slot=LIST")
	}
	var ok bool
	if len(w) > 1 {
		p.Rank, ok = counted(w[1].text, maxRank)
	}
	if !ok {
		return p, expect(1, fmt.Sprintf("a rank, 0 to %d", maxRank))
	}
	if !is(2, "=") {
		return p, expect(2, "an equals sign and a host")
	}
	if len(w) < 4 || is(3, "=") {
		return p, expect(3, "a host")
	}
	if m := p.setHost(w[3]); m != nil {
		return p, m
	}
	if len(w) == 4 {
		return p, nil
	}
	switch {
	case !is(4, "slot", "slots"):
		return p, expect(4, "slot=LIST")
	case !is(5, "="):
		return p, expect(5, "an equals sign")
	case len(w) < 7 || is(6, "="):
		return p, expect(6, "a list of CPUs as in 4,6-7, or of a socket's cores as in 1:0-2")
	case len(w) > 7:
		return p, expect(7, "nothing more on the line; lists have no blanks")
	}
	return p, p.setSlots(w[6])
}

func (p *Pin) setHost(w word) *mistake {
	if nth, ok := strings.CutPrefix(strings.ToLower(w.text), "+n"); ok {
		if p.Nth, ok = counted(nth, MaxHosts-1); !ok {
			return &mistake{w.at, w.text, "expected a number behind +n: which of the job's hosts, from 0"}
		}
		return nil
	}
	it, m := parseItem(w.text, w.at)
	switch {
	case m != nil:
		return m
	case it.slots != 0 || len(it.names) != 1:
		return &mistake{w.at, w.text, "expected one host, without slots"}
	}
	p.Host, p.User = it.names[0], it.user
	return nil
}

// setSlots reads [SOCKET:]NUMBERS, where * is all numbers.
func (p *Pin) setSlots(w word) *mistake {
	list, at := w.text, w.at
	if socket, rest, ok := strings.Cut(list, ":"); ok {
		if p.Socket, ok = counted(socket, maxCPU); !ok {
			return &mistake{w.at, w.text, "expected the number of a socket before the colon"}
		}
		list, at = rest, at+place(len(socket)+1)
	}
	if list == "*" {
		return nil
	}
	cpus, ok := Numbers(list)
	if !ok {
		return &mistake{at, list, fmt.Sprintf("expected numbers, 0 to %d, as in 4,6-7", maxCPU)}
	}
	p.CPUs = cpus
	return nil
}

// counted reads a decimal number from 0 to limit, without a sign.
func counted(s string, limit int) (int, bool) {
	if strings.Trim(s, "0") == "" {
		return 0, s != ""
	}
	return number(s, limit)
}

// Numbers reads a list of numbers such as 0-3,8, as Linux writes sets of CPUs. ok is
// false if it is none, or longer than a host with its CPUs could have one.
func Numbers(text string) (numbers []int, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		low, ok1 := counted(first, maxCPU)
		high, ok2 := counted(last, maxCPU)
		if !ok1 || !ok2 || low > high || len(numbers)+high-low > maxCPU {
			return nil, false
		}
		for n := low; n <= high; n++ {
			numbers = append(numbers, n)
		}
	}
	return numbers, true
}

// Hosts returns the hosts that the file names, each once and with a slot for each
// of its ranks, for a job whose hosts nothing else names.
func (f *Rankfile) Hosts() ([]Host, error) {
	var all list
	for _, p := range f.Pins {
		if p.Nth >= 0 {
			return nil, f.Wrong(p, "expected a host's name, where neither --host nor --hostfile nor a batch system names hosts")
		}
		if m := all.add(Host{Name: p.Host, User: p.User, Slots: 1, Counted: true, Line: p.Line}, 0, p.Host); m != nil {
			return nil, f.Wrong(p, m.problem)
		}
	}
	return all.hosts, nil
}
