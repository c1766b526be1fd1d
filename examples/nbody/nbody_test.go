package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// program runs nbody on p ranks and returns the report of rank 0 and the errors of all.
func program(t *testing.T, p int, args ...string) (report string, failed []string) {
	t.Helper()
	var out bytes.Buffer
	var mu sync.Mutex
	ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
		var own bytes.Buffer
		err := nbody(t.Context(), c, args, &own, nil)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = append(failed, err.Error())
		}
		if c.Rank() == 0 {
			out = own
		} else if own.Len() > 0 {
			t.Errorf("rank %d reports: %s", c.Rank(), &own)
		}
	})
	return out.String(), failed
}

func TestOutputHasTheSameBitsForAnyNumberOfRanks(t *testing.T) {
	dir := t.TempDir()
	var want []byte
	for _, p := range sizes {
		file := filepath.Join(dir, fmt.Sprintf("%d.csv", p))
		if _, failed := program(t, p, "-check=false", "-n", "33", "-steps", "20", "-output", file); failed != nil {
			t.Fatal(failed)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("p %d: the output differs from that of one rank", p)
		}
	}
}

func TestARunMayBeContinuedFromItsOutput(t *testing.T) {
	dir := t.TempDir()
	half, rest, whole := filepath.Join(dir, "half"), filepath.Join(dir, "rest"), filepath.Join(dir, "whole")
	for _, args := range [][]string{
		{"-system", "solar", "-steps", "500", "-output", half},
		{"-input", half, "-integrator", "euler", "-steps", "500", "-output", rest},
		{"-system", "solar", "-steps", "1000", "-output", whole},
	} {
		if _, failed := program(t, 3, args...); failed != nil {
			t.Fatal(args, failed)
		}
	}
	got, _ := os.ReadFile(rest)
	want, err := os.ReadFile(whole)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: two halves give\n%s\nwant\n%s", err, got, want)
	}
}

func TestReportShowsThePublishedEnergies(t *testing.T) {
	for _, how := range []string{"replicated", "ring"} {
		report, failed := program(t, 4, "-n", "20", "-steps", "3", "-decomposition", how)
		if failed != nil || !strings.Contains(report, "check: outer solar system, 1,000 steps: energy -0.169087605, published -0.169087605") {
			t.Errorf("%s: %v\n%s", how, failed, report)
		}
		report, failed = program(t, 2, "-system", "solar", "-steps", "10000", "-decomposition", how)
		if failed != nil || !strings.Contains(report, "published energy after 10,000 steps: -0.169016441, here -0.169016441: they agree") {
			t.Errorf("%s: %v\n%s", how, failed, report)
		}
	}
}

func TestWrongUseFailsOnAllRanksWithOneSentence(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	collision := filepath.Join(dir, "collision.csv")
	for name, text := range map[string]string{
		bad:       csvHeader + "\n1,2,3,4,5,6,seven\n",
		collision: csvHeader + "\n1,0,0,0,0,0,0\n1,0,0,0,0,0,0\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	nowhere := filepath.Join(dir, "no", "where")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-bodies", "3"}, "flag provided but not defined: -bodies (-h lists the flags)"},
		{[]string{"5"}, `unexpected argument "5": everything is given by flags (-h lists them)`},
		{[]string{"-n", "0"}, "-n 0: expected 1 to 16777216"},
		{[]string{"-n", "1000000000"}, "-n 1000000000: expected 1 to 16777216"},
		{[]string{"-steps", "-1"}, "-steps -1: expected 0 or more"},
		{[]string{"-dt", "0"}, "-dt 0: expected a positive number"},
		{[]string{"-dt", "NaN"}, "-dt NaN: expected a positive number"},
		{[]string{"-softening", "-1"}, "-softening -1: expected 0 or a positive number"},
		{[]string{"-rows", "0"}, "-rows 0: expected 1 or more"},
		{[]string{"-integrator", "rk4"}, `-integrator "rk4": expected leapfrog or euler`},
		{[]string{"-decomposition", "tree"}, `-decomposition "tree": expected replicated or ring`},
		{[]string{"-system", "moon"}, `-system "moon": expected plummer or solar`},
		{[]string{"-system", "solar", "-n", "5"}, "-n and -seed are for the plummer sphere, the solar system has 5 bodies"},
		{[]string{"-input", bad, "-n", "5"}, "-input and -n exclude each other"},
		{[]string{"-plot", "a.gif"}, `-plot "a.gif": expected a name that ends in .png or .svg`},
		{[]string{"-input", bad}, bad + `:2:13: "seven" is not a decimal number`},
		{[]string{"-input", nowhere}, "open " + nowhere + ":"},
		{[]string{"-input", collision}, errNotFinite.Error()},
		{[]string{"-check=false", "-n", "2", "-output", nowhere}, "open " + nowhere + ":"},
		{[]string{"-check=false", "-n", "2", "-plot", nowhere + ".png"}, "open " + nowhere + ".png:"},
	} {
		const p = 3
		_, failed := program(t, p, c.args...)
		if len(failed) != p {
			t.Errorf("%q: %d of %d ranks failed: %q", c.args, len(failed), p, failed)
		}
		for _, got := range failed {
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("%q: got %q, want %q", c.args, got, c.want)
			}
		}
	}
}

