package schedule

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Measures of a picture, in pixels.
const (
	drawLeft   = 56 // of the first rank's line
	drawTop    = 96 // of the first row
	drawFall   = 58 // height that a message falls to the next rank; those farther off fall deeper
	drawMark   = 24 // height of a line of marks below them
	drawRadius = 7
)

// Draw writes an SVG picture of the schedules of all ranks, with title above it:
// a line for each rank, rounds from top to bottom, arrows for messages, labelled
// with how many elements they have, and marks for reductions and copies. A message
// is in the first round below all that it needs in which its sender sends, and its
// receiver receives, nothing else. The picture refers to no other file. The error is
// about schedules whose messages do not match, or w's.
func Draw(w io.Writer, title string, all []*Schedule) error {
	k := new(check)
	for _, f := range []func() error{func() error { return k.define(all) }, k.wellFormed, k.match} {
		if err := f(); err != nil {
			return fmt.Errorf("schedule: %w", err)
		}
	}
	rows, err := k.rounds()
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	d := &drawing{check: k, w: bufio.NewWriter(w), rows: rows}
	d.layOut()
	d.frame(title)
	d.messages()
	d.drawMarks()
	d.legend()
	return d.w.Flush()
}

type drawing struct {
	*check
	w     *bufio.Writer
	rows  []int
	gap   int              // between the lines of two ranks
	top   []int            // of each row, and where the last ends
	fall  []int            // height that messages fall in each row
	marks map[cellOf]*mark // what ranks do by themselves in a row
}

// cellOf is one kind of marks of one rank in one row.
type cellOf struct {
	row, rank int
	kind      Kind
}

type mark struct {
	lengths []int
	steps   []string
}

// layOut finds how large all is.
func (d *drawing) layOut() {
	d.gap = 96
	if len(d.all) > 8 {
		d.gap = 76
	}
	d.marks = make(map[cellOf]*mark)
	for r, s := range d.all {
		for i, t := range s.Steps {
			if t.Kind == Combine || t.Kind == Move {
				c := cellOf{d.rows[d.base[r]+i], r, t.Kind}
				if d.marks[c] == nil {
					d.marks[c] = new(mark)
				}
				d.marks[c].lengths = append(d.marks[c].lengths, t.Dst.Len)
				t.After = nil
				d.marks[c].steps = append(d.marks[c].steps, t.String())
			}
		}
	}
	y := drawTop
	last := 0
	if len(d.rows) > 0 {
		last = slices.Max(d.rows)
	}
	d.fall = make([]int, last+1)
	for _, m := range d.check.messages {
		row, distance := d.rows[m.send], max(m.from-m.to, m.to-m.from)
		d.fall[row] = max(d.fall[row], drawFall+4*min(int(distance)-1, 12))
	}
	for row := range d.fall {
		d.top = append(d.top, y)
		y += d.fall[row] + d.lines(row)*drawMark + 10
	}
	d.top = append(d.top, y)
}

// lines returns how many lines of marks row has.
func (d *drawing) lines(row int) int {
	n := 0
	for r := range d.all {
		_, reduces := d.marks[cellOf{row, r, Combine}]
		_, moves := d.marks[cellOf{row, r, Move}]
		switch {
		case reduces && moves:
			return 2
		case reduces || moves:
			n = 1
		}
	}
	return n
}

func (d *drawing) x(rank int) int { return drawLeft + d.gap/2 + rank*d.gap }

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d.w, format, args...) }

// escaped returns s as text of XML.
func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}

