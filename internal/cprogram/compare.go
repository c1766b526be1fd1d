package cprogram

import (
	"slices"
	"testing"
	"time"
)

// Compare has the C program and ours do their work at size n in turn, and
// reports in unit what rate makes of the median time of each, and their ratio:
// above 1, ours is the faster.
func (p *Program) Compare(b *testing.B, n int, unit string, rate func(time.Duration) float64, ours func()) {
	b.Helper()
	var us, them []time.Duration
	for b.Loop() {
		d, err := p.Run(n)
		if err != nil {
			b.Fatal(err)
		}
		them = append(them, d)
		began := time.Now()
		ours()
		us = append(us, time.Since(began))
	}
	slices.Sort(us)
	slices.Sort(them)
	mine, other := rate(us[len(us)/2]), rate(them[len(them)/2])
	b.ReportMetric(mine, unit)
	b.ReportMetric(other, "C-"+unit)
	b.ReportMetric(mine/other, "ratio")
}
