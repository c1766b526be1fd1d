// Package contest lets several programs take turns at the same measurements: A B
// C, A B C, … So what the machine does to one, in the minute in which it does it,
// it does to the others too.
package contest

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/bench/results"
)

// A Contestant is one program under one setting.
type Contestant struct {
	Kind      results.Kind
	Name      string
	Transport string

	// Takes tells whether there is such a test for it. Nil: there always is.
	Takes func(t Test) bool
	// Run runs a test once and returns what the program printed: lines of
	// samples, as bench/p2p has them.
	Run func(ctx context.Context, t Test) (output string, err error)
}

// A Test is what each contestant runs once a round.
type Test struct {
	Name  string
	Ranks int
	Args  []string
}

// String names the contestant in messages.
func (c *Contestant) String() string {
	if c.Transport == "" {
		return c.Name
	}
	return c.Name + " over " + c.Transport
}

// Run runs every test in so many rounds, and all contestants in every round. It
// calls progress before each run. The first that fails ends it; what was measured
// before is returned with the error.
func Run(ctx context.Context, rounds int, tests []Test, contestants []Contestant, progress func(test string, round int, who string)) ([]*results.Series, error) {
	var all results.Collection
	for _, t := range tests {
		for round := range rounds {
			for i := range contestants {
				c := &contestants[i]
				if c.Takes != nil && !c.Takes(t) {
					continue
				}
				if err := ctx.Err(); err != nil {
					return all.Series(), context.Cause(ctx)
				}
				progress(t.Name, round, c.String())
				output, err := c.Run(ctx, t)
				if err == nil {
					key := results.Key{Kind: c.Kind, Name: c.Name, Transport: c.Transport, Test: t.Name, Ranks: t.Ranks}
					err = all.AddOutput(key, round, output)
				}
				if err != nil {
					return all.Series(), fmt.Errorf("%s, round %d of %s: %w", c, round+1, t.Name, err)
				}
			}
		}
	}
	return all.Series(), nil
}
