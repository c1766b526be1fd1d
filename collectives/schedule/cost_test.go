package schedule_test

import (
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/schedule/scheduletest"
)

// params are numbers of which no sum of few is another.
var params = schedule.Params{
	Local:  schedule.Link{Latency: 1009, Overhead: 211, Gap: 307, PerByte: 0.53},
	Remote: schedule.Link{Latency: 20011, Overhead: 997, Gap: 1499, PerByte: 1.7},
	Reduce: 0.11, Copy: 0.07,
}

func find(t *testing.T, op schedule.Operation, name string) algo.Algorithm {
	t.Helper()
	a, ok := algo.Find(op, name)
	if !ok {
		t.Fatalf("no %v %s", op, name)
	}
	return a
}

func vector(op schedule.Operation, size, count int, hosts []int) func(rank int) schedule.Call {
	return func(rank int) schedule.Call {
		return schedule.Call{Op: op, Rank: rank, Size: size, Count: count, Hosts: hosts}
	}
}

func cost(t *testing.T, a algo.Algorithm, call func(rank int) schedule.Call) schedule.Estimate {
	t.Helper()
	e, err := schedule.Cost(call, a.Build, a.Turns, &params, 8)
	if err != nil {
		t.Fatalf("%v %s: %v", a.Op, a.Name, err)
	}
	return e
}

// near reports whether two times differ by rounding only.
func near(got time.Duration, want float64) bool {
	return math.Abs(float64(got)-want) <= 2+1e-9*want
}

func TestCostIsThatOfTheClosedForms(t *testing.T) {
	l := params.Local
	// alpha is what a message costs beside its bytes.
	alpha := float64(2*l.Overhead + l.Latency)
	for k := 1; k <= 6; k++ {
		p := 1 << k
		for _, m := range []int{1, 16, 5000} { // elements for each rank
			n := float64(8 * m * p) // bytes
			for _, x := range []struct {
				op          schedule.Operation
				name        string
				time        float64
				steps, sent int
			}{
				{schedule.AllReduce, "recursive-doubling", n*params.Copy + float64(k)*(alpha+n*(l.PerByte+params.Reduce)), k, k * 8 * m * p},
				{schedule.AllReduce, "ring",
					float64(p-1) * (2*(alpha+n/float64(p)*l.PerByte) + n/float64(p)*params.Reduce), 2 * (p - 1), 2 * (p - 1) * 8 * m},
				{schedule.Bcast, "binomial", float64(k) * (alpha + n*l.PerByte), k, k * 8 * m * p},
			} {
				e := cost(t, find(t, x.op, x.name), vector(x.op, p, m*p, nil))
				if !near(e.Time, x.time) || e.Steps != x.steps || e.Sent != int64(x.sent) {
					t.Errorf("%v %s of %d ranks, %d elements: got %v, %d steps, %d bytes; want %v, %d, %d",
						x.op, x.name, p, m*p, e.Time, e.Steps, e.Sent, time.Duration(x.time), x.steps, x.sent)
				}
			}
		}
	}
}

// A root that receives from all has each message come in after the other.
func TestCostOfALinearGatherIsThatOfTheRootsWayIn(t *testing.T) {
	const p, m = 9, 4000
	l := params.Local
	e := cost(t, find(t, schedule.Gather, "linear"), vector(schedule.Gather, p, m, nil))
	least := time.Duration((p - 1) * 8 * m * l.PerByte)
	if e.Time < least || e.Time > least+p*(2*l.Overhead+l.Latency)+time.Duration(p*8*m*params.Copy) || e.Steps != 1 {
		t.Errorf("got %v in %d steps, want a little more than %v in 1", e.Time, e.Steps, least)
	}
}

func TestCostCrossesOverFromDoublingToTheRing(t *testing.T) {
	for _, x := range []struct {
		count int
		ring  bool
	}{{8, false}, {1 << 20, true}} {
		call := vector(schedule.AllReduce, 16, x.count, nil)
		ring := cost(t, find(t, schedule.AllReduce, "ring"), call)
		doubling := cost(t, find(t, schedule.AllReduce, "recursive-doubling"), call)
		if (ring.Time < doubling.Time) != x.ring {
			t.Errorf("%d elements: ring %v, doubling %v", x.count, ring.Time, doubling.Time)
		}
	}
}

