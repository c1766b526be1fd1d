package scaling

import (
	"context"
	"slices"
)

// Run runs the program repeat times with each number of ranks, and fills in
// Points. Runs alternate: up through ranks, then down, and so on, so that a
// machine that drifts does so for all of them. One run with the largest number
// comes first and does not count: it has the program read from disk.
//
// run returns the time of one run in seconds. After it fails with a number of
// ranks there is no further run with that number; the others go on. Run calls
// progress before each run, and failed after one that failed. It ends early, with
// the cause, when ctx ends; what was measured before is in Points.
func (s *Study) Run(ctx context.Context, ranks []int, repeat int, run func(ctx context.Context, n int) (float64, error), progress func(round, n int), failed func(n int, err error)) error {
	ranks = slices.Compact(slices.Sorted(slices.Values(ranks)))
	s.Points = make([]Point, len(ranks))
	for i, n := range ranks {
		s.Points[i].Ranks = n
	}
	once := func(round int, p *Point) error {
		if p.Failed != "" {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		progress(round, p.Ranks)
		t, err := run(ctx, p.Ranks)
		switch {
		case err == nil:
			if round > 0 {
				p.Times = append(p.Times, t)
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		default:
			p.Failed = err.Error()
			failed(p.Ranks, err)
		}
		return nil
	}
	if err := once(0, &s.Points[len(s.Points)-1]); err != nil {
		return err
	}
	for round := 1; round <= repeat; round++ {
		for i := range s.Points {
			if round%2 == 0 {
				i = len(s.Points) - 1 - i
			}
			if err := once(round, &s.Points[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
