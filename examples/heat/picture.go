package main

import (
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
)

const (
	pictureSide = 600 // pixels of the longer side
	barWidth    = 24
	margin      = 12
	isotherms   = 20 // intervals between the lowest and the highest temperature
)

// draw writes the picture of the field: temperatures as colours, with isotherms, and on
// the right the scale from the lowest temperature to the highest. Of a block it is the
// slice through the middle of the first dimension.
func draw(w io.Writer, o *options, all []float64) error {
	rows, cols := o.grid[len(o.grid)-2], o.grid[len(o.grid)-1]
	slice := all
	if len(o.grid) == 3 {
		slice = all[o.grid[0]/2*rows*cols:][:rows*cols]
	}
	f := field{slice, rows, cols, slices.Min(slice), slices.Max(slice)}
	scale := float64(pictureSide) / float64(max(rows, cols))
	width, height := max(1, int(float64(cols)*scale)), max(1, int(float64(rows)*scale))
	img := image.NewRGBA(image.Rect(0, 0, width+barWidth+3*margin, height+2*margin))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for y := range height {
		for x := range width {
			v := f.at(float64(y)/scale, float64(x)/scale)
			c := f.color(v)
			if level := f.level(v); level != f.level(f.at(float64(y+1)/scale, float64(x)/scale)) || level != f.level(f.at(float64(y)/scale, float64(x+1)/scale)) {
				c = darker(c)
			}
			img.SetRGBA(margin+x, margin+y, c)
		}
		v := f.hi - (f.hi-f.lo)*float64(y)/float64(height)
		for x := range barWidth {
			img.SetRGBA(2*margin+width+x, margin+y, f.color(v))
		}
	}
	return png.Encode(w, img)
}

// field is temperatures in rows.
type field struct {
	values     []float64
	rows, cols int
	lo, hi     float64
}

// at returns the temperature at a place between the points, which lie at halves.
func (f *field) at(y, x float64) float64 {
	clamp := func(v float64, n int) (i, j int, part float64) {
		v = min(max(v-0.5, 0), float64(n-1))
		i = int(v)
		return i, min(i+1, n-1), v - float64(i)
	}
	i, k, down := clamp(y, f.rows)
	j, l, right := clamp(x, f.cols)
	row := func(i int) float64 { return f.values[i*f.cols+j]*(1-right) + f.values[i*f.cols+l]*right }
	return row(i)*(1-down) + row(k)*down
}

// level returns the interval between isotherms that v is in.
func (f *field) level(v float64) int {
	if f.hi == f.lo {
		return 0
	}
	return int(math.Floor((v - f.lo) / (f.hi - f.lo) * isotherms))
}

// The colours of temperatures: where some are below zero, blue, white and red around it;
// else from black through red and yellow to white.
var (
	twoSided = []color.RGBA{{5, 48, 97, 255}, {67, 147, 195, 255}, {247, 247, 247, 255}, {214, 96, 77, 255}, {103, 0, 31, 255}}
	oneSided = []color.RGBA{{0, 0, 4, 255}, {87, 16, 110, 255}, {188, 55, 84, 255}, {249, 142, 9, 255}, {252, 255, 164, 255}}
)

// color returns the colour of a temperature.
func (f *field) color(v float64) color.RGBA {
	stops, lo, hi := oneSided, f.lo, f.hi
	if f.lo < 0 {
		reach := max(-f.lo, f.hi)
		stops, lo, hi = twoSided, -reach, reach
	}
	if hi == lo {
		return stops[0]
	}
	at := min(max((v-lo)/(hi-lo), 0), 1) * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(i))*(float64(b)-float64(a)))) }
	a, b := stops[i], stops[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

func darker(c color.RGBA) color.RGBA {
	return color.RGBA{uint8(int(c.R) * 7 / 10), uint8(int(c.G) * 7 / 10), uint8(int(c.B) * 7 / 10), 255}
}
