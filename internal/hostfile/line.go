package hostfile

import (
	"fmt"
	"slices"
	"strings"
)

// A list collects hosts, each once.
type list struct {
	hosts []Host
	at    map[key]int // index into hosts
	slots int         // of all hosts
}

// A key tells hosts apart: ssh servers on two ports of a name are two.
type key struct {
	name string
	port int
}

// A conflict is a mistake that shows when all lines are read.
type conflict struct {
	line          int
	text, problem string
}

// done returns the hosts in the order in which they were first named.
func (l *list) done() ([]Host, *conflict) {
	for _, h := range l.hosts {
		if h.Max > 0 && h.Slots > h.Max {
			return nil, &conflict{h.Line, h.Name, fmt.Sprintf("%d slots are more than max_slots=%d", h.Slots, h.Max)}
		}
	}
	return l.hosts, nil
}

// add adds h, or its slots where it is there already. at and text are where its
// name stands.
func (l *list) add(h Host, at place, text string) *mistake {
	if l.at == nil {
		l.at = make(map[key]int)
	}
	if l.slots += h.Slots; l.slots > maxTotal {
		return &mistake{at, text, fmt.Sprintf("expected %d slots at most on all hosts together", maxTotal)}
	}
	k := key{h.Name, h.Port}
	i, ok := l.at[k]
	if !ok {
		if len(l.hosts) == MaxHosts {
			return &mistake{at, text, fmt.Sprintf("expected %d hosts at most", MaxHosts)}
		}
		l.at[k] = len(l.hosts)
		l.hosts = append(l.hosts, h)
		return nil
	}
	old := &l.hosts[i]
	again := func(what, before, now string) *mistake {
		return &mistake{at, text, fmt.Sprintf("%s has %s here and %s before", h.Name, what+now, what+before)}
	}
	switch {
	case old.Slots+h.Slots > MaxSlots:
		return &mistake{at, text, fmt.Sprintf("%s has %d slots now: expected %d at most", h.Name, old.Slots+h.Slots, MaxSlots)}
	case old.User != "" && h.User != "" && old.User != h.User:
		return again("user ", old.User, h.User)
	case old.Max != 0 && h.Max != 0 && old.Max != h.Max:
		return again("max_slots=", fmt.Sprint(old.Max), fmt.Sprint(h.Max))
	case old.Binding != "" && h.Binding != "" && old.Binding != h.Binding:
		return again("binding=", old.Binding, h.Binding)
	}
	old.Slots += h.Slots
	old.Counted = true
	if old.User == "" {
		old.User = h.User
	}
	if old.Binding == "" {
		old.Binding = h.Binding
	}
	old.Max = max(old.Max, h.Max)
	return nil
}

// addItem adds the hosts of an item. What is said of all of them is in h.
func (l *list) addItem(it item, h Host, at place, text string) *mistake {
	h.Counted = h.Slots > 0
	if h.Slots == 0 {
		h.Slots = 1
	}
	for _, name := range it.names {
		h.Name = name
		if m := l.add(h, at, text); m != nil {
			return m
		}
	}
	return nil
}

// A word is a part of a line between blanks.
type word struct {
	text string
	at   place
}

func words(text string) []word {
	var all []word
	start := -1
	for i := range len(text) + 1 {
		blank := i == len(text) || strings.IndexByte(" \t\v\f\r", text[i]) >= 0
		switch {
		case blank && start >= 0:
			all = append(all, word{text[start:i], place(start)})
			start = -1
		case !blank && start < 0:
			start = i
		}
	}
	return all
}

// addLine adds what a line of a host file names.
func (l *list) addLine(text string, line int) *mistake {
	w := words(text)
	if len(w) == 0 {
		return nil
	}
	first := w[0]
	switch {
	case first.text == "rank" && len(w) > 1:
		return &mistake{first.at, first.text, "expected a host; a rank file goes with --rankfile"}
	case first.text[0] == '^':
		return &mistake{first.at, first.text, "expected a host; leave out the lines of hosts that are not to be used"}
	case first.text[0] == '+':
		return &mistake{first.at, first.text, "expected a host; relative names have a meaning in rank files only"}
	}
	if len(w) > 1 && isDigit(w[1].text[0]) {
		return l.addCounted(w, line)
	}
	it, m := parseItem(first.text, first.at)
	if m != nil {
		return m
	}
	h := Host{User: it.user, Slots: it.slots, Line: line}
	if m := options(&h, text, w[1:]); m != nil {
		return m
	}
	return l.addItem(it, h, first.at, first.text)
}

