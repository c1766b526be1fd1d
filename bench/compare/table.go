package compare

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/results"
)

// WriteTable writes a line for each cell, or with brief for each that has changed,
// and what that means.
func (r *Result) WriteTable(w io.Writer, brief bool) error {
	var b strings.Builder
	lines := [][]string{{"# Cell", "Unit", "Old", "New", "Slower by", "95% CI", "p", "Verdict"}}
	count := make(map[Verdict]int)
	for _, c := range r.Cells {
		count[c.Verdict]++
		if brief && c.Verdict != Slower && c.Verdict != Faster {
			continue
		}
		ci := "-"
		if c.Known {
			ci = fmt.Sprintf("[%s, %s]", percent(c.Low), percent(c.High))
		}
		p := "-"
		if c.Verdict != Few {
			p = strconv.FormatFloat(c.P, 'g', 2, 64)
		}
		lines = append(lines, []string{Name(c.Key), c.Unit, number(c.Old), number(c.New), percent(c.Change), ci, p, string(c.Verdict)})
	}
	if len(lines) > 1 {
		results.Align(&b, lines)
		b.WriteByte('\n')
	}
	cells := "cells"
	if len(r.Cells) == 1 {
		cells = "cell"
	}
	fmt.Fprintf(&b, "%d %s: %d slower by more than %s, %d faster, %d the same within it, %d open", len(r.Cells), cells,
		count[Slower], percent(1+r.Bound), count[Faster], count[Same], count[Open])
	if n := count[Few]; n > 0 {
		fmt.Fprintf(&b, ", %d with too few rounds", n)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// percent is a factor as a change.
func percent(v float64) string {
	return strconv.FormatFloat(100*(v-1), 'f', 1, 64) + " %"
}

// number is a value in four digits that say something.
func number(v float64) string {
	if v >= 1000 && v < 1e7 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
