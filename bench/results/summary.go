package results

import (
	"fmt"
	"io"
	"strings"
)

// WriteSummary writes what no reader of the tables may miss: how many goals are
// met, open and lost, each that is lost, and the notes. It writes nothing if there
// is nothing of the kind.
func (r *Report) WriteSummary(w io.Writer) error {
	var b strings.Builder
	number := make(map[Verdict]int)
	var lost []string
	for _, row := range r.Rows() {
		for _, c := range row.Comparisons {
			if c.Goal == 0 {
				continue
			}
			number[c.Verdict]++
			if c.Verdict == Lost {
				lost = append(lost, c.lost())
			}
		}
	}
	if len(number) > 0 {
		fmt.Fprintf(&b, "# Goals: %d met, %d open, %d lost\n", number[Met], number[Open], number[Lost])
	}
	for _, l := range lost {
		fmt.Fprintf(&b, "# Lost: %s\n", l)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "# Note: %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lost says which cell misses its goal and by how much.
func (c *Comparison) lost() string {
	cell := c.Of.Test
	if c.Figure != "" {
		cell += " (" + c.Figure + ")"
	}
	if c.Of.Transport != "" {
		cell += ", " + c.Of.Transport
	}
	sign := ">="
	if LowerIsBetter(c.Of.Test) {
		sign = "<="
	}
	cell += fmt.Sprintf(", %d ranks", c.Of.Ranks)
	if c.Of.Size > 0 {
		cell += fmt.Sprintf(", %d bytes", c.Of.Size)
	}
	cell += ": "
	if c.Against == Absolute {
		return cell + fmt.Sprintf("%s [%s, %s], wanted %s%s", short(c.Ratio), short(c.Low), short(c.High), sign, short(c.Goal))
	}
	return cell + fmt.Sprintf("%s [%s, %s] of %s, wanted %s%s", times(c.Ratio), short(c.Low), short(c.High), c.Who, sign, times(c.Goal))
}
