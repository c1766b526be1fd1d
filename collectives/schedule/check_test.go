package schedule_test

import (
	"math"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/schedule/scheduletest"
)

// wrong is a call that is carried out wrongly, and a part of what Check says.
type wrong struct {
	name  string
	call  schedule.Call // of all ranks, but for Rank
	rule  schedule.Bracketing
	build func(s *schedule.Schedule, c *schedule.Call)
	want  string
}

// others runs f for all ranks but c's, for sends and receives between all.
func others(c *schedule.Call, f func(r int)) {
	for r := range c.Size {
		if r != c.Rank {
			f(r)
		}
	}
}

// toAll has every rank send its vector to all and combine what it gets, from the
// lowest rank's up, so that ranks 0 to until(rank)−1 are in it.
func toAll(s *schedule.Schedule, c *schedule.Call, until int) {
	got := make([]schedule.Span, c.Size)
	got[c.Rank] = c.Input()
	others(c, func(r int) { s.Send(r, c.Input()) })
	others(c, func(r int) {
		got[r] = s.Scratch(c.Count)
		s.Recv(r, got[r])
	})
	sum := s.Scratch(c.Count)
	s.Copy(sum, got[0])
	for r := 1; r < until; r++ {
		s.Reduce(sum, sum, got[r])
	}
	s.Copy(c.Output(), sum)
}

