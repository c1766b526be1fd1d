package scaling

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/results"
)

// WriteCSV writes a line for each number of ranks, after one of column names.
// Machine, commit, command and date are on every line, so that files can be put
// together. What is not known is empty.
func (a *Analysis) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"program", "study", "size", "ranks", "shares_cores", "failed", "runs", "min_s", "median_s", "low95_s", "high95_s", "max_s",
		"base", "speedup", "speedup_low95", "speedup_high95", "efficiency", "efficiency_low95", "efficiency_high95",
		"karp_flatt", "karp_flatt_low95", "karp_flatt_high95", "threads", "clock",
		"machine", "cores", "kernel", "go", "commit", "command", "start"})
	e := a.Environment
	study := "strong"
	if a.IsWeak() {
		study = "weak"
	}
	for _, r := range a.Rows {
		var size []string
		for _, g := range a.Weak {
			size = append(size, g.Arg(r.Ranks))
		}
		failed, _, _ := strings.Cut(r.Failed, "\n")
		low, high := spread(r.Times)
		line := []string{a.Program, study, strings.Join(size, " "), strconv.Itoa(r.Ranks), strconv.FormatBool(r.Crowded), failed,
			strconv.Itoa(len(r.Times)), decimal(low), decimal(r.Time.Value), decimal(r.Time.Low), decimal(r.Time.High), decimal(high),
			strconv.Itoa(a.Base)}
		for _, f := range []Figure{r.Speedup, r.Efficiency, r.KarpFlatt} {
			line = append(line, decimal(f.Value), decimal(f.Low), decimal(f.High))
		}
		c.Write(append(line, strconv.Itoa(max(a.Threads, 1)), a.Clock,
			e.Machine, strconv.Itoa(a.Cores), e.Kernel, e.Go, e.Commit, e.Command, e.Start.Format("2006-01-02T15:04:05Z")))
	}
	c.Flush()
	return c.Error()
}

// decimal is a value as short as keeps it, or nothing.
func decimal(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// document is what the JSON form has beside environment and series, which are
// those of all benchmarks.
type document struct {
	Program  string      `json:"program"`
	Study    string      `json:"study"` // strong, weak
	Grow     []string    `json:"grow,omitempty"`
	Threads  int         `json:"threads"`
	Cores    int         `json:"cores"`
	Base     int         `json:"base"`
	Clock    string      `json:"clock"`
	Points   []jsonPoint `json:"points"`
	Laws     []jsonModel `json:"laws"`
	Findings []string    `json:"findings"`
	Cautions []string    `json:"cautions"`
}

type jsonPoint struct {
	Ranks       int         `json:"ranks"`
	SharesCores bool        `json:"shares_cores"`
	Failed      string      `json:"failed,omitempty"`
	Times       []float64   `json:"times_s"`
	Time        *jsonFigure `json:"median_s,omitempty"`
	Speedup     *jsonFigure `json:"speedup,omitempty"`
	Efficiency  *jsonFigure `json:"efficiency,omitempty"`
	KarpFlatt   *jsonFigure `json:"karp_flatt,omitempty"`
}

type jsonModel struct {
	Name    string      `json:"name"`
	Refused string      `json:"refused,omitempty"`
	T1      *jsonFigure `json:"t1_s,omitempty"`
	Sigma   *jsonFigure `json:"sigma,omitempty"`
	Kappa   *jsonFigure `json:"kappa,omitempty"`
	Worst   float64     `json:"worst_miss"`
	Free    int         `json:"degrees_of_freedom"`
}

// jsonFigure is a Figure without NaN, which JSON lacks.
type jsonFigure struct {
	Value float64  `json:"value"`
	Low   *float64 `json:"low95,omitempty"`
	High  *float64 `json:"high95,omitempty"`
}

func figure(f Figure) *jsonFigure {
	if !f.Known() || math.IsInf(f.Value, 0) {
		return nil
	}
	j := &jsonFigure{Value: f.Value}
	if f.HasInterval() {
		j.Low, j.High = &f.Low, &f.High
	}
	return j
}

// WriteJSON writes everything: what every benchmark writes, by results.Schema,
// and the study under "scaling".
func (a *Analysis) WriteJSON(w io.Writer) error {
	d := document{Program: a.Program, Study: "strong", Threads: max(a.Threads, 1), Cores: a.Cores, Base: a.Base, Clock: a.Clock,
		Findings: append([]string{}, a.Findings()...), Cautions: append([]string{}, a.Cautions()...)}
	if a.IsWeak() {
		d.Study = "weak"
	}
	for _, g := range a.Weak {
		d.Grow = append(d.Grow, g.String())
	}
	for _, r := range a.Rows {
		d.Points = append(d.Points, jsonPoint{Ranks: r.Ranks, SharesCores: r.Crowded, Failed: r.Failed, Times: append([]float64{}, r.Times...),
			Time: figure(r.Time), Speedup: figure(r.Speedup), Efficiency: figure(r.Efficiency), KarpFlatt: figure(r.KarpFlatt)})
	}
	for _, m := range a.Models {
		d.Laws = append(d.Laws, jsonModel{Name: m.Name, Refused: m.Refused, T1: figure(m.T1), Sigma: figure(m.Sigma), Kappa: figure(m.Kappa), Worst: m.Worst, Free: m.Free})
	}
	report := a.Report()
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(struct {
		Schema      string               `json:"schema"`
		Environment results.Environment  `json:"environment"`
		Series      []*results.Series    `json:"series"`
		Comparisons []results.Comparison `json:"comparisons"`
		Scaling     document             `json:"scaling"`
	}{results.Schema, a.Environment, append([]*results.Series{}, report.Series...), []results.Comparison{}, d})
}