// addCounted adds a line of SGE's (host, slots, queue, processors) or of LSF's
// (hosts and slots in turn).
func (l *list) addCounted(w []word, line int) *mistake {
	pairs := 1
	if len(w) > 3 && isDigits(w[3].text) {
		pairs = (len(w) + 1) / 2
	} else if len(w) > 4 {
		return &mistake{w[4].at, w[4].text, "expected no more than host, slots, queue and processors, or hosts and slots in turn"}
	}
	for i := range pairs {
		if 2*i+1 == len(w) {
			return &mistake{w[2*i].at, w[2*i].text, "expected a number of slots behind the host"}
		}
		if m := l.addPair(w[2*i], w[2*i+1], line); m != nil {
			return m
		}
	}
	return nil
}

func (l *list) addPair(host, slots word, line int) *mistake {
	it, m := parseItem(host.text, host.at)
	if m != nil {
		return m
	}
	n, ok := number(slots.text, MaxSlots)
	switch {
	case !ok:
		return &mistake{slots.at, slots.text, fmt.Sprintf("expected a number of slots, 1 to %d", MaxSlots)}
	case it.slots != 0:
		return &mistake{slots.at, slots.text, "the slots were said before"}
	}
	return l.addItem(it, Host{User: it.user, Slots: n, Line: line}, host.at, host.text)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// The names of options, with '-' for '_'.
var (
	slotsNames = []string{"slots", "cpu", "count"}
	maxNames   = []string{"max-slots", "slots-max", "max-cpu", "cpu-max", "max-count", "count-max"}
	userNames  = []string{"user", "username", "user-name"}
)

const expectedOption = "expected slots=N, max_slots=N, user=NAME, port=N or binding=HOW, and one host a line"

// options reads the NAME=VALUE behind a host. As Open MPI has it, there may be
// blanks around the equals sign.
func options(h *Host, text string, w []word) *mistake {
	for len(w) > 0 {
		name, value, m := assignment(&w)
		if m != nil {
			return m
		}
		if m := h.set(name, value); m != nil {
			return m
		}
	}
	if h.Max > 0 && h.Slots == 0 {
		h.Slots = h.Max
	}
	return nil
}

// assignment takes NAME=VALUE from the beginning of w.
func assignment(w *[]word) (name, value word, m *mistake) {
	name = (*w)[0]
	rest := (*w)[1:]
	before, after, found := strings.Cut(name.text, "=")
	eq := name.at + place(len(before))
	if !found {
		if len(rest) == 0 || rest[0].text[0] != '=' {
			return name, value, &mistake{name.at, name.text, expectedOption}
		}
		eq, after = rest[0].at, rest[0].text[1:]
		rest = rest[1:]
	}
	name.text = before
	value = word{after, eq + 1}
	if after == "" && len(rest) > 0 && !strings.Contains(rest[0].text, "=") {
		value, rest = rest[0], rest[1:]
	}
	*w = rest
	if value.text == "" {
		return name, value, &mistake{name.at, name.text + "=", "expected a value behind the equals sign"}
	}
	return name, value, nil
}

// set sets what the option name says.
func (h *Host) set(name, value word) *mistake {
	count := func(field *int, limit int, what string) *mistake {
		if *field != 0 {
			return &mistake{name.at, name.text, "this was said before"}
		}
		n, ok := number(value.text, limit)
		if !ok {
			return &mistake{value.at, value.text, fmt.Sprintf("expected %s, 1 to %d", what, limit)}
		}
		*field = n
		return nil
	}
	plain := strings.ReplaceAll(name.text, "_", "-")
	switch {
	case slices.Contains(slotsNames, plain):
		return count(&h.Slots, MaxSlots, "a number of slots")
	case slices.Contains(maxNames, plain):
		return count(&h.Max, MaxSlots, "a number of slots")
	case plain == "port":
		return count(&h.Port, 1<<16-1, "a port")
	case slices.Contains(userNames, plain):
		switch {
		case h.User != "":
			return &mistake{name.at, name.text, "this was said before"}
		case !isUser(value.text):
			return &mistake{value.at, value.text, "expected a user's name"}
		}
		h.User = value.text
		return nil
	case plain == "binding":
		if h.Binding != "" {
			return &mistake{name.at, name.text, "this was said before"}
		}
		h.Binding = value.text
		return nil
	}
	return &mistake{name.at, name.text, expectedOption}
}