var wrongs = []wrong{
	{"nothing is done", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 3}, schedule.Unordered,
		func(*schedule.Schedule, *schedule.Call) {}, "out[0:3]: holds what out of rank 0 held before"},
	{"scratch memory is a result", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 3}, schedule.Unordered,
		func(s *schedule.Schedule, c *schedule.Call) { s.Copy(c.Output(), s.Scratch(3)) }, "what was never written"},
	{"the input is the result", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 3}, schedule.Unordered,
		func(s *schedule.Schedule, c *schedule.Call) { s.Copy(c.Output(), c.Input()) }, "want ranks 0 to 1"},
	{"counted twice", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 3}, schedule.Unordered,
		func(s *schedule.Schedule, c *schedule.Call) {
			toAll(s, c, 2)
			s.Reduce(c.Output(), c.Output(), c.Input())
		}, "in which a rank counts twice"},
	{"different indices", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 4}, schedule.Unordered,
		func(s *schedule.Schedule, c *schedule.Call) {
			tmp := s.Scratch(4)
			s.Send(1-c.Rank, c.Input())
			s.Recv(1-c.Rank, tmp)
			s.Reduce(c.Output().Part(0, 2), c.Input().Part(0, 2), tmp.Part(2, 2))
			s.Reduce(c.Output().Part(2, 2), c.Input().Part(2, 2), tmp.Part(0, 2))
		}, "want elements from 0 on only"},
	{"brackets differ between ranks", schedule.Call{Op: schedule.AllReduce, Size: 3, Count: 1}, schedule.Unordered,
		func(s *schedule.Schedule, c *schedule.Call) {
			sum := s.Scratch(1)
			s.Copy(sum, c.Input())
			others(c, func(r int) { s.Send(r, c.Input()) })
			others(c, func(r int) {
				tmp := s.Scratch(1)
				s.Recv(r, tmp)
				s.Reduce(sum, sum, tmp)
			})
			s.Copy(c.Output(), sum)
		}, "rounds differently"},
	{"from the left, but not canonical", schedule.Call{Op: schedule.AllReduce, Size: 4, Count: 2}, schedule.Canonical,
		func(s *schedule.Schedule, c *schedule.Call) { toAll(s, c, 4) }, "holds (((0+1)+2)+3) from 0 on, want ((0+1)+(2+3))"},
	{"not in rank order", schedule.Call{Op: schedule.Reduce, Size: 2, Count: 1}, schedule.Ordered,
		func(s *schedule.Schedule, c *schedule.Call) {
			if c.Rank == 1 {
				s.Send(0, c.Input())
				return
			}
			tmp := s.Scratch(1)
			s.Recv(1, tmp)
			s.Reduce(c.Output(), tmp, c.Input())
		}, "not in rank order"},
	{"exscan touches rank 0", schedule.Call{Op: schedule.ExScan, Size: 2, Count: 2}, schedule.Ordered,
		func(s *schedule.Schedule, c *schedule.Call) { toAll(s, c, c.Rank) }, "rank 0 of 2, step 3 (copy out[0:2] = temp[2:4]  after 2): writes where"},
	{"exscan has one rank too many", schedule.Call{Op: schedule.ExScan, Size: 2, Count: 2}, schedule.Ordered,
		func(s *schedule.Schedule, c *schedule.Call) {
			if c.Rank == 0 {
				s.Send(1, c.Input())
				return
			}
			s.Recv(0, c.Output())
			s.Reduce(c.Output(), c.Output(), c.Input())
		}, "want ranks 0 to 0"},
	{"a hole is written", schedule.Call{Op: schedule.AllGather, Size: 1, Count: 2, Of: schedule.Blocks{Counts: []int{2}, Displs: []int{1}}}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			s.Copy(schedule.Span{Buf: schedule.Out, Off: 0, Len: 2}, c.Input())
		}, "lets nobody write"},
	{"beyond the end", schedule.Call{Op: schedule.Bcast, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			wide := schedule.Span{Buf: schedule.Out, Off: 0, Len: 3}
			if c.Rank == 0 {
				s.Send(1, wide)
			} else {
				s.Recv(0, wide)
			}
		}, "out[0:3] is no part of out, which has 2 elements"},
	{"to nobody", schedule.Call{Op: schedule.Bcast, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) { s.Send(2, c.Output()) }, "no such peer"},
	{"not received", schedule.Call{Op: schedule.Bcast, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			if c.Rank == 0 {
				s.Send(1, c.Output())
			}
		}, "nobody receives it"},
	{"not sent", schedule.Call{Op: schedule.Bcast, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			if c.Rank == 1 {
				s.Recv(0, c.Output())
			}
		}, "rank 0 sends 0 messages"},
	{"lengths differ", schedule.Call{Op: schedule.Bcast, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			if c.Rank == 0 {
				s.Send(1, c.Output())
			} else {
				s.Recv(0, c.Output().Part(0, 1))
			}
		}, "rank 0 sends 2 elements"},
	{"both receive first", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			tmp := s.Scratch(2)
			s.Recv(1-c.Rank, tmp)
			s.Send(1-c.Rank, tmp)
		}, "deadlock, waiting are rank 0 at step 1 for step 0 (recv 1#0 temp[0:2]); rank 1 at step 1"},
	{"sends that complete with their receives only", schedule.Call{Op: schedule.AllReduce, Size: 2, Count: 2}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			out := c.Output()
			s.Copy(out, c.Input())
			s.Send(1-c.Rank, out)
			s.Recv(1-c.Rank, out)
		}, "deadlock"},
	{"a barrier that one rank leaves early", schedule.Call{Op: schedule.Barrier, Size: 3}, 0,
		func(s *schedule.Schedule, c *schedule.Call) {
			if token := s.Token(); c.Rank > 0 {
				s.Send(0, token)
				s.Recv(0, token)
				return
			}
			for r := 1; r < 3; r++ {
				token := s.Token()
				s.Recv(r, token)
				s.Send(r, token)
			}
		}, "barrier, rank 1 of 3: may end before rank 2 has started"},
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	for _, w := range wrongs {
		call := func(rank int) schedule.Call {
			c := w.call
			c.Rank = rank
			return c
		}
		all := schedule.All(nil, call, w.build)
		err := schedule.Check(all, w.rule)
		if err == nil || !strings.Contains(err.Error(), w.want) {
			t.Errorf("%s: got %v, want …%s…\n%s", w.name, err, w.want, spell(all))
		}
		if verdict(all, w.rule) == nil {
			t.Errorf("%s: the judge finds nothing", w.name)
		}
	}
}

// What each of the algorithms of the table above would be with its mistake put right.
func TestCheckFindsNothingWrongWithWhatIsRight(t *testing.T) {
	for _, x := range []struct {
		op    schedule.Operation
		rule  schedule.Bracketing
		until func(c *schedule.Call) int
	}{
		{schedule.AllReduce, schedule.Ordered, func(c *schedule.Call) int { return c.Size }},
		{schedule.Scan, schedule.Ordered, func(c *schedule.Call) int { return c.Rank + 1 }},
	} {
		for size := 1; size < 8; size++ {
			for _, shape := range scheduletest.Shapes(x.op, size, 0) {
				all := schedule.All(nil, shape.Call, func(s *schedule.Schedule, c *schedule.Call) { toAll(s, c, x.until(c)) })
				if err := schedule.Check(all, x.rule, 0, 1, 2, 3, 4); err != nil {
					t.Errorf("%v of %d, %s: %v", x.op, size, shape.Name, err)
				}
			}
		}
	}
}

