package main

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	night = color.NRGBA{0x0a, 0x0e, 0x1f, 0xff}
	frost = color.NRGBA{0xd8, 0xe1, 0xf5, 0xff}
	slate = color.NRGBA{0x6b, 0x78, 0x99, 0xff}
	// glow runs from the innermost bodies of a cluster to the outermost.
	glow = []color.NRGBA{
		{0xff, 0xf1, 0xb8, 0xff}, {0xff, 0xb3, 0x4d, 0xff}, {0xff, 0x5c, 0x7a, 0xff},
		{0xa8, 0x5c, 0xff, 0xff}, {0x3f, 0x8c, 0xff, 0xff},
	}
	// orbitColors are those of the trajectories, in turn.
	orbitColors = []color.NRGBA{
		{0xff, 0xd8, 0x5e, 0xff}, {0xff, 0x8a, 0x5c, 0xff}, {0xe8, 0xc8, 0x8f, 0xff},
		{0x6f, 0xe0, 0xd6, 0xff}, {0x6c, 0x93, 0xff, 0xff}, {0xd0, 0x7b, 0xff, 0xff},
	}
)

const (
	panelSide   = 6 * vg.Inch
	stripHeight = 1.7 * vg.Inch
	headHeight  = 0.6 * vg.Inch
	pictureDPI  = 140
)

// draw writes the picture to out; format is .png or .svg.
func (p *picture) draw(out io.Writer, format string) error {
	panels := 2
	if p.orbits {
		panels = 1
	}
	width, height := vg.Length(panels)*panelSide, panelSide+stripHeight+headHeight
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	if format == ".svg" {
		canvas = vgsvg.New(width, height)
	} else {
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(pictureDPI))}
	}
	dc := draw.New(canvas)
	dc.SetColor(night)
	dc.Fill(dc.Rectangle.Path())
	dc.FillText(centred(14, frost), vg.Point{X: width / 2, Y: height - 0.35*headHeight}, p.heading)

	first, last := p.frames[0], p.frames[len(p.frames)-1]
	for k := range panels {
		middle := vg.Point{X: vg.Length(2*k+1) * panelSide / 2, Y: height - 0.8*headHeight}
		panel := darkPlot()
		panel.HideAxes()
		if p.orbits {
			dc.FillText(centred(10, frost), middle, fmt.Sprintf("t = %.4g to %.4g", first.time, last.time))
			p.addOrbits(panel)
		} else {
			f := []frame{first, last}[k]
			dc.FillText(centred(10, frost), middle, fmt.Sprintf("t = %.4g", f.time))
			p.addPoints(panel, f)
		}
		extent := p.extent()
		addScale(panel, extent)
		panel.X.Min, panel.X.Max, panel.Y.Min, panel.Y.Max = -extent, extent, -extent, extent
		left := vg.Length(k) * panelSide
		panel.Draw(draw.Crop(dc, left, left+panelSide-width, stripHeight, -headHeight))
	}
	strip, err := p.energyStrip()
	if err != nil {
		return err
	}
	strip.Draw(draw.Crop(dc, 0.25*vg.Inch, -0.25*vg.Inch, 0.12*vg.Inch, stripHeight-height))
	_, err = canvas.WriteTo(out)
	return err
}

func sans(size vg.Length, c color.Color) draw.TextStyle {
	style := plot.New().Title.TextStyle
	style.Font.Variant, style.Font.Size, style.Color = "Sans", size, c
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	return style
}

func centred(size vg.Length, c color.Color) draw.TextStyle {
	style := sans(size, c)
	style.XAlign = draw.XCenter
	return style
}

func darkPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color = slate, slate
		// Alignment and rotation stay as the plot has set them for each axis.
		for _, style := range []*draw.TextStyle{&axis.Tick.Label, &axis.Label.TextStyle} {
			style.Font.Variant, style.Font.Size, style.Color = "Sans", 8, slate
		}
	}
	return p
}

