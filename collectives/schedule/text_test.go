package schedule_test

import (
	"testing"

	"github.com/muster-mpi/muster/collectives/schedule"
)

func TestAScheduleAsText(t *testing.T) {
	const want = `allreduce rank 1 of 4 temp 4
0: copy out[0:4] = in[0:4]
1: send 0#0 out[0:4]  after 0
2: recv 0#0 temp[0:4]
3: reduce out[0:4] = temp[0:4] + out[0:4]  after 0 1 2
4: send 3#0 out[0:4]  after 3
5: recv 3#0 temp[0:4]  after 3
6: reduce out[0:4] = out[0:4] + temp[0:4]  after 3 4 5
`
	a := find(t, schedule.AllReduce, "recursive-doubling")
	all := schedule.All(nil, vector(schedule.AllReduce, 4, 4, nil), a.Build)
	if got := all[1].String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTextOfWhatIsNoStep(t *testing.T) {
	for got, want := range map[string]string{
		schedule.Step{Kind: 9}.String():                "Kind(9)",
		schedule.Span{Buf: 7, Off: 1, Len: 2}.String(): "buffer7[1:3]",
		schedule.Operation(99).String():                "Operation(99)",
		schedule.Bracketing(9).String():                "Bracketing(9)",
		schedule.Canonical.String():                    "canonical",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	c := schedule.Call{Op: schedule.Bcast, Size: 3, Root: 2}
	if got := schedule.New(c).String(); got != "bcast rank 0 of 3 root 2\n" {
		t.Errorf("got %q", got)
	}
}
