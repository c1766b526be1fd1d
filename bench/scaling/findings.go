package scaling

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/stats"
)

// Findings are what the study shows, in sentences, each with its interval. What
// it cannot show is in Cautions.
func (a *Analysis) Findings() []string {
	var list []string
	for _, r := range a.Rows {
		if more := float64(r.Ranks) / float64(a.Base); !r.Crowded && r.Ranks != a.Base && r.Speedup.HasInterval() && r.Speedup.Low > more {
			list = append(list, fmt.Sprintf("%s: faster than %s allow if nothing but their number changed. Often a rank's part of the data fits a cache that the whole does not; neither law knows of that.",
				plural(r.Ranks, "rank"), short(more)+" times the cores"))
		}
	}
	for _, m := range a.Models {
		if m.Refused == "" {
			list = append(list, a.finding(m)...)
		}
	}
	return list
}

// finding is what a law says that fits.
func (a *Analysis) finding(m Model) []string {
	if m.Worst > 0.1 {
		return []string{fmt.Sprintf("%s misses a median by %s: the program does not follow this law.", m.Name, percent(m.Worst))}
	}
	if m.Name == "Amdahl" {
		return a.serial(m)
	}
	switch {
	case !m.Kappa.HasInterval():
		return nil
	case m.Kappa.Low <= 0:
		return []string{fmt.Sprintf("USL: no cost that grows with the pairs of ranks is to be seen; κ is no more than %s.", short(m.Kappa.High))}
	}
	if m.Free == 0 {
		return []string{fmt.Sprintf("USL: a cost κ of %s %s, if the program follows this law. So few numbers of ranks cannot show that, so nothing is said about more.",
			short(m.Kappa.Value), interval(m.Kappa, short))}
	}
	peak := math.Sqrt(max(1-m.Sigma.Value, 0) / m.Kappa.Value)
	text := fmt.Sprintf("USL: beyond about %.0f ranks, more of them make it slower.", max(peak, 1))
	if points := a.judged(); peak > float64(points[len(points)-1].Ranks) {
		text += fmt.Sprintf(" That is further than the %d measured, so a guess.", points[len(points)-1].Ranks)
	}
	return []string{text}
}

// serial is what Amdahl's law says about the serial fraction.
func (a *Analysis) serial(m Model) []string {
	f := m.Sigma
	switch {
	case !f.HasInterval():
		return nil
	case f.High <= 0:
		return []string{"Amdahl: no serial fraction; it scales as well as can be, as far as was measured."}
	case f.Low <= 0:
		return []string{fmt.Sprintf("Amdahl: no serial fraction is to be seen; it is %s at most.", percent(f.High))}
	}
	if f.High >= 1 {
		return []string{fmt.Sprintf("Amdahl: a serial fraction of %s %s: more ranks may well make it no faster at all.", percent(f.Value), interval(f, percent))}
	}
	if usl := a.Models[len(a.Models)-1]; usl.Free > 0 && usl.Kappa.Low > 0 {
		return []string{fmt.Sprintf("Amdahl: a serial fraction of %s %s. But that alone does not explain the times, as USL has a cost κ above zero: what it would allow more ranks is not to be had.",
			percent(f.Value), interval(f, percent))}
	}
	if m.Free == 0 {
		return []string{fmt.Sprintf("Amdahl: a serial fraction of %s %s, if the program follows this law. So few numbers of ranks cannot show that, so nothing is said about more.",
			percent(f.Value), interval(f, percent))}
	}
	what := "makes it more than %s times as fast as one"
	if a.IsWeak() {
		what = "does more than %s times the work of one in the same time"
	}
	bound := f.through(func(f float64) float64 { return 1 / f })
	return []string{fmt.Sprintf("Amdahl: a serial fraction of %s %s. If it stays that, no number of ranks "+what+" %s.",
		percent(f.Value), interval(f, percent), short(bound.Value), interval(bound, short))}
}

