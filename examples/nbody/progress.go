package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress is a bar on one line of a terminal. A nil progress shows nothing.
type progress struct {
	out   io.Writer
	now   func() time.Time
	total int
	start time.Time
	drawn time.Time
	shown bool
	width int // of what stands there
}

// progressEvery is the shortest time between two drawings of the bar.
const progressEvery = 100 * time.Millisecond

func newProgress(out io.Writer, total int, now func() time.Time) *progress {
	t := now()
	return &progress{out: out, now: now, total: total, start: t, drawn: t}
}

// show draws the bar for done steps of the total, unless it was drawn just now.
func (p *progress) show(done int) {
	if p == nil || p.total == 0 || done == 0 {
		return
	}
	t := p.now()
	if t.Sub(p.drawn) < progressEvery {
		return
	}
	p.drawn, p.shown = t, true
	const width = 30
	filled := width * done / p.total
	left := time.Duration(float64(t.Sub(p.start)) / float64(done) * float64(p.total-done))
	p.draw(fmt.Sprintf("  [%s%s] %3d %%  step %d of %d, %.1f s left",
		strings.Repeat("=", filled), strings.Repeat(" ", width-filled),
		100*done/p.total, done, p.total, left.Seconds()))
}

// draw writes text over what stands there. It ends in blanks, not in an escape
// sequence, which the launcher would show instead of passing on.
func (p *progress) draw(text string) {
	fmt.Fprintf(p.out, "\r%-*s", p.width, text)
	p.width = len(text)
}

// erase takes the bar away, so that a line of the report can stand in its place.
func (p *progress) erase() {
	if p == nil || !p.shown {
		return
	}
	p.shown = false
	p.draw("")
	fmt.Fprint(p.out, "\r")
}

// isTerminal reports whether f is a character device other than the null device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