func TestCheckRefusesCallsThatAreNone(t *testing.T) {
	for name, x := range map[string]struct {
		change func(c *schedule.Call)
		want   string
	}{
		"operation":      {func(c *schedule.Call) { c.Op = schedule.Operations }, "is in Operation(11)"},
		"rank":           {func(c *schedule.Call) { c.Rank = 7 }, "is called rank 7 of 3, want 1 of 3"},
		"size":           {func(c *schedule.Call) { c.Size = 4 }, "is called rank 1 of 4"},
		"root":           {func(c *schedule.Call) { c.Root = 2 }, "has root 2, rank 0 has 0"},
		"count":          {func(c *schedule.Call) { c.Count = -1 }, "has count -1"},
		"huge":           {func(c *schedule.Call) { c.Count = 1 << 62 }, "has count"},
		"other lengths":  {func(c *schedule.Call) { c.Of.Counts = []int{1, 1, 2} }, "has other block lengths"},
		"displacements":  {func(c *schedule.Call) { c.Of.Displs = []int{1} }, "Of has 1 displacements, want 3"},
		"negative place": {func(c *schedule.Call) { c.Of.Displs = []int{1, -1, 3} }, "Of has a displacement of -1"},
	} {
		all := schedule.All(nil, func(rank int) schedule.Call {
			return schedule.Call{Op: schedule.Gather, Size: 3, Rank: rank, Count: 2}
		}, func(*schedule.Schedule, *schedule.Call) {})
		x.change(&all[1].Call)
		if err := schedule.Check(all, 0); err == nil || !strings.Contains(err.Error(), "rank 1's call "+x.want) {
			t.Errorf("%s: got %v, want …rank 1's call %s…", name, err, x.want)
		}
	}
	if schedule.Check(nil, 0) == nil {
		t.Error("no ranks: no error")
	}
	overlap := schedule.All(nil, func(rank int) schedule.Call {
		return schedule.Call{Op: schedule.AllGather, Size: 2, Rank: rank, Count: 2, Of: schedule.Blocks{Displs: []int{0, 1}}}
	}, func(*schedule.Schedule, *schedule.Call) {})
	if err := schedule.Check(overlap, 0); err == nil || !strings.Contains(err.Error(), "which overlap") {
		t.Errorf("blocks that overlap: got %v", err)
	}
}

// A check of each element would not end.
func TestCheckOfLongVectorsCostsWhatThatOfShortOnesDoes(t *testing.T) {
	for _, a := range algo.All {
		for _, size := range []int{3, 8} {
			call := func(rank int) schedule.Call {
				return schedule.Call{Op: a.Op, Rank: rank, Size: size, Count: 1 << 34, Segment: 1 << 31}
			}
			if c := call(0); a.Refuses != nil && a.Refuses(&c) != "" {
				continue
			}
			if err := schedule.Check(schedule.All(nil, call, a.Build), a.Bracketing, 0, 1); err != nil {
				t.Errorf("%v %s of %d: %v", a.Op, a.Name, size, err)
			}
		}
	}
}

// FuzzCheck has Check and the judge decide about steps that mean nothing.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{6, 3, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{0, 2, 2, 0, 0, 1, 0, 0, 1, 1, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		take := func() int {
			if len(data) == 0 {
				return 0
			}
			x := data[0]
			data = data[1:]
			return int(x)
		}
		op := schedule.Operation(take() % int(schedule.Operations))
		size := 1 + take()%4
		shapes := scheduletest.Shapes(op, size, take()%size)
		shape := shapes[take()%len(shapes)]
		all := schedule.All(nil, shape.Call, func(*schedule.Schedule, *schedule.Call) {})
		rule := schedule.Bracketing(take() % 3)
		span := func() schedule.Span {
			return schedule.Span{Buf: schedule.Buffer(take() % 4), Off: take()%12 - 1, Len: take()%5 - 1}
		}
		broken := false // in a way that the judge does not look for
		for i := 0; len(data) > 0 && i < 24; i++ {
			s := all[take()%size]
			s.Temp = take() % 8
			n := len(s.Steps)
			step := schedule.Step{
				Kind: schedule.Kind(take() % 5), Peer: take()%(size+1) - take()%2, Number: take()%3 | take()/255*math.MaxInt,
				Dst: span(), A: span(), B: span(),
			}
			for j := range n {
				if take()%2 == 0 {
					step.After = append(step.After, j)
				}
			}
			if take()%16 == 15 {
				step.After = append(step.After, take()-100)
				broken = true
			}
			broken = broken || step.Kind > schedule.Move || max(step.A.Buf, step.B.Buf, step.Dst.Buf) > schedule.Temp
			s.Steps = append(s.Steps, step)
		}
		got := schedule.Check(all, rule, 0, 1, 2, 31)
		if broken {
			return
		}
		if want := verdict(all, rule); (got == nil) != (want == nil) {
			t.Fatalf("got %v, want %v\n%s", got, want, spell(all))
		}
	})
}
