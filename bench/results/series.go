// Package results is what the benchmarks produce: values with all that one needs
// to judge them, their ratios and verdicts, and their forms as table, JSON and
// CSV. bench/README.md explains the columns.
package results

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/stats"
)

// A Kind says whose values they are.
type Kind string

const (
	Ours  Kind = "muster"
	Peer  Kind = "peer"  // another implementation of MPI
	Limit Kind = "limit" // what the machine can do
)

// A Key names what was measured.
type Key struct {
	Kind      Kind   `json:"kind"`
	Name      string `json:"name"`      // muster, openmpi, mpich, memcpy, tcp-poll …
	Transport string `json:"transport"` // of a peer: shm or tcp; of a limit: empty
	Test      string `json:"test"`
	Ranks     int    `json:"ranks"`
	Size      int    `json:"size"` // bytes of a message, or of a block of a collective
}

// A Series is all values of one cell. A round is one run of the program, whose
// repetitions follow each other; rounds of all contestants alternate.
type Series struct {
	Key
	Unit   string      `json:"unit"`
	Rounds [][]float64 `json:"rounds"`

	// Also has further figures of every repetition: allocs (allocations per
	// message, of both its ranks) and, of the overlap test, compute and transfer
	// (us, each alone), overlap (%), excess ((total-compute)/transfer) and
	// incomplete (%, of the operations that a Test right after the computation
	// did not find complete). Collectives have min and avg (us, of the fastest rank
	// and of all on average) and calls (that were timed as a whole); their allocs
	// are per call, of all ranks.
	Also map[string][]float64 `json:"also,omitempty"`
}

// Medians returns the median of each round.
func (s *Series) Medians() []float64 {
	list := make([]float64, len(s.Rounds))
	for i, r := range s.Rounds {
		list[i] = stats.Median(r)
	}
	return list
}

// Median is the value that stands for the series: the median of its rounds'
// medians.
func (s *Series) Median() float64 { return stats.Median(s.Medians()) }

// Values returns the values of all rounds, for percentiles.
func (s *Series) Values() []float64 { return slices.Concat(s.Rounds...) }

// A measure is what a test's values are.
type measure struct {
	title string
	unit  string
	lower bool // is better
	digit int  // after the point
}

var measures = map[string]measure{
	"latency": {"Latency", "us", true, 2},
	"bw":      {"Bandwidth", "MB/s", false, 2},
	"bibw":    {"Bidirectional bandwidth", "MB/s", false, 2},
	"rate":    {"Message rate", "M/s", false, 3},
	"overlap": {"Total/(compute+transfer)", "ratio", true, 3},
	"startup": {"Start to finish", "s", true, 3},
	"memory":  {"Memory per rank", "MiB", true, 2},
	"strong":  {"Time", "s", true, 3}, // of a scaling study
	"weak":    {"Time", "s", true, 3},
}

// Collectives are the tests of collective operations.
var Collectives = []string{
	"barrier", "bcast", "gather", "scatter", "allgather", "alltoall",
	"reduce", "allreduce", "reducescatter", "reducescatterblock", "scan", "exscan",
}

// Sums reports whether a collective adds float64, so that its sizes are multiples
// of 8.
func Sums(test string) bool {
	return slices.Index(Collectives, test) >= slices.Index(Collectives, "reduce")
}

// measureOf is what the values of a test are.
func measureOf(test string) measure {
	if slices.Contains(Collectives, test) {
		return measure{"Max Latency", "us", true, 2}
	}
	return measures[test]
}

// heading names a test above its table.
func heading(test string) string {
	if slices.Contains(Collectives, test) {
		return test
	}
	return strings.ToLower(measures[test].title)
}

// LowerIsBetter tells which way a test's values improve.
func LowerIsBetter(test string) bool { return measureOf(test).lower }

// Unit is the unit of a test's values.
func Unit(test string) string { return measureOf(test).unit }