func TestHelpIsPrintedOnceAndIsNoFailure(t *testing.T) {
	report, failed := program(t, 3, "-h")
	if failed != nil || !strings.Contains(report, "-decomposition replicated|ring") || strings.Count(report, "-softening") != 1 {
		t.Errorf("%v\n%s", failed, report)
	}
}

func TestPicturesAreDrawn(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"sphere.png", []string{"-check=false", "-n", "100", "-steps", "4"}},
		{"still.svg", []string{"-check=false", "-n", "100", "-steps", "0"}},
		{"orbits.svg", []string{"-system", "solar", "-steps", "300"}},
		{"alone.svg", []string{"-check=false", "-n", "1", "-steps", "4"}},
	} {
		file := filepath.Join(dir, c.name)
		if _, failed := program(t, 2, append(c.args, "-plot", file)...); failed != nil {
			t.Fatal(c.name, failed)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".png") {
			_, err = png.DecodeConfig(bytes.NewReader(text))
		} else if !bytes.HasSuffix(bytes.TrimSpace(text), []byte("</svg>")) {
			err = errors.New("the end is missing")
		}
		if err != nil {
			t.Errorf("%s of %d bytes: %v", c.name, len(text), err)
		}
	}
}

func TestPictureKeepsABoundedNumberOfPlaces(t *testing.T) {
	for _, c := range []struct{ n, steps, frames, places int }{
		{5, 100, 101, 5}, {orbitBodies, 1000000, orbitFrames + 1, orbitBodies},
		{orbitBodies + 1, 100, 2, orbitBodies + 1}, {1000000, 100, 2, 8131},
	} {
		p := newPicture(&options{system: "plummer", steps: c.steps}, c.n)
		frames, places := 0, (c.n+p.stride-1)/p.stride
		for step := range c.steps + 1 {
			if p.wants(step) {
				frames++
			}
		}
		if frames != c.frames || places != c.places {
			t.Errorf("n %d, %d steps: %d frames of %d places, want %d of %d", c.n, c.steps, frames, places, c.frames, c.places)
		}
	}
}

func TestProgressIsErasedBeforeTheReportGoesOn(t *testing.T) {
	var screen bytes.Buffer
	now := time.Unix(0, 0)
	bar := newProgress(&screen, 200, func() time.Time { return now })
	bar.show(1) // too soon
	now = now.Add(time.Second)
	bar.show(50)
	bar.show(51) // too soon
	r := &reporter{out: &screen, bar: bar}
	r.printf("row\n")
	r.printf("row\n")
	line := "  [=======                       ]  25 %  step 50 of 200, 3.0 s left"
	want := "\r" + line + "\r" + strings.Repeat(" ", len(line)) + "\rrow\nrow\n"
	if got := screen.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTheNullDeviceIsNoTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(null) || isTerminal(file) {
		t.Errorf("null device %v, file %v: want neither a terminal", isTerminal(null), isTerminal(file))
	}
}
