package hostfile

import (
	"fmt"
	"strconv"
	"strings"
)

// deepest is how far brackets may be nested.
const deepest = 8

// Expand returns the hosts of a compressed list, as Slurm, pdsh and Flux write
// them: n[1-3,07-12],gpu[01-02]-ib. Numbers keep the width of their range's first.
// Where a name has several brackets the last one turns fastest. Brackets may stand
// within brackets, for numbers that begin alike: n[1[0-4],20]. A host may come
// twice. An error calls the list name, and there is one where hosts are more than
// MaxHosts.
func Expand(text, name string) ([]string, error) {
	var all []string
	for _, part := range splitList(text) {
		names, m := expandElement(part.text, part.at, MaxHosts-len(all))
		if m != nil {
			return nil, m.in(name, 0, text)
		}
		all = append(all, names...)
	}
	return all, nil
}

// An element is a name with brackets: what its parts are, one behind the other.
type element []part

// A part is text, or alternatives.
type part struct {
	text string
	of   []alternative
}

// An alternative is a range of numbers, or an element.
type alternative struct {
	low, high uint64
	width     int // digits, at least
	nested    element
}

// expandElement returns the names of one element, which begins at the given place
// of its line.
func expandElement(text string, at place, room int) ([]string, *mistake) {
	p := &elementParser{text: text, at: at}
	e, m := p.element(0)
	if m != nil {
		return nil, m
	}
	if p.i < len(text) && text[p.i] == ',' {
		return nil, p.wrong("expected one host, or one name with brackets, without a comma")
	}
	if p.i < len(text) {
		return nil, p.wrong("a bracket that was not opened")
	}
	// What comes out is bounded before any of it is made.
	if e.count(uint64(room)+1) > uint64(room) {
		return nil, &mistake{at, text, fmt.Sprintf("expected %d hosts at most", MaxHosts)}
	}
	if n := e.longest(); n > longestName {
		return nil, &mistake{at, text, fmt.Sprintf("a name of %d letters: expected %d at most", n, longestName)}
	}
	names := e.names()
	for _, name := range names {
		if !isName(name) {
			return nil, &mistake{at, text, expectedName}
		}
	}
	return names, nil
}

type elementParser struct {
	text string
	at   place // of text in its line
	i    int
}

func (p *elementParser) wrong(problem string) *mistake {
	rest := p.text[p.i:]
	return &mistake{p.at + place(p.i), rest, problem}
}

// element reads up to what can be no part of one: a bracket or, within brackets, a
// comma. depth counts the brackets around it.
func (p *elementParser) element(depth int) (element, *mistake) {
	var e element
	for p.i < len(p.text) {
		c := p.text[p.i]
		if c == ']' || c == ',' {
			break
		}
		if c != '[' {
			start := p.i
			for p.i < len(p.text) && strings.IndexByte("[],", p.text[p.i]) < 0 {
				if !nameByte(p.text[p.i]) {
					return nil, p.wrong(expectedName)
				}
				p.i++
			}
			e = append(e, part{text: p.text[start:p.i]})
			continue
		}
		if depth == deepest {
			return nil, p.wrong(fmt.Sprintf("brackets more than %d deep", deepest))
		}
		open := p.i
		p.i++
		of, m := p.alternatives(depth + 1)
		if m != nil {
			return nil, m
		}
		if p.i == len(p.text) {
			p.i = open
			return nil, p.wrong("a bracket that is not closed")
		}
		p.i++
		e = append(e, part{of: of})
	}
	return e, nil
}

// alternatives reads what stands between brackets, up to the one that closes.
func (p *elementParser) alternatives(depth int) ([]alternative, *mistake) {
	var all []alternative
	for {
		a, m := p.alternative(depth)
		if m != nil {
			return nil, m
		}
		all = append(all, a)
		if p.i == len(p.text) || p.text[p.i] == ']' {
			return all, nil
		}
		p.i++ // a comma
	}
}

// alternative reads a number, a range of numbers, or digits with brackets.
func (p *elementParser) alternative(depth int) (alternative, *mistake) {
	start := p.i
	end := start
	for end < len(p.text) && strings.IndexByte("[],", p.text[end]) < 0 {
		end++
	}
	if end < len(p.text) && p.text[end] == '[' {
		e, m := p.element(depth)
		if m != nil {
			return alternative{}, m
		}
		for _, part := range e {
			if part.of == nil && !isDigits(part.text) {
				p.i = start
				return alternative{}, p.wrong("expected only digits and brackets within brackets")
			}
		}
		return alternative{nested: e}, nil
	}
	text := p.text[start:end]
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	a := alternative{width: len(low)}
	var ok, also bool
	a.low, ok = plainNumber(low)
	a.high, also = plainNumber(high)
	switch {
	case end == len(p.text):
		p.i = end
		return a, nil // the caller says that the bracket is open
	case !ok || !also:
		return a, &mistake{p.at + place(start), text, "expected a number, or a range of numbers as in 1-3"}
	case a.low > a.high:
		return a, &mistake{p.at + place(start), text, "expected the smaller number first"}
	}
	p.i = end
	return a, nil
}