// parsed is a line that a program printed for one repetition.
type parsed struct {
	test  string
	size  int
	value float64
	also  map[string]float64
}

// parseSample reads a line. ok is false if it is of something else.
func parseSample(line string) (p parsed, ok bool, err error) {
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != "sample" {
		return p, false, nil
	}
	number := make(map[string]float64)
	for _, f := range fields[1:] {
		name, text, _ := strings.Cut(f, "=")
		switch name {
		case "test":
			p.test = text
			continue
		case "using": // an algorithm, of whose calls alone these are
			continue
		}
		if number[name], err = strconv.ParseFloat(text, 64); err != nil {
			return p, true, fmt.Errorf("%q: %q is no number", line, f)
		}
	}
	p.size = int(number["size"])
	p.also = make(map[string]float64)
	seconds, messages := number["ns"]/1e9, number["messages"]
	switch p.test {
	case "latency":
		p.value = seconds / messages * 1e6
	case "bw", "bibw":
		p.value = float64(p.size) * messages / seconds / 1e6
	case "rate":
		p.value = messages / seconds / 1e6
	case "overlap":
		compute, transfer := number["compute"]/1e9, number["transfer"]/1e9
		p.value = seconds / (compute + transfer)
		p.also["excess"] = (seconds - compute) / transfer
		p.also["overlap"] = 100 * min(max(1-p.also["excess"], 0), 1)
		p.also["incomplete"] = 100 - 100*number["complete"]/number["of"]
		p.also["compute"], p.also["transfer"] = compute*1e6, transfer*1e6
	case "startup":
		p.value = seconds
	case "memory":
		p.value = number["bytes"] / number["ranks"] / (1 << 20)
	default:
		if !slices.Contains(Collectives, p.test) {
			return p, true, fmt.Errorf("%q: no test is called %q", line, p.test)
		}
		messages = number["calls"]
		p.value = seconds / messages * 1e6
		p.also["min"], p.also["avg"] = number["min"]/messages/1e3, number["avg"]/messages/1e3
		p.also["calls"] = messages
	}
	if !(p.value > 0) || p.value > 1e18 {
		return p, true, fmt.Errorf("%q: not a measurement", line)
	}
	if n, has := number["allocs"]; has {
		p.also["allocs"] = n / messages
	}
	return p, true, nil
}

// A Collection grows series from the programs' lines.
type Collection struct {
	series map[Key]*Series
	order  []Key
}

// Add adds one value of a round, and further figures of it.
func (c *Collection) Add(k Key, round int, value float64, also map[string]float64) {
	if c.series == nil {
		c.series = make(map[Key]*Series)
	}
	s := c.series[k]
	if s == nil {
		s = &Series{Key: k, Unit: Unit(k.Test)}
		c.series[k] = s
		c.order = append(c.order, k)
	}
	for len(s.Rounds) <= round {
		s.Rounds = append(s.Rounds, nil)
	}
	s.Rounds[round] = append(s.Rounds[round], value)
	for name, v := range also {
		if s.Also == nil {
			s.Also = make(map[string][]float64)
		}
		s.Also[name] = append(s.Also[name], v)
	}
}

// AddOutput adds what a program printed in a round; k has everything but the
// size. It is an error if no line is a sample.
func (c *Collection) AddOutput(k Key, round int, output string) error {
	found := false
	for text := range strings.Lines(output) {
		p, ok, err := parseSample(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if p.test != k.Test {
			return fmt.Errorf("%q: expected samples of %s", strings.TrimSpace(text), k.Test)
		}
		found = true
		k.Size = p.size
		c.Add(k, round, p.value, p.also)
	}
	if !found {
		return fmt.Errorf("it printed no samples, but %.200q", output)
	}
	return nil
}

// Series returns all series in the order of their first values.
func (c *Collection) Series() []*Series {
	list := make([]*Series, len(c.order))
	for i, k := range c.order {
		list[i] = c.series[k]
	}
	return list
}