// Cautions are what a reader has to know before he believes the rest, and what
// was left out and why.
func (a *Analysis) Cautions() []string {
	var list []string
	var crowded []string
	runs := math.MaxInt
	for _, p := range a.Points {
		if p.Failed != "" {
			first, _, _ := strings.Cut(p.Failed, "\n")
			list = append(list, fmt.Sprintf("%s: left out, since a run failed after %s: %s", plural(p.Ranks, "rank"), plural(len(p.Times), "good one"), first))
			continue
		}
		if len(p.Times) > 0 && a.Crowded(p.Ranks) {
			crowded = append(crowded, strconv.Itoa(p.Ranks))
		}
		runs = min(runs, len(p.Times))
	}
	if len(crowded) > 0 {
		threads := ""
		if a.Threads > 1 {
			threads = fmt.Sprintf(" of %d threads", a.Threads)
		}
		list = append(list, fmt.Sprintf("* %s ranks%s share %s: their times say how the system deals out cores, not how the program scales. They are shown, and are in no efficiency, serial fraction or fit.",
			strings.Join(crowded, ", "), threads, plural(a.Cores, "core")))
	}
	if base, ok := a.point(a.Base); !ok {
		list = append(list, fmt.Sprintf("No speed-up: there is no usable run with %s, the base.", plural(a.Base, "rank")))
	} else if a.Crowded(base.Ranks) {
		list = append(list, fmt.Sprintf("No speed-up: the base, %s, shares %s.", plural(a.Base, "rank"), plural(a.Cores, "core")))
	} else if a.Base > 1 {
		list = append(list, fmt.Sprintf("No Karp-Flatt fraction: it compares with one rank, and the base has %d.", a.Base))
	}
	for _, m := range a.Models {
		switch {
		case m.Refused != "":
			list = append(list, fmt.Sprintf("%s is not fitted: %s.", m.Name, m.Refused))
		case m.Free == 0:
			list = append(list, fmt.Sprintf("%s passes through all %d points, as it has as many parameters: whether the program follows it is not to be seen.", m.Name, len(a.judged())))
		}
	}
	if runs < 6 {
		list = append(list, fmt.Sprintf("%s of some number of ranks: a 95 %% interval wants 6 for a time, 4 for a speed-up, %d for a fit.", plural(runs, "run"), enough))
	}
	if load, err := strconv.ParseFloat(a.Environment.Load, 64); err == nil && load >= 0.5 {
		list = append(list, fmt.Sprintf("The load was %.1f when it began: other programs had a part of the cores, the more ranks the larger. Repeat it on a quiet machine.", load))
	}
	list = append(list, a.Notes...)
	if len(a.Weak) > 0 {
		list = append(list, "Equal work for each rank is what --weak says, not what was checked.")
	}
	return list
}

// fastest is the judged point with the largest speed-up.
func (a *Analysis) fastest() (best Row, ok bool) {
	for _, r := range a.Rows {
		if !r.Crowded && r.Speedup.Known() && (!ok || r.Speedup.Value > best.Speedup.Value) {
			best, ok = r, true
		}
	}
	return best, ok
}

// Summary is the study in a sentence, or empty if there is nothing to say.
func (a *Analysis) Summary() string {
	r, ok := a.fastest()
	switch {
	case !ok || len(a.judged()) < 2:
		return ""
	case r.Ranks == a.Base:
		return fmt.Sprintf("No number of ranks is faster than %s.", plural(a.Base, "rank"))
	}
	how := "as fast as"
	if a.IsWeak() {
		how = "as much work in a time as"
	}
	return fmt.Sprintf("%s: %s times %s %s %s, an efficiency of %s %s.", plural(r.Ranks, "rank"),
		short(r.Speedup.Value), how, plural(a.Base, "rank"), interval(r.Speedup, short), percent(r.Efficiency.Value), interval(r.Efficiency, percent))
}

// interval is the interval of f in brackets, or a dash.
func interval(f Figure, show func(float64) string) string {
	if !f.HasInterval() {
		return "-"
	}
	return "[" + show(f.Low) + ", " + show(f.High) + "]"
}

// short is v in three digits that say something, without exponent where it can.
func short(v float64) string {
	if math.Abs(v) < 1e6 {
		// Rounded first: 9.999 is 10.0 and not 10.00.
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	}
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case math.IsInf(v, 0):
		return "∞"
	case a == 0:
		return "0"
	case a >= 100 && a < 1e6:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10 && a < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1 && a < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.001 && a < 1:
		return strconv.FormatFloat(v, 'f', 2+int(-math.Floor(math.Log10(a))), 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// percent is a fraction as per cent.
func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return short(100*v) + " %"
}

// spread is the least and the largest time.
func spread(times []float64) (low, high float64) {
	return stats.Percentile(times, 0), stats.Percentile(times, 100)
}
