package scaling

import (
	"fmt"
	"math"

	"github.com/muster-mpi/muster/bench/stats"
)

// A Picture is a file of its own.
type Picture struct {
	Name string // without extension
	SVG  string
}

// Pictures are time, speed-up and efficiency over the number of ranks; those of
// which nothing is known are missing.
func (a *Analysis) Pictures() []Picture {
	var list []Picture
	for _, p := range []struct {
		name string
		draw func(rows []Row) string
	}{{"time", a.drawTime}, {"speedup", a.drawSpeedup}, {"efficiency", a.drawEfficiency}} {
		var rows []Row
		for _, r := range a.Rows {
			if of := map[string]Figure{"time": r.Time, "speedup": r.Speedup, "efficiency": r.Efficiency}; of[p.name].Known() {
				rows = append(rows, r)
			}
		}
		if len(rows) > 0 {
			list = append(list, Picture{p.name, p.draw(rows)})
		}
	}
	return list
}

// begin begins a picture of rows, with what lies behind all else.
func (a *Analysis) begin(rows []Row, title, label string, low, high float64, log, percent bool) *chart {
	var ranks []int
	alone, crowded := 0, 0
	for _, r := range rows {
		ranks = append(ranks, r.Ranks)
		if !r.Crowded {
			alone = r.Ranks
		} else if crowded == 0 {
			crowded = r.Ranks
		}
	}
	c := newChart(title, label, ranks, low, high, log)
	c.percent = percent
	c.crowd(alone, crowded, plural(a.Cores, "core"))
	c.frame(ranks)
	return c
}

// fitted draws the laws over the points they were fitted to, and no further:
// beyond them they are a guess.
func (a *Analysis) fitted(c *chart, of func(m Model, p float64) float64) {
	points := a.judged()
	for i, m := range a.Models {
		if m.Refused != "" {
			continue
		}
		look := []struct{ colour, dash string }{{orange, "7 4"}, {green, "2 4"}}[i]
		c.curve(m.Name, look.colour, look.dash, float64(points[0].Ranks), float64(points[len(points)-1].Ranks),
			func(p float64) float64 { return of(m, p) })
	}
}

// medians draws the points and explains them.
func (c *chart) medians(rows []Row, of func(Row) Figure) {
	crowded := false
	for _, r := range rows {
		c.point(r.Ranks, of(r), r.Crowded)
		crowded = crowded || r.Crowded
	}
	c.entry("median, 95 % interval", func(x, y float64) { c.mark(x, y, false) })
	if crowded {
		c.entry("more ranks than cores", func(x, y float64) { c.mark(x, y, true) })
	}
}

// reach are the least and largest of what is drawn of rows.
func reach(rows []Row, of func(Row) Figure) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		f := of(r)
		low, high = min(low, f.Value), max(high, f.Value)
		if f.HasInterval() {
			low, high = min(low, f.Low), max(high, f.High)
		}
	}
	return low, high
}

// ideal is up to how many ranks an ideal is drawn: as far as each has a core.
func (a *Analysis) ideal(rows []Row) float64 {
	last := a.Base
	for _, r := range rows {
		if !r.Crowded {
			last = max(last, r.Ranks)
		}
	}
	return float64(last)
}

func (a *Analysis) drawTime(rows []Row) string {
	of := func(r Row) Figure { return r.Time }
	low, high := reach(rows, of)
	for _, r := range rows {
		least, most := spread(r.Times)
		low, high = min(low, least), max(high, most)
	}
	title, log := "Time", true
	if low, high = low/1.15, high*1.15; a.IsWeak() {
		// Flat is ideal: how far from it shows best from zero.
		title, low, log = "Time, the same work for each rank", 0, false
	}
	c := a.begin(rows, title, "seconds", low, high, log, false)
	if base, ok := a.point(a.Base); ok && !a.Crowded(a.Base) {
		t := medianOf(base.Times).Value
		c.curve("ideal", grey, "", float64(a.Base), a.ideal(rows), func(p float64) float64 {
			if a.IsWeak() {
				return t
			}
			return t * float64(a.Base) / p
		})
	}
	a.fitted(c, a.expected)
	for _, r := range rows {
		for _, t := range r.Times {
			c.dot(r.Ranks, t)
		}
	}
	c.medians(rows, of)
	return c.String()
}

// speedup is the speed-up of p ranks over the base as it was measured, if p ranks
// take the time that the law expects. So the curve passes the points as closely as
// that of the times does.
func (a *Analysis) speedup(m Model, p float64) float64 {
	base, _ := a.point(a.Base)
	return a.load(p) / a.load(float64(a.Base)) * stats.Median(base.Times) / a.expected(m, p)
}

func (a *Analysis) drawSpeedup(rows []Row) string {
	of := func(r Row) Figure { return r.Speedup }
	low, high := reach(rows, of)
	first, last := float64(rows[0].Ranks)/float64(a.Base), a.ideal(rows)/float64(a.Base)
	low, high = min(low, first), max(high, last)
	title := fmt.Sprintf("Speed-up over %s", plural(a.Base, "rank"))
	if a.IsWeak() {
		title = fmt.Sprintf("Scaled speed-up over %s: work in a time", plural(a.Base, "rank"))
	}
	c := a.begin(rows, title, "speed-up", low/1.1, high*1.1, true, false)
	c.curve("ideal", grey, "", float64(rows[0].Ranks), a.ideal(rows), func(p float64) float64 { return p / float64(a.Base) })
	a.fitted(c, a.speedup)
	c.medians(rows, of)
	return c.String()
}

func (a *Analysis) drawEfficiency(rows []Row) string {
	of := func(r Row) Figure { return r.Efficiency }
	_, high := reach(rows, of)
	c := a.begin(rows, "Efficiency", "speed-up / ideal", 0, max(high, 1)*1.08, false, true)
	c.curve("ideal", grey, "", float64(rows[0].Ranks), a.ideal(rows), func(float64) float64 { return 1 })
	a.fitted(c, func(m Model, p float64) float64 { return a.speedup(m, p) / p * float64(a.Base) })
	c.medians(rows, of)
	return c.String()
}
