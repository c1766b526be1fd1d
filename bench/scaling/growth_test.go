package scaling

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestGrowth(t *testing.T) {
	for _, test := range []struct {
		text   string
		p      int
		want   string
		string string
	}{
		{"-n=1000*p", 4, "-n=4000", "-n=1000*p"},
		{"--bodies = 2048 * sqrt(p)", 2, "--bodies=2896", "--bodies=2048*sqrt(p)"},
		{"-n=512*cbrt(p)", 8, "-n=1024", "-n=512*cbrt(p)"},
		{"-n=10*p^2", 3, "-n=90", "-n=10*p^2"},
		{"-n=1000*p^2/3", 8, "-n=4000", "-n=1000*p^2/3"},
		{"-dt=0.5*p^0.5", 4, "-dt=1", "-dt=0.5*p^0.5"},
		{"-n=3*p", 1, "-n=3", "-n=3*p"},
	} {
		g, err := ParseGrowth(test.text)
		if err != nil || g.Arg(test.p) != test.want || g.String() != test.string {
			t.Errorf("%s: %v: got %s, want %s; shown as %s", test.text, err, g.Arg(test.p), test.want, g)
		}
	}
	for _, text := range []string{"", "n=5*p", "-n*p", "-n=5", "-n=5*q", "-n=0*p", "-n=1e999*p", "-n=5*p^0", "-n=5*p^9", "-n=5*p^1/0", "-n=.*p", "-n=-5*p", "-=5*p", "-n=5*p^..", "--n=5*p extra"} {
		if g, err := ParseGrowth(text); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: got %+v, %v", text, g, err)
		}
	}
}

func FuzzGrowth(f *testing.F) {
	for _, text := range []string{"-n=1000*p", "-n = 5*sqrt(p)", "--n=5e3*p^2/3", "-n=0.1*p^.5"} {
		f.Add(text, 8)
	}
	f.Fuzz(func(t *testing.T, text string, p int) {
		g, err := ParseGrowth(text)
		if err != nil || p < 1 || p > 1<<16 {
			return
		}
		v, err := strconv.ParseFloat(g.Value(p), 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || v < 0 || g.Arg(p) != g.Flag+"="+g.Value(p) {
			t.Fatalf("%q for %d ranks: %q, %v", text, p, g.Arg(p), err)
		}
		if again, err := ParseGrowth(g.String()); err != nil || again.Power != g.Power {
			t.Fatalf("%q is shown as %q, which reads as %+v, %v", text, g, again, err)
		}
	})
}
