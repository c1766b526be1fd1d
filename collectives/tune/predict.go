package tune

import (
	"cmp"
	"slices"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// Segment returns how many elements of width bytes the pieces have into which
// pipelined algorithms cut a vector if nobody says otherwise: they fit a second-level
// cache, and are worth a message each.
func Segment(width int) int { return max(1, 64<<10/max(1, width)) }

// Prediction is what an algorithm would do for a call.
type Prediction struct {
	algo.Algorithm
	Refused           string // why it may not carry the call out, or ""
	TooLong           bool   // it has too many steps to be walked through
	schedule.Estimate        // where it may, and was
}

// Predict walks through what every algorithm of the operation would do for just this
// call, of whichever rank, while Choose takes the power of two at or below its size;
// in steps beyond those that Choose spends on it. The quickest come first, then those
// too long to walk, then those that refuse; else they have the order of algo.All.
//
// Cost: some seconds at most for each algorithm.
func Predict(q Query, params schedule.Params) []Prediction {
	var list []Prediction
	for _, a := range algo.Of(q.Call.Op) {
		p := Prediction{Algorithm: a, Refused: q.refused(a)}
		if p.Refused == "" {
			p.Estimate, p.TooLong = predict(a, *q.Call, q.Width, params)
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b Prediction) int {
		return cmp.Or(cmp.Compare(a.class(), b.class()), cmp.Compare(a.Time, b.Time))
	})
	return list
}

func (p *Prediction) class() int {
	switch {
	case p.Refused != "":
		return 2
	case p.TooLong:
		return 1
	}
	return 0
}

// predictedSteps bounds the steps of all ranks that Predict walks through.
const predictedSteps = 8 << 20

func predict(a algo.Algorithm, c schedule.Call, width int, params schedule.Params) (e schedule.Estimate, beyond bool) {
	call := func(rank int) schedule.Call {
		c := c
		c.Rank = rank
		return c
	}
	if tooLong(a, c, c.Size, predictedSteps) {
		return e, true
	}
	e, err := schedule.Cost(call, a.Build, a.Turns, &params, width)
	if err != nil {
		panic("tune: " + a.Name + ": " + err.Error()) // the algorithm is wrong whoever calls it
	}
	return e, false
}
