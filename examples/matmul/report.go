package main

import (
	"fmt"
	"io"
	"time"
)

// gflops is the rate of a product, its work counted as 2mnk operations.
func gflops(s shape, d time.Duration) float64 {
	return s.flop() / max(d.Seconds(), 1e-9) / 1e9
}

// describe writes the head of the report: the problem and how it is solved.
func describe(w io.Writer, o options, pl plan, ranks, threads int) {
	s := pl.shape
	from := fmt.Sprintf("generated from seed %d", o.seed)
	if o.a != "" {
		from = fmt.Sprintf("A from %s, B from %s", o.a, o.b)
	}
	fmt.Fprintf(w, "matmul     C = A·B, (%d×%d)·(%d×%d), float64, %s\n", s.m, s.k, s.k, s.n, from)
	fmt.Fprintf(w, "ranks      %d in a %d×%d grid, GOMAXPROCS %d each\n", ranks, pl.rows, pl.cols, threads)
	r, c := part(s.m, pl.rows, 0), part(s.n, pl.cols, 0)
	switch pl.algorithm {
	case "cannon", "ring":
		fmt.Fprintf(w, "algorithm  %s, %s, blocks of C up to %d×%d\n", pl.algorithm, counted(max(pl.rows, pl.cols), "step"), r.len(), c.len())
	default:
		fmt.Fprintf(w, "algorithm  summa, %s, blocks of C up to %d×%d\n", counted(len(panels(s.k, pl.rows, pl.cols, panelWidth)), "panel"), r.len(), c.len())
	}
}

// counted returns a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// line writes one multiplication's figures.
func (r run) line(w io.Writer, name string, s shape) {
	fmt.Fprintf(w, "%-10s %v, %.2f GFLOP/s, %.1f %% of the ranks' time in communication\n", name, round(r.total), gflops(s, r.total), 100*r.share)
}

// round cuts a duration to four digits or so.
func round(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 10000 {
		unit *= 10
	}
	return d.Round(unit)
}
