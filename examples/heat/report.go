package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/topology"
)

// reporter writes the report. Only rank 0 has one that is not nil; the methods of a nil
// reporter write nothing.
type reporter struct {
	out  io.Writer
	next int // step from which the next row is due
}

func (r *reporter) printf(format string, args ...any) {
	if r != nil {
		fmt.Fprintf(r.out, format, args...)
	}
}

// heading says what is going to be computed, and how it is placed.
func (r *reporter) heading(o *options, cart *topology.Cart) {
	r.printf("steady temperatures at %s points, %s, on %s ranks\n", by(o.grid), o.problem.about(), by(cart.Dims()))
	if given, placed := cart.HostEdges(); given > 0 {
		r.printf("%d pairs of neighbours on different hosts, %d before ranks were reordered\n", placed, given)
	}
	r.printf("\n%12s %15s\n", "step", "largest change")
}

// row reports a step; there are fewer the longer it takes.
func (r *reporter) row(s *solution) {
	if r == nil || s.steps < r.next && !s.steady {
		return
	}
	r.next = 2 * s.steps
	r.printf("%12s %15.3e\n", thousands(s.steps), s.change)
}

// summary reports the result and the speed.
func (r *reporter) summary(o *options, s solution, all []float64) {
	if s.steady {
		r.printf("\nsteady to %.1e after %s steps", s.change, thousands(s.steps))
	} else {
		r.printf("\nnot steady after %s steps, a point still changes by %.1e", thousands(s.steps), s.change)
	}
	r.printf(": temperatures from %.4f to %.4f\n", slices.Min(all), slices.Max(all))
	if most, known := furthest(o, all); known {
		r.printf("exact solution of the equation: %.2e away at most\n", most)
	}
	if seconds := s.elapsed.Seconds(); seconds > 0 {
		r.printf("%.2f s: %s million points/s, rank 0 waited for neighbours %.0f %% of the time\n",
			seconds, thousands(int(float64(len(all))*float64(s.steps)/seconds/1e6)), 100*s.waiting.Seconds()/seconds)
	}
}

// furthest returns how far all is from the exact solution, if that is known.
func furthest(o *options, all []float64) (most float64, known bool) {
	sides := make([]int, len(o.grid))
	for d, n := range o.grid {
		sides[d] = n + 1
	}
	for i, v := range all {
		x := make([]float64, len(o.grid))
		for d := len(x) - 1; d >= 0; d-- {
			x[d] = float64(i%o.grid[d]+1) / float64(o.grid[d]+1)
			i /= o.grid[d]
		}
		want, ok := o.problem.exact(x, sides)
		if !ok {
			return 0, false
		}
		most = max(most, math.Abs(v-want))
	}
	return most, true
}

// by writes a grid as 3×4.
func by(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, "×")
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
