package tune

import (
	"math/rand/v2"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

func TestATableSaysWhatGoesThroughSharedMemory(t *testing.T) {
	table := parse(t, head+`
allgather ranks=4 hosts=one
    below 64      bruck
    below 1KiB    shared-memory or bruck
    below 64KiB   shared-memory or ring
    else          ring
`)
	s, why := Share(table, schedule.AllGather, 5, algo.Unordered, true)
	if got, want := s.String(), "from 64 to below 64KiB"; got != want || why != "table: allgather ranks=4 hosts=one" {
		t.Errorf("%s (%s), want %s", got, why, want)
	}
	// What blocks not gets the algorithm beside it.
	c, err := New(table, schedule.Params{}).Choose(Query{Call: &schedule.Call{Op: schedule.AllGather, Size: 5, Count: 2000}, Width: 1})
	if err != nil || c.Name != "ring" || c.Why != "table: allgather ranks=4 hosts=one, below 64KiB" {
		t.Errorf("%s (%s), %v", c.Name, c.Why, err)
	}
	if s, _ := Share(table, schedule.AllGather, MaxSharers+1, algo.Unordered, true); s.At(100) {
		t.Errorf("more than %d ranks share memory", MaxSharers)
	}
}

// Size by size, a sharing says what the use for that size says.
func TestSharingIsWhatTheUsesSay(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		e := Entry{Case: Case{Op: schedule.Bcast, Ranks: 4}}
		for below := range r.IntN(6) {
			e.Uses = append(e.Uses, Use{Below: 10 * (below + 1), Name: "binomial", Shared: r.IntN(2) > 0})
		}
		e.Uses = append(e.Uses, Use{Name: "chain", Shared: r.IntN(2) > 0})
		s := e.sharing()
		for bytes := range 80 {
			if got, want := s.At(bytes), e.use(bytes).Shared; got != want {
				t.Fatalf("seed %d, %+v, %d bytes: %v, want %v", seed, e.Uses, bytes, got, want)
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i].Shared == s[i-1].Shared {
				t.Fatalf("seed %d: %v has neighbours that say the same", seed, s)
			}
		}
	}
}

func TestWhatIsBuiltInNamesItsSizes(t *testing.T) {
	for _, test := range []struct {
		op         schedule.Operation
		ranks      int
		order      algo.Bracketing
		oneProcess bool
		want       string
	}{
		{schedule.Barrier, 2, algo.Unordered, true, "of all sizes"},
		{schedule.Bcast, 8, algo.Unordered, false, "of all sizes"},
		{schedule.Scatter, 8, algo.Unordered, true, "below 128KiB"},
		{schedule.AllReduce, 8, algo.Canonical, true, "of all sizes"},
		{schedule.AllReduce, 2, algo.Canonical, true, "below 16KiB"},
		{schedule.Scan, 8, algo.Canonical, false, "of all sizes"},
		{schedule.Scan, 8, algo.Ordered, false, "from 16KiB on"},
		{schedule.Scan, 300, algo.Ordered, false, "of no size"},
	} {
		if s, _ := Share(nil, test.op, test.ranks, test.order, test.oneProcess); s.String() != test.want {
			t.Errorf("%v of %d ranks, order %v, one process %v: %v, want %s", test.op, test.ranks, test.order, test.oneProcess, s, test.want)
		}
	}
}

// Predict puts first what Choose takes, where the size is a power of two.
func TestPredictionsAgreeWithTheChoice(t *testing.T) {
	params := Params(SharedMemory, TCP)
	for op := range schedule.Operations {
		for _, p := range []int{1, 2, 5, 8} {
			for _, n := range []int{1, 4096} {
				q := Query{Call: &schedule.Call{Op: op, Size: p, Count: n, Segment: Segment(8)}, Width: 8, Order: algo.Canonical}
				list := Predict(q, params)
				c, err := New(nil, params).Choose(q)
				if err != nil || len(list) != len(algo.Of(op)) || c.Name != list[0].Name || list[0].Refused != "" || list[0].TooLong {
					t.Errorf("%v of %d ranks, %d elements: chosen %s, %v; predicted %+v", op, p, n, c.Name, err, list[0])
				}
			}
		}
	}
}

// A bounded schedule counts what a whole one has, and the empty steps.
func TestTooLongIsToldWithoutBuilding(t *testing.T) {
	for _, a := range algo.All {
		c := schedule.Call{Op: a.Op, Size: 16, Count: 3, Segment: 1}
		if a.Refuses != nil && a.Refuses(&c) != "" {
			continue
		}
		most, s := 0, schedule.New(c)
		for r := range c.Size {
			if r > 0 && a.Turns {
				break
			}
			c := c
			c.Rank = r
			s.Reset(c)
			a.Build(s, &c)
			if most += s.Asked(); s.Asked() < len(s.Steps) {
				t.Errorf("%v %s, rank %d: %d steps asked for, %d there", a.Op, a.Name, r, s.Asked(), len(s.Steps))
			}
		}
		if a.Turns {
			continue // has a bound of its own
		}
		if tooLong(a, c, c.Size, most) || !tooLong(a, c, c.Size, most-1) {
			t.Errorf("%v %s: the bound is not %d", a.Op, a.Name, most)
		}
	}
}
