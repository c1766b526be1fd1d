package plan

import (
	"slices"
	"testing"
	"time"
)

func TestSizesArePowersOfTwo(t *testing.T) {
	for _, test := range []struct {
		low, high int
		want      []int
	}{
		{0, 8, []int{0, 1, 2, 4, 8}},
		{1, 5, []int{1, 2, 4}},
		{3, 9, []int{3, 4, 8}},
		{8, 8, []int{8}},
		{0, 0, []int{0}},
	} {
		if got := (&Plan{Low: test.low, High: test.high}).Sizes(); !slices.Equal(got, test.want) {
			t.Errorf("%d to %d: got %v, want %v", test.low, test.high, got, test.want)
		}
	}
}

// The time of an iteration is known here, so the number of iterations is too.
func TestCalibrationFindsTheTimeAndIsNotFooledOnce(t *testing.T) {
	for _, each := range []time.Duration{0, 1, 70, 3000, time.Millisecond, time.Second} {
		runs := 0
		n, err := Calibrate(5*time.Millisecond, func(n int) (time.Duration, error) {
			runs++
			elapsed := time.Duration(n) * each
			if runs == 2 {
				elapsed += time.Second // something else ran
			}
			return elapsed, nil
		})
		took := time.Duration(n) * each
		if err != nil || n < 1 || n > Most || took < 2500*time.Microsecond && n < Most || took > 50*time.Millisecond && n > 1 {
			t.Errorf("an iteration of %v: %d iterations, %v, after %d runs", each, n, took, runs)
		}
	}
}
