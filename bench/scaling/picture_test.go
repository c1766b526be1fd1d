package scaling

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tricky is a study of everything at once: names that are markup, a failure,
// shared cores, noise.
func tricky(seed uint64) *Study {
	r := rand.New(rand.NewPCG(seed, 7))
	scale := math.Exp(12*r.Float64() - 6)
	s := law(scale, 0.2*r.Float64(), 0.01*r.Float64(), []int{1, 2, 3, 4, 8, 16, 17, 32}[:1+r.IntN(8)], 1+r.IntN(9), r.IntN(2) == 0,
		func() float64 { return math.Exp(0.2 * r.NormFloat64()) })
	s.Program = `./a<b>&"c" --x='</svg><script>'`
	s.Environment.Command = s.Program
	s.Cores = 1 + r.IntN(40)
	s.Base = s.Points[r.IntN(len(s.Points))].Ranks
	if r.IntN(3) == 0 {
		s.Points[r.IntN(len(s.Points))].Failed = "exit code 3: <&>"
	}
	if r.IntN(4) == 0 {
		s.Points[r.IntN(len(s.Points))].Times = nil
	}
	return s
}

// Pictures are well-formed, draw within their bounds and need nothing else, and
// no form of the study has a number that is none.
func TestPicturesAndPagesAreWhole(t *testing.T) {
	coordinate := regexp.MustCompile(` (c?[xy][12]?)="([^"]*)"`)
	for seed := range uint64(60) {
		s := tricky(seed).Analyse()
		var html, js, csv, table strings.Builder
		for name, err := range map[string]error{"page": s.WritePage(&html), "JSON": s.WriteJSON(&js), "CSV": s.WriteCSV(&csv), "table": s.WriteTable(&table)} {
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, name, err)
			}
		}
		for _, text := range []string{html.String(), js.String(), csv.String(), table.String()} {
			if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Fatalf("seed %d: a number is none:\n%s", seed, text)
			}
		}
		if text := strings.ReplaceAll(html.String(), "http://www.w3.org/2000/svg", ""); strings.Contains(text, "http") || strings.Contains(text, "<script") || strings.Contains(text, "src=") {
			t.Fatalf("seed %d: the page needs something else:\n%s", seed, text)
		}
		for _, p := range s.Pictures() {
			d := xml.NewDecoder(strings.NewReader(p.SVG))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("seed %d: %s: %v\n%s", seed, p.Name, err, p.SVG)
				}
			}
			for _, m := range coordinate.FindAllStringSubmatch(p.SVG, -1) {
				v, err := strconv.ParseFloat(m[2], 64)
				bound := float64(pictureWidth)
				if strings.Contains(m[1], "y") {
					bound = pictureHeight
				}
				if err != nil || !(v >= 0 && v <= bound) {
					t.Fatalf("seed %d: %s has %s, %v\n%s", seed, p.Name, m[0], err, p.SVG)
				}
			}
		}
	}
}

func TestTicksAreFewAndRound(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for range 500 {
		low := math.Exp(10 * r.NormFloat64())
		a := axis{low: low, high: low * (1.05 + math.Exp(3*r.NormFloat64())), from: 300, to: 0, log: r.IntN(2) == 0}
		ticks := a.ticks()
		if len(ticks) < 2 || len(ticks) > 16 {
			t.Fatalf("%+v has the ticks %v", a, ticks)
		}
		for _, v := range ticks {
			if at := a.at(v); at < -0.1 || at > 300.1 {
				t.Fatalf("%+v: the tick %v is at %v", a, v, at)
			}
		}
	}
}
