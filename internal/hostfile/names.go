package hostfile

import (
	"fmt"
	"net/netip"
	"strings"
)

// longestName is that of a domain name.
const longestName = 253

const expectedName = "expected a host: letters, digits, '.', '_' and '-', not beginning with '-'"

// nameByte reports whether a host's name may hold c. What a shell, ssh or a path
// could take for something else may not.
func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

func isName(s string) bool {
	if s == "" || len(s) > longestName || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return true
}

// isUser reports whether s may be a user's name: as a host's, and with '+' and '@'.
func isUser(s string) bool {
	if s == "" || len(s) > longestName || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !nameByte(s[i]) && s[i] != '+' && s[i] != '@' {
			return false
		}
	}
	return true
}

// address returns the one way to write the IPv6 address s, which may have a zone.
func address(s string) (string, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Zone() != "" && !isName(a.Zone()) {
		return "", false
	}
	return a.String(), true
}

// ValidName reports whether s may be the name of a host: letters, digits, '.', '_'
// and '-', or an IPv6 address without brackets. Such a name can be no option of
// ssh and means nothing to a shell.
func ValidName(s string) bool {
	_, ok := address(s)
	return ok || isName(s)
}

// An item is one entry of a list: names that have user and slots in common.
type item struct {
	names []string
	user  string
	slots int // 0: not said
}

// parseItem reads [user@]hosts[:slots], which begins at the given place of its
// line.
func parseItem(text string, at place) (item, *mistake) {
	var it item
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		it.user = text[:i]
		if !isUser(it.user) {
			return it, &mistake{at, text[:i], "expected a user's name before the @"}
		}
		text, at = text[i+1:], at+place(i+1)
	}
	name, slots, given, m := splitSlots(text, at)
	if m != nil {
		return it, m
	}
	if given {
		var ok bool
		if it.slots, ok = number(slots, MaxSlots); !ok {
			return it, &mistake{at + place(len(text)-len(slots)), slots, fmt.Sprintf("expected a number of slots, 1 to %d", MaxSlots)}
		}
	}
	if strings.Contains(name, ":") {
		it.names = []string{name}
		return it, nil
	}
	it.names, m = expandElement(name, at, MaxHosts)
	return it, m
}

// splitSlots takes hosts[:slots] apart. An IPv6 address comes back in its one form.
func splitSlots(text string, at place) (name, slots string, given bool, m *mistake) {
	const bracketed = "expected an IPv6 address; where slots follow it is written as in [::1]:4"
	if inside, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok && text[0] == '[' && strings.Contains(inside, ":") {
		a, valid := address(inside)
		slots, given := strings.CutPrefix(rest, ":")
		switch {
		case !valid:
			return "", "", false, &mistake{at + 1, inside, bracketed}
		case rest != "" && !given:
			return "", "", false, &mistake{at + place(len(text)-len(rest)), rest, "expected : and a number of slots after the address"}
		}
		return a, slots, given, nil
	}
	if strings.Count(text, ":") > 1 {
		a, valid := address(text)
		if !valid {
			return "", "", false, &mistake{at, text, bracketed}
		}
		return a, "", false, nil
	}
	name, slots, given = strings.Cut(text, ":")
	return name, slots, given, nil
}

// number reads a decimal number from 1 to limit, without a sign.
func number(s string, limit int) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = 10*n + int(s[i]-'0'); n > limit {
			return 0, false
		}
	}
	return n, n > 0
}