// addPoints draws a cluster seen along the z axis, each body in the colour of
// its distance from the centre at the start.
func (p *picture) addPoints(panel *plot.Plot, f frame) {
	shells := p.ranksByRadius()
	extent := p.extent()
	var shown plotter.XYs
	var colors []color.NRGBA
	for i, a := range f.at {
		if math.Abs(a.x) < extent && math.Abs(a.y) < extent {
			shown = append(shown, plotter.XY{X: a.x, Y: a.y})
			colors = append(colors, blend(glow, shells[i]))
		}
	}
	radius := vg.Points(min(2.2, max(0.7, 60/math.Sqrt(float64(len(f.at)+1)))))
	for _, layer := range []struct {
		size  vg.Length
		alpha uint8
	}{{2.6 * radius, 0x20}, {radius, 0xd0}} {
		panel.Add(&plotter.Scatter{XYs: shown, GlyphStyleFunc: func(i int) draw.GlyphStyle {
			c := colors[i]
			c.A = layer.alpha
			return draw.GlyphStyle{Color: c, Radius: layer.size, Shape: draw.CircleGlyph{}}
		}})
	}
}

// addOrbits draws trajectories seen along the z axis, fading into the past, and
// the bodies at the end.
func (p *picture) addOrbits(panel *plot.Plot) {
	last, extent := p.frames[len(p.frames)-1], p.extent()
	const pieces = 48
	for i := range last.at {
		c := orbitColors[i%len(orbitColors)]
		for k := range pieces {
			// Neighbouring pieces share a point, so that the line has no gaps.
			from, to := k*(len(p.frames)-1)/pieces, (k+1)*(len(p.frames)-1)/pieces
			if from == to {
				continue
			}
			var line plotter.XYs
			for _, f := range p.frames[from : to+1] {
				line = append(line, plotter.XY{X: f.at[i].x, Y: f.at[i].y})
			}
			faded := c
			faded.A = uint8(0x38 + (0xff-0x38)*(k+1)/pieces)
			panel.Add(&plotter.Line{XYs: line, LineStyle: draw.LineStyle{Color: faded, Width: vg.Points(1.3)}})
		}
		halo := c
		halo.A = 0x40
		end := plotter.XYs{{X: last.at[i].x, Y: last.at[i].y}}
		dot := &plotter.Scatter{XYs: end, GlyphStyle: draw.GlyphStyle{Color: c, Radius: 4, Shape: draw.CircleGlyph{}}}
		panel.Add(&plotter.Scatter{XYs: end, GlyphStyle: draw.GlyphStyle{Color: halo, Radius: 9, Shape: draw.CircleGlyph{}}}, dot)
		if i < len(p.names) {
			beside := plotter.XYs{{X: last.at[i].x + 0.04*extent, Y: last.at[i].y + 0.03*extent}}
			panel.Add(&plotter.Labels{XYs: beside, Labels: p.names[i : i+1], TextStyle: []draw.TextStyle{sans(10, c)}})
		}
	}
}

// addScale draws a bar of a round length in the lower left corner, in place of axes.
func addScale(panel *plot.Plot, extent float64) {
	length := math.Pow(10, math.Floor(math.Log10(extent/2)))
	for _, more := range []float64{5, 2} {
		if more*length <= extent/2 {
			length *= more
			break
		}
	}
	x, y := -0.94*extent, -0.95*extent
	panel.Add(&plotter.Line{
		XYs:       plotter.XYs{{X: x, Y: y}, {X: x + length, Y: y}},
		LineStyle: draw.LineStyle{Color: frost, Width: vg.Points(1.5)},
	}, &plotter.Labels{
		XYs:       plotter.XYs{{X: x + length/2, Y: y + 0.03*extent}},
		Labels:    []string{fmt.Sprintf("%.4g", length)},
		TextStyle: []draw.TextStyle{centred(9, frost)},
	})
}

// energyStrip draws the relative energy error over time.
func (p *picture) energyStrip() (*plot.Plot, error) {
	strip := darkPlot()
	strip.X.Label.Text, strip.Y.Label.Text = "time", "|ΔE| / E"
	points := make(plotter.XYs, len(p.times))
	for i := range points {
		points[i] = plotter.XY{X: p.times[i], Y: p.errors[i]}
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, fmt.Errorf("drawing the energy: %w", err)
	}
	line.Color, line.Width = glow[1], vg.Points(1.2)
	dots.GlyphStyle = draw.GlyphStyle{Color: glow[1], Radius: 2, Shape: draw.CircleGlyph{}}
	strip.Add(line, dots)
	strip.Y.Min = 0
	return strip, nil
}

// blend returns the colour at t, from 0 to 1, along the stops.
func blend(stops []color.NRGBA, t float64) color.NRGBA {
	at := t * float64(len(stops)-1)
	k := min(int(at), len(stops)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(k))*(float64(b)-float64(a)))) }
	a, b := stops[k], stops[k+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), mix(a.A, b.A)}
}
