package ranktest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

func TestRunIsTheWorldOfNRanks(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		var seen atomic.Int64 // one bit for each rank
		ranktest.Run(t, n, func(t *testing.T, c *rank.Comm) {
			if c.Size() != n {
				t.Errorf("rank %d: size %d, want %d", c.Rank(), c.Size(), n)
			}
			seen.Add(1 << c.Rank())
		})
		if got, want := seen.Load(), int64(1)<<n-1; got != want {
			t.Errorf("%d ranks: bits of those that ran %b, want %b", n, got, want)
		}
	}
}

// Run reports to the test that it is given, so a test that is to fail runs in a
// process of its own.
const scenarioVariable = "RANKTEST_SCENARIO"

var scenarios = map[string]struct {
	run  func(t *testing.T, c *rank.Comm)
	want string // in the output; "": the test passes
}{
	"nothing wrong": {
		run: func(*testing.T, *rank.Comm) {},
	},
	"one rank ends its test and another waits for it": {
		run: func(t *testing.T, c *rank.Comm) {
			if c.Rank() == 1 {
				t.Fatal("rank 1 gives up")
			}
			_, err := rank.Recv(context.Background(), c, 1, 1, make([]int, 1))
			t.Log("rank 0 hears of it:", err)
		},
		want: "rank 0 hears of it: rank 0: Recv from 1, tag 1, on world",
	},
	"a rank panics": {
		run: func(_ *testing.T, c *rank.Comm) {
			if c.Rank() == 1 {
				panic("out of cheese")
			}
		},
		want: "rank 1 panicked: out of cheese",
	},
	"a message is never received": {
		run: func(t *testing.T, c *rank.Comm) {
			var err error
			if c.Rank() == 0 {
				err = rank.Send(context.Background(), c, 1, 7, []int32{1, 2})
			} else {
				_, err = rank.Probe(context.Background(), c, 0, 7)
			}
			if err != nil {
				t.Error(err)
			}
		},
		want: "rank 1 left without completing: message never received: from 0 to 1, tag 7, 8 bytes, on world",
	},
}

func TestScenario(t *testing.T) {
	s, ok := scenarios[os.Getenv(scenarioVariable)]
	if !ok {
		t.Skip("for TestRunFailsTheTestWhenARankFails")
	}
	ranktest.Run(t, 2, s.run)
}

func TestRunFailsTheTestWhenARankFails(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(program, "-test.run=^TestScenario$", "-test.v", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), scenarioVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != (s.want != "") {
				t.Errorf("test failed: %v, want %v\n%s", failed, s.want != "", out)
			}
			if !strings.Contains(string(out), s.want) {
				t.Errorf("output %q\nwant %q in it", out, s.want)
			}
		})
	}
}
