package scaling

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestRunsAlternateAndFailuresStayOut(t *testing.T) {
	var order []int
	var failures []string
	s := &Study{Cores: 8, Base: 1}
	boom := errors.New("boom")
	err := s.Run(t.Context(), []int{4, 1, 2, 4}, 3, func(_ context.Context, n int) (float64, error) {
		order = append(order, n)
		if n == 2 && len(order) > 5 {
			return 0, boom
		}
		return float64(len(order)), nil
	}, func(int, int) {}, func(n int, err error) { failures = append(failures, fmt.Sprint(n, err)) })
	if want := []int{4, 1, 2, 4, 4, 2, 1, 1, 4}; err != nil || !slices.Equal(order, want) {
		t.Errorf("%v: runs in the order %v, want %v", err, order, want)
	}
	want := []Point{{1, []float64{2, 7, 8}, ""}, {2, []float64{3}, "boom"}, {4, []float64{4, 5, 9}, ""}}
	if !reflect.DeepEqual(s.Points, want) || !slices.Equal(failures, []string{"2 boom"}) {
		t.Errorf("got %+v, failures %v; want %+v", s.Points, failures, want)
	}
}

func TestInterruptedRunsKeepWhatThereIs(t *testing.T) {
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &Study{Cores: 8, Base: 1}
	count := 0
	err := s.Run(ctx, []int{1, 2}, 7, func(context.Context, int) (float64, error) {
		if count++; count == 5 {
			cancel(cause)
			return 0, errors.New("killed")
		}
		return 1, nil
	}, func(int, int) {}, func(n int, err error) { t.Errorf("%d ranks: failed with %v", n, err) })
	if err != cause || len(s.Points[0].Times) != 1 || len(s.Points[1].Times) != 2 {
		t.Errorf("error %v, points %+v", err, s.Points)
	}
}
