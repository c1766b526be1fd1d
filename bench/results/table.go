package results

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/stats"
)

// WriteTables writes r as text: a block for each test and transport, with OSU's
// first two columns, and a block of limits for each test. full adds percentiles.
func (r *Report) WriteTables(w io.Writer, full bool) error {
	var b strings.Builder
	type block struct {
		test, transport string
		ranks           int
	}
	var blocks []block
	grouped := make(map[block][]Row)
	for _, row := range r.Rows() {
		k := block{row.Test, row.Transport, row.Ranks}
		if row.Test == "startup" || row.Test == "memory" {
			k.ranks = 0 // a row each
		}
		if grouped[k] == nil {
			blocks = append(blocks, k)
		}
		grouped[k] = append(grouped[k], row)
	}
	for i, k := range blocks {
		title := "# Muster " + heading(k.test)
		if k.transport != "" {
			title += ", " + k.transport
		}
		if k.ranks > 0 {
			title += fmt.Sprintf(", %d ranks", k.ranks)
		}
		fmt.Fprintln(&b, title)
		Align(&b, table(grouped[k], full))
		b.WriteByte('\n')
		if i+1 == len(blocks) || blocks[i+1].test != k.test {
			r.limitTable(&b, k.test)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table returns the lines of a block, the first being the head.
func table(rows []Row, full bool) [][]string {
	m := measureOf(rows[0].Test)
	start := rows[0].Test == "startup" || rows[0].Test == "memory"
	head := []string{"# Size"}
	if start {
		head[0] = "# Ranks"
	}
	before, after := extras(rows[0].Test)
	for _, e := range before {
		head = append(head, e.title)
	}
	if m.unit == "ratio" {
		head = append(head, m.title)
	} else {
		head = append(head, m.title+" ("+m.unit+")")
	}
	for _, e := range after {
		head = append(head, e.title)
	}
	if full {
		head = append(head, "Min", "p25", "p50", "p75", "p90", "p99", "Max", "Allocs")
	}
	var peers []string
	for _, row := range rows {
		for _, p := range row.Peers {
			if !slices.Contains(peers, p.Name) {
				peers = append(peers, p.Name)
			}
		}
	}
	for _, p := range peers {
		head = append(head, p, "/"+p, "95% CI")
	}
	if len(peers) > 0 {
		head = append(head, "/better", "95% CI")
	}
	goals := slices.ContainsFunc(rows, func(r Row) bool {
		return slices.ContainsFunc(r.Comparisons, func(c Comparison) bool { return c.Goal != 0 })
	})
	if goals {
		head = append(head, "Goal")
	}
	lines := [][]string{head}
	for _, row := range rows {
		first := strconv.Itoa(row.Size)
		if start {
			first = strconv.Itoa(row.Ranks)
		}
		l := []string{first}
		for _, e := range before {
			l = append(l, fixed(row.also(e.name), e.digit))
		}
		l = append(l, fixed(row.Median(), m.digit))
		for _, e := range after {
			l = append(l, fixed(row.also(e.name), e.digit))
		}
		if full {
			v := row.Values()
			for _, p := range []float64{0, 25, 50, 75, 90, 99, 100} {
				l = append(l, fixed(stats.Percentile(v, p), m.digit))
			}
			l = append(l, allocations(row.Series))
		}
		for _, p := range peers {
			value := "-"
			c := row.find(p)
			if c != nil {
				value = fixed(c.Value, m.digit)
			}
			l = append(append(l, value), ratio(c)...)
		}
		if len(peers) > 0 {
			l = append(l, ratio(row.find(Better))...)
		}
		if goals {
			l = append(l, verdicts(row.Comparisons, m.lower))
		}
		lines = append(lines, l)
	}
	return lines
}

// A column shows a further figure.
type column struct {
	name, title string
	digit       int
}

// extras are the further figures that are always shown, before the value and
// after it.
func extras(test string) (before, after []column) {
	switch {
	case test == "overlap":
		after = []column{{"compute", "Compute (us)", 0}, {"transfer", "Transfer (us)", 0}, {"overlap", "Overlap (%)", 0}, {"excess", "Excess", 2}, {"incomplete", "Incomplete (%)", 0}}
	case slices.Contains(Collectives, test): // in the order of OSU
		before = []column{{"avg", "Avg Latency (us)", 2}, {"min", "Min Latency (us)", 2}}
		after = []column{{"calls", "Iterations", 0}}
	}
	return before, after
}

func allocations(s *Series) string {
	if v := s.Also["allocs"]; len(v) > 0 {
		return fixed(stats.Median(v), 2)
	}
	return "-"
}

// ratio shows a comparison's ratio and interval.
func ratio(c *Comparison) []string {
	if c == nil {
		return []string{"-", "-"}
	}
	if !c.Known {
		return []string{times(c.Ratio), "-"}
	}
	return []string{times(c.Ratio), fmt.Sprintf("[%s, %s]", short(c.Low), short(c.High))}
}

// verdicts shows each goal of a row and whether it is reached.
func verdicts(list []Comparison, lower bool) string {
	sign := ">="
	if lower {
		sign = "<="
	}
	var parts []string
	for _, c := range list {
		switch {
		case c.Goal == 0:
		case c.Against == Absolute && c.Figure != "":
			parts = append(parts, fmt.Sprintf("%s %s%s: %s", c.Figure, sign, short(c.Goal), c.Verdict))
		case c.Against == Absolute:
			parts = append(parts, fmt.Sprintf("%s%s: %s", sign, short(c.Goal), c.Verdict))
		case c.Kind == Limit:
			parts = append(parts, fmt.Sprintf("%s%s %s, is %s: %s", sign, times(c.Goal), c.Against, times(c.Ratio), c.Verdict))
		default:
			parts = append(parts, fmt.Sprintf("%s%s %s: %s", sign, times(c.Goal), c.Against, c.Verdict))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, "; ")
}

// limitTable shows what the machine can do in a test, a column for each limit.
func (r *Report) limitTable(b *strings.Builder, test string) {
	var names []string
	var sizes []int
	cell := make(map[int]map[string]*Series)
	for _, s := range r.Series {
		if s.Kind != Limit || s.Test != test {
			continue
		}
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
		if cell[s.Size] == nil {
			cell[s.Size] = make(map[string]*Series)
			sizes = append(sizes, s.Size)
		}
		cell[s.Size][s.Name] = s
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(sizes)
	m := measureOf(test)
	fmt.Fprintf(b, "# Limits of %s (%s)\n", heading(test), m.unit)
	lines := [][]string{append([]string{"# Size"}, names...)}
	for _, size := range sizes {
		l := []string{strconv.Itoa(size)}
		for _, n := range names {
			if s := cell[size][n]; s != nil {
				l = append(l, fixed(s.Median(), m.digit))
			} else {
				l = append(l, "-")
			}
		}
		lines = append(lines, l)
	}
	Align(b, lines)
	b.WriteByte('\n')
}

// fixed is a value with so many digits after the point; a small one keeps three
// digits that say something.
func fixed(v float64, digits int) string {
	if v != v {
		return "-"
	}
	if v > 0 && v < 1 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// times is a ratio with its sign, in three digits.
func times(v float64) string { return short(v) + "x" }

// short is a number in three significant digits, without exponent where it can.
func short(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