// frame draws what all pictures have.
func (d *drawing) frame(title string) {
	width := max(drawLeft+len(d.all)*d.gap+24, 420, 48+10*len([]rune(title)))
	height := d.top[len(d.top)-1] + 56
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"
 font-family="Helvetica, Arial, sans-serif" font-size="12">
<title>%s</title>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.8 L10 5 L0 9.2 Z" fill="#2563a8"/></marker></defs>
<rect width="%d" height="%d" fill="#ffffff"/>
<text x="24" y="34" font-size="17" font-weight="bold" fill="#1f2933">%s</text>
`, width, height, width, height, escaped(title), width, height, escaped(title))
	for row := 1; row < len(d.top)-1; row++ {
		if row%2 == 1 {
			d.printf(`<rect x="16" y="%d" width="%d" height="%d" rx="4" fill="#f3f6f9"/>
`, d.top[row], width-32, d.top[row+1]-d.top[row])
		}
		d.printf("<text x=\"28\" y=\"%d\" fill=\"#7b8794\">%d</text>\n", d.top[row]+d.fall[row]/2+4, row)
	}
	for r := range d.all {
		x := d.x(r)
		d.printf(`<line x1="%d" y1="78" x2="%d" y2="%d" stroke="#b8c2cc" stroke-width="1.5"/>
<rect x="%d" y="54" width="32" height="24" rx="6" fill="#334e68"/>
<text x="%d" y="70" text-anchor="middle" font-weight="bold" fill="#ffffff">%d</text>
`, x, x, d.top[len(d.top)-1], x-16, x, r)
	}
}

// messages draws the arrows, and then their labels above all of them.
func (d *drawing) messages() {
	var labels strings.Builder
	for _, m := range d.check.messages {
		row := d.rows[m.send]
		_, send := d.step(int(m.send))
		_, recv := d.step(int(m.recv))
		x1, y1 := float64(d.x(int(m.from))), float64(d.top[row]+6)
		x2, y2 := float64(d.x(int(m.to))), float64(d.top[row]+d.fall[row]-2)
		path := fmt.Sprintf("M%.0f %.0f L%.1f %.0f", x1, y1, x2, y2)
		// Near its tail, where no other message of the row begins.
		at := min(0.3, 25/math.Abs(x2-x1))
		lx, ly := x1+at*(x2-x1), y1+at*(y2-y1)
		if m.from == m.to {
			path = fmt.Sprintf("M%.0f %.0f C%.0f %.0f %.0f %.0f %.0f %.0f", x1, y1, x1+34, y1+8, x1+34, y2-8, x2, y2)
			lx, ly = x1+27, (y1+y2)/2
		}
		d.printf(`<path d="%s" fill="none" stroke="#2563a8" stroke-width="1.6" marker-end="url(#head)"><title>%s</title></path>
`, path, escaped(fmt.Sprintf("rank %d to %d, message %d: %v to %v", m.from, m.to, send.Number, send.A, recv.Dst)))
		fmt.Fprintf(&labels, `<text x="%.1f" y="%.1f" text-anchor="middle" font-size="11" fill="#12385c"
 stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke">%d</text>
`, lx, ly+4, send.A.Len)
	}
	d.w.WriteString(labels.String())
}

// drawMarks draws what ranks do by themselves.
func (d *drawing) drawMarks() {
	for row := range d.top[:len(d.top)-1] {
		y := d.top[row] + d.fall[row] + drawMark/2 + 4
		for r := range d.all {
			at := y
			for _, kind := range []Kind{Combine, Move} {
				if m := d.marks[cellOf{row, r, kind}]; m != nil {
					d.mark(kind, d.x(r), at, m.text(), strings.Join(m.steps, "\n"))
					at += drawMark
				}
			}
		}
	}
}

// text says how many elements the steps of m have: "4", "4 ×3" or "4, 2, …".
func (m *mark) text() string {
	same := !slices.ContainsFunc(m.lengths, func(n int) bool { return n != m.lengths[0] })
	switch {
	case len(m.lengths) == 1:
		return fmt.Sprint(m.lengths[0])
	case same:
		return fmt.Sprintf("%d ×%d", m.lengths[0], len(m.lengths))
	case len(m.lengths) == 2:
		return fmt.Sprintf("%d, %d", m.lengths[0], m.lengths[1])
	}
	return fmt.Sprintf("%d, %d, …", m.lengths[0], m.lengths[1])
}

// mark draws a circle with a plus for a Combine and a square for a Move, with text
// beside it.
func (d *drawing) mark(kind Kind, x, y int, text, title string) {
	d.printf("<g><title>%s</title>", escaped(title))
	if kind == Combine {
		arm := int(math.Round(0.6 * drawRadius))
		d.printf(`<circle cx="%d" cy="%d" r="%d" fill="#fff4ec" stroke="#c2410c" stroke-width="1.5"/>`+
			`<path d="M%d %d H%d M%d %d V%d" stroke="#c2410c" stroke-width="1.5"/>`,
			x, y, drawRadius, x-arm, y, x+arm, x, y-arm, y+arm)
	} else {
		d.printf(`<rect x="%d" y="%d" width="12" height="12" rx="2" fill="#eefaf3" stroke="#2f855a" stroke-width="1.5"/>`, x-6, y-6)
	}
	d.printf("<text x=\"%d\" y=\"%d\" font-size=\"11\" fill=\"#52606d\">%s</text></g>\n", x+drawRadius+4, y+4, escaped(text))
}

// legend says what the marks mean and ends the picture.
func (d *drawing) legend() {
	y := d.top[len(d.top)-1] + 32
	d.printf(`<path d="M24 %d H52" stroke="#2563a8" stroke-width="1.6" marker-end="url(#head)"/>
<text x="60" y="%d" fill="#52606d">message, elements</text>
`, y, y+4)
	d.mark(Combine, 206, y, "reduction", "reduction")
	d.mark(Move, 308, y, "copy", "copy")
	d.printf("</svg>\n")
}