// plainNumber reads digits, few enough that nothing overflows.
func plainNumber(s string) (uint64, bool) {
	if !isDigits(s) || len(s) > 18 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// count is how many names there are, or limit, which is below 2^32, if that is less.
func (e element) count(limit uint64) uint64 {
	n := uint64(1)
	for _, p := range e {
		if p.of == nil {
			continue
		}
		var sum uint64
		for _, a := range p.of {
			if a.nested != nil {
				sum += a.nested.count(limit)
			} else {
				sum += min(a.high-a.low, limit) + 1
			}
			sum = min(sum, limit)
		}
		n = min(n*sum, limit)
	}
	return n
}

// longest is the length of the longest name.
func (e element) longest() int {
	n := 0
	for _, p := range e {
		most := len(p.text)
		for _, a := range p.of {
			if a.nested != nil {
				most = max(most, a.nested.longest())
			} else {
				most = max(most, a.width, len(strconv.FormatUint(a.high, 10)))
			}
		}
		n += most
	}
	return n
}

func (e element) names() []string {
	all := []string{""}
	for _, p := range e {
		if p.of == nil {
			for i := range all {
				all[i] += p.text
			}
			continue
		}
		var ends []string
		for _, a := range p.of {
			ends = a.names(ends)
		}
		next := make([]string, 0, len(all)*len(ends))
		for _, begin := range all {
			for _, end := range ends {
				next = append(next, begin+end)
			}
		}
		all = next
	}
	return all
}

func (a alternative) names(to []string) []string {
	if a.nested != nil {
		return append(to, a.nested.names()...)
	}
	for n := a.low; ; n++ {
		to = append(to, fmt.Sprintf("%0*d", a.width, n))
		if n == a.high {
			return to
		}
	}
}

// Counts reads a list of numbers as in Slurm's SLURM_TASKS_PER_NODE: 2(x3),1 is
// three times 2, then 1. An error calls it name, and there is one where it has more
// than MaxHosts numbers.
func Counts(text, name string) ([]int, error) {
	var all []int
	for _, w := range splitList(text) {
		first, times, repeated := strings.Cut(w.text, "(x")
		n, ok := number(first, 1<<30)
		k := 1
		if repeated {
			digits, closed := strings.CutSuffix(times, ")")
			var good bool
			k, good = number(digits, 1<<30)
			ok = ok && closed && good
		}
		switch {
		case !ok:
			return nil, (&mistake{w.at, w.text, "expected a number, or one with how often it is meant as in 2(x3)"}).in(name, 0, text)
		case len(all)+k > MaxHosts:
			return nil, (&mistake{w.at, w.text, fmt.Sprintf("expected %d numbers at most", MaxHosts)}).in(name, 0, text)
		}
		for range k {
			all = append(all, n)
		}
	}
	return all, nil
}

// Compress is the opposite of Expand: it writes names that follow each other and
// differ in their last number as one.
func Compress(names []string) string {
	var b strings.Builder
	for i := 0; i < len(names); {
		if i > 0 {
			b.WriteByte(',')
		}
		before, number, after := lastNumber(names[i])
		var numbers []string
		for ; i < len(names); i++ {
			x, n, y := lastNumber(names[i])
			if number == "" || n == "" || x != before || y != after {
				break
			}
			numbers = append(numbers, n)
		}
		switch len(numbers) {
		case 0:
			b.WriteString(names[i])
			i++
		case 1:
			b.WriteString(before + numbers[0] + after)
		default:
			b.WriteString(before + "[" + ranges(numbers) + "]" + after)
		}
	}
	return b.String()
}

// ranges writes numbers as 1-3,5.
func ranges(numbers []string) string {
	var parts []string
	for i := 0; i < len(numbers); {
		low, _ := plainNumber(numbers[i])
		j := i
		for j+1 < len(numbers) && numbers[j+1] == fmt.Sprintf("%0*d", len(numbers[i]), low+uint64(j+1-i)) {
			j++
		}
		if i == j {
			parts = append(parts, numbers[i])
		} else {
			parts = append(parts, numbers[i]+"-"+numbers[j])
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// lastNumber takes a name apart at its last number; there is none in an address,
// and none that is too long to count with.
func lastNumber(name string) (before, number, after string) {
	end := strings.LastIndexAny(name, "0123456789") + 1
	if end == 0 || strings.Contains(name, ":") {
		return name, "", ""
	}
	start := end
	for start > 0 && isDigit(name[start-1]) {
		start--
	}
	if _, ok := plainNumber(name[start:end]); !ok {
		return name, "", ""
	}
	return name[:start], name[start:end], name[end:]
}
