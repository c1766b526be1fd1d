package scaling

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A Growth is how a flag of the program grows with the number p of ranks, so that
// the work of each stays the same.
type Growth struct {
	Flag  string  // with its dashes
	Base  float64 // its value for one rank
	Power float64 // of p
	whole bool    // values are rounded to whole numbers
	text  string  // of the power of p, as it was written
}

var growthForm = regexp.MustCompile(`^(--?[^-=\s][^=\s]*)\s*=\s*([0-9][0-9.eE+]*)\s*\*\s*(p|sqrt\(p\)|cbrt\(p\)|p\^([0-9.]+)(?:/([0-9]+))?)$`)

// ParseGrowth reads FLAG=BASE*p, with p, sqrt(p), cbrt(p), p^2 or p^2/3 at its
// end. If BASE is a whole number, so are the values.
func ParseGrowth(text string) (Growth, error) {
	wrong := fmt.Errorf("expected FLAG=BASE*p, such as -n=1000*p, -n=1000*sqrt(p) or -n=1000*p^2/3")
	m := growthForm.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Growth{}, wrong
	}
	g := Growth{Flag: m[1], text: m[3], whole: !strings.ContainsAny(m[2], ".eE")}
	var err error
	if g.Base, err = strconv.ParseFloat(m[2], 64); err != nil || !(g.Base > 0 && g.Base < 1e15) {
		return Growth{}, fmt.Errorf("%q: expected a number above zero and below 1e15; %w", m[2], wrong)
	}
	switch {
	case m[3] == "p":
		g.Power = 1
	case m[3] == "sqrt(p)":
		g.Power = 1. / 2
	case m[3] == "cbrt(p)":
		g.Power = 1. / 3
	default:
		over := 1.
		if m[5] != "" {
			over, _ = strconv.ParseFloat(m[5], 64)
		}
		g.Power, err = strconv.ParseFloat(m[4], 64)
		g.Power /= over
		if err != nil || !(g.Power > 0 && g.Power <= 3) {
			return Growth{}, fmt.Errorf("%q: expected a power above 0 and up to 3; %w", m[3], wrong)
		}
	}
	return g, nil
}

// Value is the flag's value for p ranks.
func (g Growth) Value(p int) string {
	v := g.Base * math.Pow(float64(p), g.Power)
	if g.whole {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// Arg is the argument for p ranks.
func (g Growth) Arg(p int) string { return g.Flag + "=" + g.Value(p) }

// String is the growth as it was written.
func (g Growth) String() string {
	base := strconv.FormatFloat(g.Base, 'g', 6, 64)
	if g.whole {
		base = strconv.FormatFloat(g.Base, 'f', 0, 64)
	}
	return g.Flag + "=" + base + "*" + g.text
}
