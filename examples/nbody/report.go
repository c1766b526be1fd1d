package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// reporter writes the report. Only rank 0 has one that is not nil; the methods
// of a nil reporter write nothing.
type reporter struct {
	out   io.Writer
	bar   *progress
	start *conserved
	last  *conserved
}

func (r *reporter) printf(format string, args ...any) {
	if r == nil {
		return
	}
	r.bar.erase()
	fmt.Fprintf(r.out, format, args...)
}

// heading says what is going to be computed.
func (r *reporter) heading(o *options, n, ranks int) {
	r.printf("%s on %s, %s\n", o.describe(n), count(ranks, "rank"), map[string]string{
		"replicated": "positions replicated",
		"ring":       "blocks of bodies travelling round a ring",
	}[o.decomposition])
	r.printf("%s, %s of %.6g, softening %.6g\n\n", o.integrator.about, count(o.steps, "step"), o.dt, o.softening)
	r.printf("%8s %10s %16s %10s %10s %10s %8s\n", "step", "time", "energy", "|ΔE|/E", "|ΔP|", "|ΔL|", "2T/|W|")
}

// describe names the bodies.
func (o *options) describe(n int) string {
	switch o.system {
	case "plummer":
		return fmt.Sprintf("Plummer sphere of %s from seed %d", count(n, "body"), o.seed)
	case "solar":
		return "Sun, Jupiter, Saturn, Uranus and Neptune (AU, years)"
	}
	return fmt.Sprintf("%s from %s", count(n, "body"), o.input)
}

// row reports the sums after step at time t.
func (r *reporter) row(step int, t float64, sums *conserved) {
	if r == nil {
		return
	}
	if r.start == nil {
		r.start = sums
	}
	r.last = sums
	d := sums.since(r.start)
	r.printf("%8d %10.4f %16.9f %10.1e %10.1e %10.1e %8s\n", step, t, sums.energy(), d.energy, d.momentum, d.angularMomentum, virialText(sums))
}

// published sets the last energy beside the one published for so many steps of
// the outer solar system, if o repeats that run.
func (r *reporter) published(o *options, steps int) {
	want, known := solarEnergies[steps]
	if r == nil || !known || o.system != "solar" || o.integrator.name != "euler" || o.dt != solarStep || o.softening != 0 {
		return
	}
	found := "they agree"
	if !agrees(r.last.energy(), want) {
		found = "THEY DIFFER"
	}
	r.printf("published energy after %s: %.9f, here %.9f: %s\n", count(steps, "step"), want, r.last.energy(), found)
}

// virialText is the virial ratio; a body alone has none.
func virialText(s *conserved) string {
	if v := s.virial(); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return fmt.Sprintf("%.4f", v)
	}
	return "-"
}

// summary reports start, end and drift of what should be conserved, and the speed.
func (r *reporter) summary(s *simulation) {
	if r == nil {
		return
	}
	d := r.last.since(r.start)
	r.printf("\n%-18s %18s %18s %10s\n", "", "start", "end", "drift")
	r.printf("%-18s %18.12f %18.12f %10.1e of |E|\n", "energy", r.start.energy(), r.last.energy(), d.energy)
	r.printf("%-18s %18.9e %18.9e %10.1e of Σ m|v|\n", "momentum", r.start.momentum(), r.last.momentum(), d.momentum)
	r.printf("%-18s %18.12f %18.12f %10.1e of Σ m|r×v|\n", "angular momentum", r.start.angularMomentum(), r.last.angularMomentum(), d.angularMomentum)
	if perSecond, waited := s.rate(); perSecond > 0 {
		r.printf("\n%.3g interactions in %.2f s: %s million interactions/s on %s, rank 0 waited for messages %.0f %% of the time\n",
			float64(s.n)*float64(s.n-1)*float64(s.fields), s.stepping.Seconds(),
			thousands(int(math.Round(perSecond/1e6))), count(s.c.Size(), "rank"), 100*waited)
	}
}

// count is n with the noun, in the plural where it belongs.
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "body":
		noun = "bodies"
	default:
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// thousands writes n ≥ 0 with commas between groups of three digits.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}
