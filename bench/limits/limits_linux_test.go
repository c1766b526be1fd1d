package main

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/internal/socketpair"
)

func TestSizesLeaveTheEmptyMessageOut(t *testing.T) {
	for _, test := range []struct {
		low, high int
		want      []int
	}{{0, 4, []int{1, 2, 4}}, {3, 8, []int{3, 4, 8}}, {0, 0, nil}} {
		if got := (&options{Plan: plan.Plan{Low: test.low, High: test.high}}).sizes(); !slices.Equal(got, test.want) {
			t.Errorf("%d to %d: got %v, want %v", test.low, test.high, got, test.want)
		}
	}
}

func TestCalibrationFindsTheTime(t *testing.T) {
	o := options{Plan: plan.Plan{Effort: plan.Effort{Target: 5 * time.Millisecond}}}
	n, err := o.Iterations(func(n int) (time.Duration, error) { return time.Duration(n) * 70, nil })
	if took := time.Duration(n) * 70; err != nil || took < 2500*time.Microsecond || took > 50*time.Millisecond {
		t.Errorf("%d iterations, %v, %v", n, took, err)
	}
	o.Iters = 7
	if n, _ := o.Iterations(nil); n != 7 {
		t.Errorf("%d iterations, want those asked for", n)
	}
}

// Both loops of sockets against their other halves, over every dressing.
func TestHalvesOfTheLoopsFit(t *testing.T) {
	for _, limit := range []string{"unix", "unix-poll", "tls"} {
		t.Run(limit, func(t *testing.T) {
			a, b, err := socketpair.Unix()
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			done := make(chan error, 1)
			go func() {
				defer b.Close()
				done <- otherHalf(b, limit)
			}()
			c, err := dressed(a, limit, true)
			if err != nil {
				t.Fatal(err)
			}
			out, in := touched(5000), make([]byte, 5000)
			if err := pingPong(c, out, in)(3); err != nil || !slices.Equal(in, out) {
				t.Errorf("ping-pong: %v", err)
			}
			if err := stream(c, out, 4)(3); err != nil {
				t.Errorf("stream: %v", err)
			}
			if err := order(c, 1<<40+5); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if _, err := c.Read(in); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func otherHalf(raw net.Conn, limit string) error {
	c, err := dressed(raw, limit, false)
	if err != nil {
		return err
	}
	if err := echo(c, make([]byte, 5000), 3); err != nil {
		return err
	}
	if err := take(c, make([]byte, 5000), 3, 4); err != nil {
		return err
	}
	if n, err := ordered(c); err != nil || n != 1<<40+5 {
		return errors.Join(err, errors.New("another number was ordered"))
	}
	return nil
}
