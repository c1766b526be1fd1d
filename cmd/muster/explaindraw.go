package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
)

// What is larger than these nobody can look at, in a picture or as text.
const (
	maxDrawn   = 64      // ranks of a picture
	maxArrows  = 4096    // messages in it
	maxPrinted = 1 << 20 // steps that are printed
)

// drawable returns why there is no picture, or there are no steps, of the choice.
func (l *explainLine) drawable(x *explanation, choice tune.Choice) error {
	flag := "--draw"
	if l.draw == "" {
		flag = "--steps"
	}
	if choice.Name == "" {
		return fmt.Errorf("%s: %q has no schedule: the ranks read each other's memory between two barriers", flag, tune.SharedForm)
	}
	if l.steps != "" && l.steps != "all" {
		if l.draw == "" {
			return nil
		}
	} else if steps := l.count(choice, func(*schedule.Step) bool { return true }); steps > maxPrinted && l.steps != "" {
		return fmt.Errorf("--steps: all ranks have more than %d steps: expected one rank", maxPrinted)
	}
	switch {
	case l.draw == "":
	case l.ranks > maxDrawn:
		return fmt.Errorf("--draw: a picture has %d ranks at most, and these are %d", maxDrawn, l.ranks)
	case l.count(choice, func(t *schedule.Step) bool { return t.Kind == schedule.SendTo }) > maxArrows:
		return fmt.Errorf("--draw: a picture has %d messages at most, and %s of this size has more: expected fewer ranks or bytes", maxArrows, choice.Name)
	}
	return nil
}

// count counts the steps of all ranks, and stops soon beyond the bounds above.
func (l *explainLine) count(choice tune.Choice, counts func(*schedule.Step) bool) (n int) {
	s := schedule.New(l.call(0))
	for r := range l.ranks {
		c := l.call(r)
		s.Reset(c)
		choice.Build(s, &c)
		for i := range s.Steps {
			if counts(&s.Steps[i]) {
				n++
			}
		}
		if n > maxPrinted {
			break
		}
	}
	return n
}

// writeSteps prints the schedule of a rank, or of all.
func (l *explainLine) writeSteps(w io.Writer, choice tune.Choice) error {
	fmt.Fprintf(w, "%s (%s)\n\n", choice.Name, choice.Why)
	first, last := 0, l.ranks-1
	if r, err := strconv.Atoi(l.steps); err == nil {
		first, last = r, r
	}
	for r := first; r <= last; r++ {
		c := l.call(r)
		s := schedule.New(c)
		choice.Build(s, &c)
		if _, err := fmt.Fprintln(w, s); err != nil {
			return err
		}
	}
	return nil
}

// writePicture writes the picture.
func (l *explainLine) writePicture(choice tune.Choice) error {
	f, err := os.Create(l.draw)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%v, %s, %s", l.op, choice.Name, count(l.ranks, "rank"))
	err = schedule.Draw(f, title, schedule.All(nil, l.call, choice.Build))
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
