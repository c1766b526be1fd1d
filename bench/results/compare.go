package results

import (
	"math"

	"github.com/muster-mpi/muster/bench/stats"
)

// Level of all intervals.
const Level = 0.95

// A Comparison is a cell of ours set against a reference, or against a bound.
type Comparison struct {
	Of      Key     `json:"of"`
	Against string  `json:"against"` // name of the reference; Better; Absolute
	Who     string  `json:"who"`     // the reference that Better stands for
	Kind    Kind    `json:"kind"`    // of the reference
	Value   float64 `json:"value"`   // median of the reference
	Ratio   float64 `json:"ratio"`   // ours / reference; of Absolute: our value
	Low     float64 `json:"low"`     // of the 95 % interval; 0 if there were too few rounds
	High    float64 `json:"high"`
	Known   bool    `json:"known"` // there is an interval
	Goal    float64 `json:"goal"`  // 0: none
	Verdict Verdict `json:"verdict,omitempty"`
	Figure  string  `json:"figure,omitempty"` // of Absolute: which figure, if not the value
}

// A Row is a cell of ours with all it is compared with.
type Row struct {
	*Series
	Peers       []*Series
	Comparisons []Comparison // with the peers in order, then Better, then goals against limits and bounds
}

// find returns the comparison with name, or nil.
func (r *Row) find(name string) *Comparison {
	for i := range r.Comparisons {
		if r.Comparisons[i].Against == name {
			return &r.Comparisons[i]
		}
	}
	return nil
}

// Rows returns the rows of ours in order.
func (r *Report) Rows() []Row {
	var rows []Row
	for _, s := range r.Series {
		if s.Kind == Ours {
			rows = append(rows, r.row(s))
		}
	}
	return rows
}

func (r *Report) row(ours *Series) Row {
	row := Row{Series: ours}
	goals := goalsFor(ours.Key)
	goal := func(against string) (float64, bool) {
		for _, g := range goals {
			if g.Against == against {
				return g.Bound, true
			}
		}
		return 0, false
	}
	lower := LowerIsBetter(ours.Test)
	var best *Series
	for _, s := range r.references(ours.Key, Peer) {
		row.Peers = append(row.Peers, s)
		c := compare(ours, s)
		if bound, ok := goal(s.Name); ok {
			c.Goal, c.Verdict = bound, judge(lower, c.Low, c.High, bound, c.Known)
		}
		row.Comparisons = append(row.Comparisons, c)
		if best == nil || lower == (s.Median() < best.Median()) {
			best = s
		}
	}
	if best != nil {
		c := compare(ours, best)
		c.Against = Better
		if bound, ok := goal(Better); ok {
			c.Goal, c.Verdict = bound, judge(lower, c.Low, c.High, bound, c.Known)
		}
		row.Comparisons = append(row.Comparisons, c)
	}
	for _, s := range r.references(ours.Key, Limit) {
		if bound, ok := goal(s.Name); ok {
			c := compare(ours, s)
			c.Goal, c.Verdict = bound, judge(lower, c.Low, c.High, bound, c.Known)
			row.Comparisons = append(row.Comparisons, c)
		}
	}
	for _, g := range goals {
		if g.Against == Absolute {
			row.Comparisons = append(row.Comparisons, absolute(ours, g))
		}
	}
	return row
}

// references returns the series of kind that k may be compared with: same test,
// ranks and size; of a peer, over TCP if ours is, and else over what it chooses
// within a host.
func (r *Report) references(k Key, kind Kind) []*Series {
	var list []*Series
	for _, s := range r.Series {
		if s.Kind == kind && s.Test == k.Test && s.Ranks == k.Ranks && s.Size == k.Size && (kind == Limit || s.Transport == PeerTransport(k.Transport)) {
			list = append(list, s)
		}
	}
	return list
}

// PeerTransport is the transport of peers that one of ours is compared with.
func PeerTransport(ours string) string {
	switch ours {
	case "tcp", "tcp-tls":
		return "tcp"
	}
	return "shm"
}

func compare(ours, reference *Series) Comparison {
	c := Comparison{Of: ours.Key, Against: reference.Name, Who: reference.Name, Kind: reference.Kind, Value: reference.Median()}
	c.Ratio = ours.Median() / c.Value
	c.Low, c.High, c.Known = stats.RatioInterval(ours.Medians(), reference.Medians(), Level)
	return c.finite()
}

func absolute(ours *Series, g Goal) Comparison {
	c := Comparison{Of: ours.Key, Against: Absolute, Goal: g.Bound, Figure: g.Figure}
	values := ours.Medians()
	if g.Figure != "" {
		values = byRound(ours, ours.Also[g.Figure])
	}
	c.Ratio = stats.Median(values)
	c.Low, c.High, c.Known = stats.MedianInterval(values, Level)
	c.Verdict = judge(LowerIsBetter(ours.Test), c.Low, c.High, g.Bound, c.Known)
	return c.finite()
}

// byRound returns the medians of a further figure, round by round.
func byRound(s *Series, all []float64) []float64 {
	var list []float64
	for _, r := range s.Rounds {
		n := min(len(r), len(all))
		if n > 0 {
			list = append(list, stats.Median(all[:n]))
		}
		all = all[n:]
	}
	return list
}

// also is the value of a further figure: the median of its rounds' medians.
func (s *Series) also(name string) float64 { return stats.Median(byRound(s, s.Also[name])) }

// finite makes c fit for JSON, which has no NaN.
func (c Comparison) finite() Comparison {
	if !c.Known {
		c.Low, c.High = 0, 0
	}
	if math.IsNaN(c.Ratio) || math.IsInf(c.Ratio, 0) {
		c.Ratio = 0
	}
	return c
}
