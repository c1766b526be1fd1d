package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/bench/stats"
	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

// clearly is by how much another algorithm must be the faster one to end the stretch
// of sizes of the one before: less is chance.
const clearly = 1.05

// cliff is what the choice may take compared to the best.
const cliff = 1.25

// table makes the table of what was measured.
func (r *tuneRun) table(command, commit string) *tune.Table {
	e := results.Here()
	t := &tune.Table{
		Machine: strings.TrimSpace(fmt.Sprintf("%s of %s, %s %s, %s", count(e.Cores, "core"), or(e.Machine, e.Arch), e.OS, e.Kernel, r.line.transport)),
		Date:    e.Start.Format("2006-01-02"), Commit: commit, Command: command,
	}
	for _, ranks := range r.line.ranks {
		for _, op := range r.line.ops {
			for _, order := range orders(op) {
				var cells []cell
				for _, c := range r.cells {
					if c.op == op && c.ranks == ranks {
						cells = append(cells, c)
					}
				}
				if uses := r.uses(cells, order); len(uses) > 0 {
					t.Entries = append(t.Entries, tune.Entry{Case: tune.Case{Op: op, Ranks: ranks, Order: order}, Uses: uses})
				}
			}
		}
	}
	return t
}

// orders are those of an operation for which there may be different algorithms.
func orders(op schedule.Operation) []algo.Bracketing {
	if !op.Reduces() {
		return []algo.Bracketing{algo.Unordered}
	}
	return []algo.Bracketing{algo.Canonical, algo.Ordered, algo.Unordered}
}

// uses finds the fastest for each size, and where one ends and the next begins.
func (r *tuneRun) uses(cells []cell, order algo.Bracketing) (list []tune.Use) {
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.bytes, b.bytes) })
	for i, c := range cells {
		times := r.medians(c, order)
		shared, has := times[tune.SharedForm]
		delete(times, tune.SharedForm)
		name, best := fastest(times)
		u := tune.Use{Name: name, Shared: has && shared < best}
		if n := len(list); n > 0 {
			last := list[n-1]
			if times[last.Name] < best*clearly {
				u.Name = last.Name
			}
			if has && max(shared, best) < min(shared, best)*clearly {
				u.Shared = last.Shared
			}
			if u == last {
				continue
			}
			list[n-1].Below = between(cells[i-1].bytes, c.bytes)
		}
		list = append(list, u)
	}
	return list
}

// between returns the power of two about in the middle of two sizes, as factors
// count, above the first and not above the second if there is one, else the second.
func between(a, b int) int {
	n := 1 << int(math.Round((math.Log2(float64(max(a, 1)))+math.Log2(float64(b)))/2))
	if n <= a || n > b {
		return b
	}
	return n
}

// medians are the times in nanoseconds of all that keep order; of the form in shared
// memory too.
func (r *tuneRun) medians(c cell, order algo.Bracketing) map[string]float64 {
	times := make(map[string]float64)
	for name, v := range r.taken[c] {
		a, ok := algo.Find(c.op, name)
		if ok && c.op.Reduces() && a.Bracketing < order {
			continue
		}
		times[name] = stats.Median(v)
	}
	return times
}

// fastest returns the name with the least time, of equal ones the first.
func fastest(times map[string]float64) (name string, best float64) {
	for n, t := range times {
		if name == "" || t < best || t == best && n < name {
			name, best = n, t
		}
	}
	return name, best
}

// A verdict is what choosing without a table comes to in one cell.
type verdict struct {
	cell
	order        algo.Bracketing
	chosen, best string
	ratio, least float64 // of chosen to best, and best in nanoseconds
}

// compare writes how far the choices made without a table are from the best, and
// reports whether none is beyond cliff.
func (r *tuneRun) compare(w io.Writer) bool {
	var beyond []verdict
	total := 0
	for _, c := range r.cells {
		for _, order := range orders(c.op) {
			v := r.judge(c, order)
			if total++; v.ratio > cliff {
				beyond = append(beyond, v)
			}
		}
	}
	fmt.Fprintf(w, "\nWithout a table blocking calls take at most %.2f times as long as by the best in %d of %d cases.\n", cliff, total-len(beyond), total)
	slices.SortStableFunc(beyond, func(a, b verdict) int { return cmp.Compare(b.ratio, a.ratio) })
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, v := range beyond {
		if i == 0 {
			fmt.Fprint(t, "\noperation\tranks\tbytes\torder\tchosen\tbest\ttime\tratio\n")
		}
		order := "-"
		if v.op.Reduces() {
			order = v.order.String()
		}
		fmt.Fprintf(t, "%v\t%d\t%d\t%s\t%s\t%s\t%s\t%.2f\n", v.op, v.ranks, v.bytes, order, v.chosen, v.best, micros(int64(v.least)), v.ratio)
	}
	t.Flush()
	return len(beyond) == 0
}

// judge finds what a blocking call would be carried out by, and how that compares.
func (r *tuneRun) judge(c cell, order algo.Bracketing) verdict {
	times := r.medians(c, order)
	v := verdict{cell: c, order: order, chosen: tune.SharedForm}
	v.best, v.least = fastest(times)
	_, can := times[tune.SharedForm]
	s, _ := tune.Share(nil, c.op, c.ranks, order, r.line.transport == "local")
	if !can || !s.At(c.bytes) {
		call := callOf(c.op, c.ranks, c.bytes)
		params := tune.Params(linkOf[r.line.transport], tune.TCP)
		choice, err := tune.New(nil, params).Choose(tune.Query{Call: &call, Width: width(c.op), Order: order})
		if err != nil {
			panic("tune: no algorithm for a call that was measured: " + err.Error())
		}
		v.chosen = choice.Name
	}
	v.ratio = times[v.chosen] / v.least
	return v
}
