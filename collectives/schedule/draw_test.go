package schedule_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/schedule/scheduletest"
)

// picture draws a call and returns how often each element is in it.
func picture(t *testing.T, title string, all []*schedule.Schedule) (svg string, elements map[string]int) {
	t.Helper()
	var b bytes.Buffer
	if err := schedule.Draw(&b, title, all); err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	svg = b.String()
	elements = make(map[string]int)
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return svg, elements
		} else if err != nil {
			t.Fatalf("%s: %v\n%s", title, err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
		}
	}
}

func TestPicturesShowEveryMessage(t *testing.T) {
	for _, a := range algo.All {
		for _, size := range []int{1, 2, 5, 16} {
			for i, shape := range scheduletest.Shapes(a.Op, size, size/2) {
				if c := shape.Call(0); a.Refuses != nil && a.Refuses(&c) != "" || size > 5 && i%3 != 0 {
					continue
				}
				all := schedule.All(nil, shape.Call, a.Build)
				sends := 0
				for _, s := range all {
					for _, step := range s.Steps {
						if step.Kind == schedule.SendTo {
							sends++
						}
					}
				}
				svg, elements := picture(t, a.Name+" <of> "+shape.Name, all)
				if n := strings.Count(svg, ", message "); n != sends {
					t.Errorf("%v %s, size %d, %s: %d arrows, want %d", a.Op, a.Name, size, shape.Name, n, sends)
				}
				if elements["svg"] != 1 || strings.Contains(svg, "href") {
					t.Errorf("%v %s: not one self-contained picture", a.Op, a.Name)
				}
			}
		}
	}
}

func TestRoundsAreTheLongestChain(t *testing.T) {
	for _, x := range []struct {
		op           schedule.Operation
		name         string
		size, rounds int
	}{
		{schedule.AllReduce, "recursive-doubling", 8, 3},
		{schedule.AllReduce, "recursive-doubling", 6, 4},
		{schedule.AllReduce, "ring", 6, 10},
		{schedule.Bcast, "binomial", 16, 4},
		{schedule.AllToAll, "spread", 7, 6}, // one message out and in at a time
		{schedule.Gather, "linear", 5, 4},
	} {
		all := schedule.All(nil, vector(x.op, x.size, x.size, nil), find(t, x.op, x.name).Build)
		svg, _ := picture(t, x.name, all)
		if n := strings.Count(svg, "<text x=\"28\""); n != x.rounds {
			t.Errorf("%v %s of %d: %d rounds, want %d", x.op, x.name, x.size, n, x.rounds)
		}
	}
}

func TestDrawRefusesWhatIsNoCall(t *testing.T) {
	waits := func(s *schedule.Schedule, c *schedule.Call) {
		s.Recv(1-c.Rank, c.Output())
		s.Send(1-c.Rank, c.Output())
	}
	for name, build := range map[string]func(*schedule.Schedule, *schedule.Call){
		"deadlock":   waits,
		"unreceived": func(s *schedule.Schedule, c *schedule.Call) { s.Send(1-c.Rank, c.Output()) },
	} {
		if schedule.Draw(io.Discard, name, schedule.All(nil, vector(schedule.AllReduce, 2, 3, nil), build)) == nil {
			t.Errorf("%s: drawn", name)
		}
	}
	all := schedule.All(nil, vector(schedule.AllReduce, 2, 3, nil), find(t, schedule.AllReduce, "ring").Build)
	if err := schedule.Draw(failing{}, "full", all); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a writer's error: got %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
