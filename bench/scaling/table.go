package scaling

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/results"
)

// Title says what was studied.
func (a *Analysis) Title() string {
	if !a.IsWeak() {
		return "Strong scaling of " + a.Program + ": the same work on more ranks"
	}
	var flags []string
	for _, g := range a.Weak {
		flags = append(flags, g.String())
	}
	return fmt.Sprintf("Weak scaling of %s: the work grows with the p ranks, %s", a.Program, strings.Join(flags, ", "))
}

// head says what one needs to know to measure it again.
func (a *Analysis) head() []string {
	e := a.Environment
	or := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	return []string{
		e.Command,
		fmt.Sprintf("%s of %s, %s %s, load %s at the start", plural(a.Cores, "core"), or(e.Machine, "an unknown processor"), e.OS, e.Kernel, or(e.Load, "unknown")),
		fmt.Sprintf("%s, commit %s, %s", e.Go, or(e.Commit, "unknown"), e.Start.Format("2006-01-02 15:04 MST")),
		fmt.Sprintf("time is that of %s; medians of %s in alternating order; %s a rank", a.Clock, plural(e.Rounds, "run"), plural(max(a.Threads, 1), "thread")),
		fmt.Sprintf("speed-up is against %s", plural(a.Base, "rank")),
	}
}

// columns are the rows as cells, the first row being the head.
func (a *Analysis) columns() [][]string {
	head := []string{"Ranks"}
	for _, g := range a.Weak {
		head = append(head, g.Flag)
	}
	lines := [][]string{append(head, "Time (s)", "95% CI", "Speed-up", "95% CI", "Efficiency (%)", "95% CI", "Karp-Flatt", "95% CI", "Runs")}
	hundred := func(v float64) string { return short(100 * v) }
	for _, r := range a.Rows {
		name := strconv.Itoa(r.Ranks)
		if r.Crowded {
			name += " *"
		}
		line := []string{name}
		for _, g := range a.Weak {
			line = append(line, g.Value(r.Ranks))
		}
		line = append(line, seconds(r.Time.Value), interval(r.Time, seconds))
		for _, c := range []struct {
			figure Figure
			show   func(float64) string
		}{{r.Speedup, short}, {r.Efficiency, hundred}, {r.KarpFlatt, short}} {
			ci := interval(c.figure, c.show)
			if r.Ranks == a.Base && c.figure.Known() {
				ci = "base"
			}
			line = append(line, c.show(c.figure.Value), ci)
		}
		runs := strconv.Itoa(len(r.Times))
		if r.Failed != "" {
			runs = "failed"
		}
		lines = append(lines, append(line, runs))
	}
	return lines
}

// laws are the models as cells, the first row being the head; nil if none fits.
func (a *Analysis) laws() [][]string {
	lines := [][]string{{"Law", "T1 (s)", "95% CI", "Serial, contention σ", "95% CI", "Coherence κ", "95% CI", "Worst miss"}}
	for _, m := range a.Models {
		if m.Refused != "" {
			continue
		}
		line := []string{m.Name, seconds(m.T1.Value), interval(m.T1, seconds), short(m.Sigma.Value), interval(m.Sigma, short)}
		if m.Name == "Amdahl" {
			line = append(line, "-", "-")
		} else {
			line = append(line, short(m.Kappa.Value), interval(m.Kappa, short))
		}
		miss := "-"
		if m.Free > 0 {
			miss = percent(m.Worst)
		}
		lines = append(lines, append(line, miss))
	}
	if len(lines) == 1 {
		return nil
	}
	return lines
}

// WriteTable writes the study as text.
func (a *Analysis) WriteTable(w io.Writer) error {
	var b strings.Builder
	for _, line := range append([]string{a.Title()}, a.head()...) {
		fmt.Fprintf(&b, "# %s\n", line)
	}
	b.WriteByte('\n')
	cells := a.columns()
	cells[0][0] = "# Ranks"
	results.Align(&b, cells)
	if laws := a.laws(); laws != nil {
		laws[0][0] = "# Law"
		b.WriteByte('\n')
		results.Align(&b, laws)
	}
	said := append([]string{a.Summary()}, a.Findings()...)
	for _, list := range [][]string{said, a.Cautions()} {
		b.WriteByte('\n')
		for _, text := range list {
			if text != "" {
				fmt.Fprintln(&b, text)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// seconds is a time in four digits.
func seconds(v float64) string {
	if v != v {
		return "-"
	}
	switch {
	case v >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v >= 0.1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
