package schedule_test

import (
	"fmt"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// pass is a broadcast down the line of ranks, as the smallest of algorithms.
func pass(s *schedule.Schedule, c *schedule.Call) {
	if c.Rank > 0 {
		s.Recv(c.Rank-1, c.Output())
	}
	if c.Rank+1 < c.Size {
		s.Send(c.Rank+1, c.Output())
	}
}

func Example() {
	call := func(rank int) schedule.Call {
		return schedule.Call{Op: schedule.Bcast, Rank: rank, Size: 3, Count: 4}
	}
	all := schedule.All(nil, call, pass)
	fmt.Print(all[1])
	fmt.Println(schedule.Check(all, schedule.Unordered, 0, 1))
	// Output:
	// bcast rank 1 of 3 root 0
	// 0: recv 0#0 out[0:4]
	// 1: send 2#0 out[0:4]  after 0
	// <nil>
}

func ExampleCheck() {
	// Rank 1 sends before it has received.
	all := schedule.All(nil, func(rank int) schedule.Call {
		return schedule.Call{Op: schedule.Bcast, Rank: rank, Size: 3, Count: 4}
	}, pass)
	s := schedule.New(all[1].Call)
	s.Send(2, s.Call.Output())
	s.Recv(0, s.Call.Output())
	all[1] = s
	fmt.Println(schedule.Check(all, schedule.Unordered))
	// Output:
	// schedule: bcast from or to root 0, rank 2 of 3, out[0:4]: holds what out of rank 1 held before, want rank 0's elements from 0 on
}

func ExampleCost() {
	call := func(rank int) schedule.Call {
		return schedule.Call{Op: schedule.Bcast, Rank: rank, Size: 3, Count: 1000}
	}
	p := schedule.Params{Local: schedule.Link{Latency: 1000, Overhead: 200, PerByte: 0.5}}
	e, err := schedule.Cost(call, pass, false, &p, 8)
	fmt.Println(e.Time, e.Steps, e.Sent, err)
	// Output:
	// 10.8µs 2 8000 <nil>
}
