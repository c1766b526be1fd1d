package results

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/muster-mpi/muster/bench/stats"
)

// columns of the CSV form. A line is a series; a series of ours has a line for
// each of its comparisons, which has the last columns filled. Machine and command
// are on every line, so that files can be put together.
var columns = []string{
	"kind", "name", "transport", "test", "ranks", "size", "unit",
	"rounds", "values", "min", "p25", "median", "p75", "p90", "p99", "max",
	"against", "figure", "reference", "ratio", "low95", "high95", "goal", "verdict",
	"machine", "cores", "kernel", "go", "commit", "command", "start",
}

// WriteCSV writes r as CSV, with a line of column names.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write(columns)
	e := r.Environment
	tail := []string{e.Machine, strconv.Itoa(e.Cores), e.Kernel, e.Go, e.Commit, e.Command, e.Start.Format("2006-01-02T15:04:05Z")}
	for _, s := range r.Series {
		values := s.Values()
		head := []string{
			string(s.Kind), s.Name, s.Transport, s.Test, strconv.Itoa(s.Ranks), strconv.Itoa(s.Size), s.Unit,
			strconv.Itoa(len(s.Rounds)), strconv.Itoa(len(values)),
			decimal(stats.Percentile(values, 0)), decimal(stats.Percentile(values, 25)), decimal(s.Median()),
			decimal(stats.Percentile(values, 75)), decimal(stats.Percentile(values, 90)),
			decimal(stats.Percentile(values, 99)), decimal(stats.Percentile(values, 100)),
		}
		var list []Comparison
		if s.Kind == Ours {
			list = r.row(s).Comparisons
		}
		if len(list) == 0 {
			c.Write(append(append(head, make([]string, 8)...), tail...))
		}
		for _, k := range list {
			low, high, goal, reference := "", "", "", ""
			if k.Known {
				low, high = decimal(k.Low), decimal(k.High)
			}
			if k.Goal != 0 {
				goal = decimal(k.Goal)
			}
			if k.Against != Absolute {
				reference = decimal(k.Value)
			}
			c.Write(append(append(head[:len(head):len(head)], k.Against, k.Figure, reference, decimal(k.Ratio), low, high, goal, string(k.Verdict)), tail...))
		}
	}
	c.Flush()
	return c.Error()
}

// ReadCSV reads lines that WriteCSV wrote, each by column name.
func ReadCSV(in io.Reader) ([]map[string]string, error) {
	lines, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("results: no line of column names")
	}
	var list []map[string]string
	for _, l := range lines[1:] {
		m := make(map[string]string, len(l))
		for i, cell := range l {
			m[lines[0][i]] = cell
		}
		list = append(list, m)
	}
	return list, nil
}

// decimal is a value as short as keeps it.
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