func TestCostOfOneRankIsThatOfAllWhereTheScheduleTurns(t *testing.T) {
	turning := 0
	for _, a := range algo.All {
		if !a.Turns {
			continue
		}
		turning++
		for _, size := range []int{2, 3, 4, 7, 8, 16, 23} {
			call := vector(a.Op, size, 3*size, nil)
			if c := call(0); a.Refuses != nil && a.Refuses(&c) != "" {
				continue
			}
			one := cost(t, a, call)
			a.Turns = false
			all := cost(t, a, call)
			a.Turns = true
			if !near(one.Time, float64(all.Time)) || one.Steps != all.Steps || one.Sent != all.Sent || one.Messages != all.Messages {
				t.Errorf("%v %s of %d: got %+v, want %+v", a.Op, a.Name, size, one, all)
			}
		}
	}
	if turning == 0 {
		t.Error("no algorithm turns")
	}
}

func TestCostKnowsTwoKindsOfLinks(t *testing.T) {
	a := find(t, schedule.Bcast, "binomial")
	for _, x := range []struct {
		hosts []int
		link  schedule.Link
	}{{nil, params.Local}, {[]int{7, 7}, params.Local}, {[]int{0, 1}, params.Remote}} {
		want := float64(2*x.link.Overhead+x.link.Latency) + 80*x.link.PerByte
		if e := cost(t, a, vector(schedule.Bcast, 2, 10, x.hosts)); !near(e.Time, want) {
			t.Errorf("hosts %v: got %v, want %v", x.hosts, e.Time, time.Duration(want))
		}
	}
	turns := make([]int, 64)
	for r := range turns {
		turns[r] = r % 8
	}
	ring := find(t, schedule.AllReduce, "ring")
	near, far := cost(t, ring, vector(schedule.AllReduce, 64, 64, nil)), cost(t, ring, vector(schedule.AllReduce, 64, 64, turns))
	if far.Time < 126*params.Remote.Latency || near.Time > 126*params.Remote.Latency {
		t.Errorf("ring on one host %v, on eight by turns %v", near.Time, far.Time)
	}
}

func TestCostOfEveryAlgorithmIsFound(t *testing.T) {
	for _, a := range algo.All {
		for _, size := range []int{1, 2, 5, 16} {
			for _, shape := range scheduletest.Shapes(a.Op, size, size-1) {
				if c := shape.Call(0); a.Refuses == nil || a.Refuses(&c) == "" {
					cost(t, a, shape.Call)
				}
			}
		}
	}
}

func TestCostOfWhatWaitsForEverIsAnError(t *testing.T) {
	for _, turns := range []bool{false, true} {
		_, err := schedule.Cost(vector(schedule.AllReduce, 3, 4, nil), func(s *schedule.Schedule, c *schedule.Call) {
			s.Recv((c.Rank+1)%3, c.Output())
			s.Send((c.Rank+2)%3, c.Output())
		}, turns, &params, 8)
		if !errors.Is(err, schedule.ErrStuck) {
			t.Errorf("turns %v: got %v", turns, err)
		}
	}
}

func TestCostOfManyRanks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const p, n = 1 << 16, 1024
	l := params.Local
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	e := cost(t, find(t, schedule.AllReduce, "recursive-doubling"), vector(schedule.AllReduce, p, n, nil))
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	want := 8*n*params.Copy + 16*(float64(2*l.Overhead+l.Latency)+8*n*(l.PerByte+params.Reduce))
	if !near(e.Time, want) || e.Steps != 16 {
		t.Errorf("got %v in %d steps, want %v in 16", e.Time, e.Steps, time.Duration(want))
	}
	if grown := after.HeapSys - before.HeapSys; grown > 1<<30 {
		t.Errorf("the walk of %d ranks took %d MiB", p, grown>>20)
	}
	t.Logf("%d ranks in %v, %d MiB", p, took, (after.HeapSys-before.HeapSys)>>20)
	start = time.Now()
	e = cost(t, find(t, schedule.AllToAll, "spread"), vector(schedule.AllToAll, p, 1, nil))
	t.Logf("spread all-to-all: %v of %d ranks in %v", e.Time, p, time.Since(start))
}
