package hostfile

import "strings"

// ParseList reads the argument of --host: [user@]host[:slots], several of them
// with commas between. A host may be one of Slurm's lists, as in n[1-4]:2. One
// that is named several times has the slots of all.
func ParseList(text string) ([]Host, error) {
	var all list
	for _, part := range splitList(text) {
		if part.text == "" {
			return nil, (&mistake{part.at, "", "expected a host"}).in("", 0, text)
		}
		it, m := parseItem(part.text, part.at)
		if m == nil {
			m = all.addItem(it, Host{User: it.user, Slots: it.slots}, part.at, part.text)
		}
		if m != nil {
			return nil, m.in("", 0, text)
		}
	}
	hosts, _ := all.done() // without max_slots, nothing can be in conflict
	return hosts, nil
}

// ParsePairs reads the value of LSF's LSB_MCPU_HOSTS: hosts and slots in turn.
// name is what errors call it.
func ParsePairs(text, name string) ([]Host, error) {
	var all list
	w := words(text)
	if len(w) == 0 {
		return nil, &Error{File: name, Column: 1, Problem: "expected hosts and slots in turn"}
	}
	for ; len(w) > 1; w = w[2:] {
		if m := all.addPair(w[0], w[1], 0); m != nil {
			return nil, m.in(name, 0, text)
		}
	}
	if len(w) == 1 {
		return nil, (&mistake{w[0].at, w[0].text, "expected a number of slots behind the host"}).in(name, 0, text)
	}
	hosts, _ := all.done()
	return hosts, nil
}

// splitList splits text at the commas that are in no brackets. Blanks around the
// parts do not count.
func splitList(text string) []word {
	var parts []word
	depth, start := 0, 0
	for i := range len(text) + 1 {
		switch {
		case i == len(text) || text[i] == ',' && depth <= 0:
			part := strings.TrimLeft(text[start:i], " \t")
			at := i - len(part)
			parts = append(parts, word{strings.TrimRight(part, " \t"), place(at)})
			start = i + 1
		case text[i] == '[':
			depth++
		case text[i] == ']':
			depth--
		}
	}
	return parts
}
