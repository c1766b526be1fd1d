package main

import (
	"bytes"
	"context"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
	"github.com/muster-mpi/muster/topology"
)

func parsed(t *testing.T, args ...string) options {
	t.Helper()
	o, _, err := parseOptions(args)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// solved is solve over the ranks of c; the field is nil but at rank 0.
func solved(t *testing.T, c *rank.Comm, o *options) (solution, []float64) {
	t.Helper()
	ranks, err := divide(c.Size(), o)
	if err != nil {
		t.Fatal(err)
	}
	cart, err := topology.NewCart(t.Context(), c, ranks, nil, topology.Reorder)
	if err != nil {
		t.Fatal(err)
	}
	p := newPart(o, cart)
	s, err := solve(t.Context(), cart, p, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.collect(t.Context(), cart)
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

func TestAnyNumberOfRanksGivesTheSameBits(t *testing.T) {
	for _, args := range [][]string{
		{"-grid", "9x12", "-tol", "1e-3"},
		{"-grid", "21x20", "-problem", "plates", "-every", "7", "-tol", "1e-2"},
		{"-grid", "6x7x8", "-tol", "1e-2"},
		{"-grid", "8x6x20", "-problem", "plates", "-steps", "50"},
		{"-grid", "6x1", "-steps", "3", "-every", "2"},
	} {
		o := parsed(t, args...)
		want, steps := serial(&o)
		for _, p := range []int{1, 2, 3, 4, 6, 8} {
			if _, err := divide(p, &o); err != nil {
				continue
			}
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				s, all := solved(t, c, &o)
				if c.Rank() != 0 {
					return
				}
				if s.steps != steps {
					t.Errorf("%q on %d ranks: %d steps, want %d", args, p, s.steps, steps)
				}
				if err := checkSerial(&o, s, all); err != nil {
					t.Errorf("%q on %d ranks: %v", args, p, err)
				}
				all[len(all)/2] = math.Nextafter(want[len(all)/2], 1000)
				if checkSerial(&o, s, all) == nil {
					t.Errorf("%q on %d ranks: the check does not see the last bit", args, p)
				}
			})
		}
	}
}

// The equation is solved: halving the distance of the points divides the distance from
// the exact solution by four.
func TestErrorFallsWithTheSquareOfTheDistance(t *testing.T) {
	for _, grids := range [][2]string{{"15x15", "31x31"}, {"11x7", "23x15"}, {"7x9x7", "15x19x15"}} {
		var off [2]float64
		for i, grid := range grids {
			o := parsed(t, "-grid", grid, "-tol", "1e-9")
			ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
				s, all := solved(t, c, &o)
				if c.Rank() == 0 {
					off[i], _ = furthest(&o, all)
					if !s.steady || s.change > o.tol {
						t.Errorf("grid %s: not steady after %d steps", grid, s.steps)
					}
				}
			})
		}
		if ratio := off[0] / off[1]; ratio < 3.5 || ratio > 4.3 {
			t.Errorf("from grid %s to %s the error went from %v to %v, by %.2f, want about 4", grids[0], grids[1], off[0], off[1], ratio)
		}
	}
}

func TestWrongOptionsAreRefusedByName(t *testing.T) {
	for _, w := range []struct{ args, want string }{
		{"-grid 10", `-grid "10": expected two or three dimensions`},
		{"-grid 10xy", `-grid "10xy": "y" is not a number`},
		{"-grid 0x10", `"0" is not a number from 1 on`},
		{"-grid 1000000x1000000", "more than 1073741824 points"},
		{"-ranks 2", `-ranks "2": expected 2 numbers`},
		{"-ranks 2x-1", `-ranks "2x-1"`},
		{"-problem soup", `-problem "soup": expected wall or plates`},
		{"-tol -1", "-tol -1"}, {"-tol NaN", "-tol NaN"}, {"-steps 0", "-steps 0"}, {"-every 0", "-every 0"},
		{"-plot a.svg", `-plot "a.svg": expected a name that ends in .png`},
		{"surplus", `unexpected argument "surplus"`}, {"-what", "-what"},
	} {
		_, _, err := parseOptions(strings.Fields(w.args))
		if err == nil || !strings.Contains(err.Error(), w.want) {
			t.Errorf("%s: %v, want %q", w.args, err, w.want)
		}
	}
	o := parsed(t, "-grid", "4x4", "-ranks", "2x2")
	if _, err := divide(6, &o); err == nil || !strings.Contains(err.Error(), "-ranks [2 2] for 6 ranks") {
		t.Errorf("2×2 ranks of 6: %v", err)
	}
	o = parsed(t, "-grid", "1x4")
	if _, err := divide(2, &o); err == nil || !strings.Contains(err.Error(), "2 ranks in dimension 0, which has 1 points") {
		t.Errorf("two ranks for one point: %v", err)
	}
}

// The whole program on three ranks: report, check and picture.
func TestProgramReportsChecksAndDraws(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "plates.png")
	var out bytes.Buffer
	err := rank.Local(3, func(ctx context.Context, world *rank.Comm) error {
		return heat(ctx, world, []string{"-problem", "plates", "-grid", "40x60", "-tol", "1e-2", "-check", "-plot", picture}, &out)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"40×60 points, a hot and a cold plate, on 3×1 ranks", "steady to", "temperatures from -100.0000 to 100.0000", "check: one rank", "picture: " + picture} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q\n%s", want, &out)
		}
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != pictureSide+barWidth+3*margin || b.Dy() != 400+2*margin {
		t.Errorf("the picture is %v", b)
	}
	// The hot plate is red, the cold one blue, and so are the ends of the scale.
	for _, w := range []struct {
		x, y int
		red  bool
	}{{margin + 210, margin + 200, true}, {margin + 390, margin + 200, false}, {pictureSide + 2*margin + 5, margin, true}, {pictureSide + 2*margin + 5, margin + 399, false}} {
		if r, _, b, _ := img.At(w.x, w.y).RGBA(); r > b != w.red {
			t.Errorf("the picture at %d, %d: red %d, blue %d", w.x, w.y, r>>8, b>>8)
		}
	}
}

func TestPictureOfOnePoint(t *testing.T) {
	o := parsed(t, "-grid", "1x1x1")
	if err := draw(io.Discard, &o, []float64{3}); err != nil {
		t.Error(err)
	}
}

func BenchmarkSweep(b *testing.B) {
	for _, grid := range []string{"256x256", "64x64x64"} {
		b.Run(grid, func(b *testing.B) {
			o, _, err := parseOptions([]string{"-grid", grid})
			if err != nil {
				b.Fatal(err)
			}
			err = rank.Local(1, func(ctx context.Context, world *rank.Comm) error {
				ranks, err := divide(1, &o)
				if err != nil {
					return err
				}
				cart, err := topology.NewCart(ctx, world, ranks, nil)
				if err != nil {
					return err
				}
				p := newPart(&o, cart)
				b.SetBytes(int64(8 * len(p.u)))
				for b.Loop() {
					p.sweep(p.inside)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
