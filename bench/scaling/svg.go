package scaling

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Measures of a picture, in its own units, which a browser shows as pixels.
const (
	pictureWidth, pictureHeight    = 640, 430
	marginLeft, marginRight        = 66, 22
	marginTop, marginBottom        = 78, 52
	innerWidth                     = pictureWidth - marginLeft - marginRight
	letter                         = 6.3 // mean width of one, at the size of a legend
	ink, faint, rule, shade        = "#1f2933", "#66727f", "#e3e8ee", "#f3f1ec"
	blue, grey, orange, green      = "#1f5fa8", "#8a949e", "#c4581a", "#24794b"
	fontFamily                     = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
	legendSize, tickSize, headSize = 12, 12, 15
)

// A chart is a picture of something over the number of ranks.
type chart struct {
	title, label string
	x, y         axis
	percent      bool // values are fractions, shown as per cent
	b            strings.Builder
	legend       float64 // where its next entry begins
}

// newChart begins a picture of values between low and high over ranks.
func newChart(title, label string, ranks []int, low, high float64, log bool) *chart {
	first, last := float64(ranks[0]), float64(ranks[len(ranks)-1])
	c := &chart{title: title, label: label, legend: marginLeft}
	// A little room on either side, also if there is but one number of ranks.
	room := math.Pow(max(last/first, 2), 0.07)
	c.x = axis{first / room, last * room, marginLeft, pictureWidth - marginRight, true}
	c.y = axis{low, high, pictureHeight - marginBottom, marginTop, log}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" font-family="%s">`+"\n",
		pictureWidth, pictureHeight, pictureWidth, pictureHeight, html.EscapeString(title), fontFamily)
	fmt.Fprintf(&c.b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", pictureWidth, pictureHeight)
	return c
}

// text writes s at a place; anchor is start, middle or end.
func (c *chart) text(x, y float64, size int, colour, anchor, more, s string) {
	fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s"%s>%s</text>`+"\n",
		x, y, size, colour, anchor, more, html.EscapeString(s))
}

func (c *chart) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(&c.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>`+"\n", x1, y1, x2, y2, colour, width)
}

// crowd shades the part of the picture in which ranks share cores, from between
// the last number of ranks that do not and the first that do.
func (c *chart) crowd(alone, crowded int, cores string) {
	if crowded == 0 {
		return
	}
	left := c.x.from
	if alone > 0 {
		left = c.x.at(math.Sqrt(float64(alone) * float64(crowded)))
	}
	fmt.Fprintf(&c.b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n",
		left, marginTop, c.x.to-left, pictureHeight-marginTop-marginBottom, shade)
	x, y := left+15, float64(pictureHeight-marginBottom-10)
	c.text(x, y, 11, faint, "start", fmt.Sprintf(` transform="rotate(-90 %.1f %.1f)" font-style="italic"`, x, y), "ranks share "+cores)
}

// frame draws title, axes, grid and ticks.
func (c *chart) frame(ranks []int) {
	c.text(marginLeft, 26, headSize, ink, "start", ` font-weight="600"`, c.title)
	for _, v := range c.y.ticks() {
		y := c.y.at(v)
		c.line(c.x.from, y, c.x.to, y, rule, 1)
		name := label(v)
		if c.percent {
			name = label(100*v) + " %"
		}
		c.text(marginLeft-8, y+4, tickSize, faint, "end", "", name)
	}
	bottom := float64(pictureHeight - marginBottom)
	c.line(c.x.from, bottom, c.x.to, bottom, ink, 1)
	last := math.Inf(-1)
	for _, n := range ranks {
		x := c.x.at(float64(n))
		c.line(x, bottom, x, bottom+5, ink, 1)
		name := fmt.Sprint(n)
		if half := letter * float64(len(name)) / 2; x-half > last+6 {
			c.text(x, bottom+19, tickSize, faint, "middle", "", name)
			last = x + half
		}
	}
	c.text(marginLeft+innerWidth/2, pictureHeight-12, tickSize, ink, "middle", "", "ranks")
	middle := float64(marginTop+pictureHeight-marginBottom) / 2
	c.text(16, middle, tickSize, ink, "middle", fmt.Sprintf(` transform="rotate(-90 16 %.1f)"`, middle), c.label)
}

// entry adds to the legend; mark draws a sign around a place.
func (c *chart) entry(name string, mark func(x, y float64)) {
	const y = 52
	mark(c.legend+9, y)
	c.text(c.legend+24, y+4, legendSize, ink, "start", "", name)
	c.legend += 24 + letter*float64(len([]rune(name))) + 16
}

// curve draws f between two numbers of ranks, where it lies in the picture, and
// enters it in the legend.
func (c *chart) curve(name, colour, dash string, first, last float64, f func(p float64) float64) {
	const parts = 96
	var path strings.Builder
	step := "M"
	for i := range parts + 1 {
		p := first * math.Pow(last/first, float64(i)/parts)
		v := f(p)
		if !(v >= c.y.low && v <= c.y.high) {
			step = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", step, c.x.at(p), c.y.at(v))
		step = "L"
	}
	stroke := fmt.Sprintf(`stroke="%s" stroke-width="1.8" fill="none"`, colour)
	if dash != "" {
		stroke += fmt.Sprintf(` stroke-dasharray="%s"`, dash)
	}
	if path.Len() > 0 {
		fmt.Fprintf(&c.b, `<path d="%s" %s/>`+"\n", path.String(), stroke)
	}
	c.entry(name, func(x, y float64) { fmt.Fprintf(&c.b, `<path d="M%.1f %.1fh20" %s/>`+"\n", x-10, y, stroke) })
}

// dot draws one run.
func (c *chart) dot(n int, v float64) {
	if v >= c.y.low && v <= c.y.high {
		fmt.Fprintf(&c.b, `<circle cx="%.1f" cy="%.1f" r="2.2" fill="%s" fill-opacity="0.28"/>`+"\n", c.x.at(float64(n)), c.y.at(v), blue)
	}
}

// point draws a median with its interval, hollow if the ranks shared cores.
func (c *chart) point(n int, f Figure, crowded bool) {
	if !f.Known() {
		return
	}
	x := c.x.at(float64(n))
	if f.HasInterval() && f.High > f.Low {
		low, high := c.y.at(max(f.Low, c.y.low)), c.y.at(min(f.High, c.y.high))
		c.line(x, low, x, high, blue, 1.6)
		c.line(x-5, low, x+5, low, blue, 1.6)
		c.line(x-5, high, x+5, high, blue, 1.6)
	}
	c.mark(x, c.y.at(f.Value), crowded)
}

func (c *chart) mark(x, y float64, crowded bool) {
	fill := blue
	if crowded {
		fill = "#fff"
	}
	fmt.Fprintf(&c.b, `<circle cx="%.1f" cy="%.1f" r="4.4" fill="%s" stroke="%s" stroke-width="1.8"/>`+"\n", x, y, fill, blue)
}

// String ends the picture and returns it.
func (c *chart) String() string { return c.b.String() + "</svg>\n" }
