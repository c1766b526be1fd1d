package tune

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// fixed returns a Chooser to which algorithms cost what the map says, and an hour
// where it says nothing.
func fixed(table *Table, times map[string]time.Duration) *Chooser {
	ch := New(table, schedule.Params{})
	ch.cost = func(a algo.Algorithm, _ schedule.Call, _ int) time.Duration {
		if t, ok := times[a.Name]; ok {
			return t
		}
		return time.Hour
	}
	return ch
}

func TestTheTableDecidesWhereItCan(t *testing.T) {
	ch := fixed(parse(t, example), map[string]time.Duration{"neighbour-exchange": time.Microsecond})
	for _, test := range []struct {
		call      schedule.Call
		name, why string
	}{
		{schedule.Call{Op: schedule.AllGather, Size: 8, Count: 128}, "bruck", "table: allgather ranks=8 hosts=one, below 1025"},
		{schedule.Call{Op: schedule.AllGather, Size: 8, Count: 129}, "recursive-doubling", "table: allgather ranks=8 hosts=one, below 64KiB"},
		{schedule.Call{Op: schedule.AllGather, Size: 64, Count: 1 << 20}, "ring", "table: allgather ranks=8 hosts=one, else"},
		{schedule.Call{Op: schedule.AllGather, Size: 4, Of: schedule.Blocks{Counts: []int{0, 0, 0, 512}}}, "bruck", "table: allgather ranks=8 hosts=one, below 1025"},
		{schedule.Call{Op: schedule.AllGather, Size: 4, Hosts: []int{3, 3, 3, 3}}, "bruck", "table: allgather ranks=8 hosts=one, below 1025"},
		{schedule.Call{Op: schedule.AllGather, Size: 4, Hosts: []int{3, 3, 3, 1}}, "neighbour-exchange", "cost walk: 1µs, then "},
	} {
		got, err := ch.Choose(Query{Call: &test.call, Width: 8})
		if err != nil || got.Name != test.name || !strings.HasPrefix(got.Why, test.why) {
			t.Errorf("%+v: %s (%s), %v; want %s (%s)", test.call, got.Name, got.Why, err, test.name, test.why)
		}
	}
}

// If what the table names refuses the call, the times decide.
func TestTheTableIsNotAskedForTheImpossible(t *testing.T) {
	table := parse(t, head+"allgather ranks=8 hosts=one\n else neighbour-exchange\n")
	ch := fixed(table, map[string]time.Duration{"ring": 2, "neighbour-exchange": 1, "bruck": 3})
	got, err := ch.Choose(Query{Call: &schedule.Call{Op: schedule.AllGather, Size: 7, Count: 1}, Width: 1})
	if want := "cost walk: 2ns, then bruck with 3ns"; err != nil || got.Name != "ring" || got.Why != want {
		t.Errorf("%s (%s), %v; want ring (%s)", got.Name, got.Why, err, want)
	}
}

// A dumb twin of find: sorted by the rule, in floating point.
func TestTheNearestEntryIsTaken(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		table := new(Table)
		for range 1 + r.IntN(8) {
			table.Entries = append(table.Entries, Entry{Case: Case{
				Op: schedule.AllReduce, Ranks: 1 + r.IntN(40), Hosts: r.IntN(2) > 0, Order: algo.Bracketing(r.IntN(3)),
			}})
		}
		want := Case{Op: schedule.AllReduce, Ranks: 1 + r.IntN(40), Hosts: r.IntN(2) > 0, Order: algo.Bracketing(r.IntN(3))}
		var list []Case
		for _, e := range table.Entries {
			if e.Hosts == want.Hosts && e.Order >= want.Order {
				list = append(list, e.Case)
			}
		}
		ratio := func(c Case) float64 {
			return float64(max(c.Ranks, want.Ranks)) / float64(min(c.Ranks, want.Ranks))
		}
		slices.SortStableFunc(list, func(a, b Case) int {
			switch x, y := ratio(a), ratio(b); {
			case x < y:
				return -1
			case x > y:
				return 1
			case a.Order != b.Order:
				return int(a.Order) - int(b.Order)
			}
			return a.Ranks - b.Ranks
		})
		got := table.find(want)
		if (got == nil) != (len(list) == 0) || got != nil && got.Case != list[0] {
			t.Fatalf("seed %d: of %v nearest to %v is %v, want %v", seed, table.Entries, want, got, list)
		}
	}
}

func TestAnAlgorithmCanBeAskedFor(t *testing.T) {
	ch := fixed(nil, nil)
	for _, test := range []struct {
		query Query
		err   string // "": it is chosen
	}{
		{Query{Using: "ring", Call: &schedule.Call{Op: schedule.AllGather, Size: 3}}, ""},
		{Query{Using: "neighbour-exchange", Call: &schedule.Call{Op: schedule.AllGather, Size: 3}},
			`tune: that algorithm cannot be used: "neighbour-exchange" of allgather needs an even number of ranks`},
		{Query{Using: "quick", Call: &schedule.Call{Op: schedule.Scatter, Size: 3}},
			`tune: that algorithm cannot be used: no algorithm of scatter is called "quick"; there are ` + names(schedule.Scatter)},
		{Query{Using: "recursive-doubling", Call: &schedule.Call{Op: schedule.AllReduce, Size: 3}, Order: algo.Canonical}, ""},
		{Query{Using: "ring", Call: &schedule.Call{Op: schedule.AllReduce, Size: 3}}, ""},
		{Query{Using: "ring", Call: &schedule.Call{Op: schedule.AllReduce, Size: 3}, Order: algo.Canonical},
			`tune: that algorithm cannot be used: "ring" of allreduce combines in any order, and canonical is asked for`},
	} {
		got, err := ch.Choose(test.query)
		switch {
		case test.err == "" && (err != nil || got.Name != test.query.Using || got.Why != "asked for"):
			t.Errorf("%q: %s (%s), %v", test.query.Using, got.Name, got.Why, err)
		case test.err != "" && (!errors.Is(err, ErrUsing) || err.Error() != test.err):
			t.Errorf("%q: %v, want %s", test.query.Using, err, test.err)
		}
	}
}

// Times are predicted once for all calls between two powers of two.
func TestPredictionsAreKept(t *testing.T) {
	var asked []int
	ch := New(nil, schedule.Params{})
	ch.cost = func(a algo.Algorithm, c schedule.Call, _ int) time.Duration {
		if a.Name == "ring" {
			asked = append(asked, c.Count)
		}
		return time.Duration(c.Count)
	}
	for n := range 18 {
		if _, err := ch.Choose(Query{Call: &schedule.Call{Op: schedule.AllGather, Size: 3, Rank: n % 3, Count: n}, Width: 4}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int{1, 2, 4, 8, 16}; !slices.Equal(asked, want) {
		t.Errorf("predicted for %v elements, want %v", asked, want)
	}
}

func TestTheHashIsOfWhatIsChosen(t *testing.T) {
	a := parse(t, head+"allgather ranks=8 hosts=one\n else ring\ngather ranks=8 hosts=one\n else linear\n")
	same := parse(t, "machine x\ndate x\ncommit x\ncommand x\ngather ranks=8 hosts=one\n else linear\nallgather ranks=8 hosts=one\n else ring\n")
	if a.Hash() != same.Hash() {
		t.Error("head and order of entries change the hash")
	}
	for _, other := range []string{
		"allgather ranks=8 hosts=one\n else bruck\ngather ranks=8 hosts=one\n else linear\n",
		"allgather ranks=8 hosts=many\n else ring\ngather ranks=8 hosts=one\n else linear\n",
		"allgather ranks=8 hosts=one\n below 2 ring\n else ring\ngather ranks=8 hosts=one\n else linear\n",
		"allgather ranks=8 hosts=one\n else ring\n",
	} {
		if parse(t, head+other).Hash() == a.Hash() {
			t.Errorf("the same hash for\n%s", other)
		}
	}
}

// Whatever is chosen carries the call out, keeps the order asked for, and costs the
// least of those that do.
func TestTheCostWalkDecidesElse(t *testing.T) {
	for op := range schedule.Operations {
		for _, p := range []int{1, 2, 3, 7, 8, 12} {
			hosts := make([]int, p)
			for r := range hosts {
				hosts[r] = r / 4
			}
			ch := New(nil, Params(SharedMemory, TCP))
			for _, order := range []algo.Bracketing{algo.Unordered, algo.Ordered, algo.Canonical} {
				for _, n := range []int{0, 1, 1000, 1 << 20} {
					if op == schedule.AllToAll {
						n /= p
					}
					q := Query{Call: &schedule.Call{Op: op, Size: p, Count: n, Hosts: hosts}, Width: 8, Order: order}
					got, err := ch.Choose(q)
					if err != nil {
						t.Fatal(err)
					}
					if got.Refuses != nil && got.Refuses(q.Call) != "" || op.Reduces() && got.Bracketing < order {
						t.Fatalf("%v of %d ranks, %d elements, order %v: %s (%s)", op, p, n, order, got.Name, got.Why)
					}
					for _, c := range ch.Candidates(q) {
						if c.Refused == "" && c.Time < ch.time(got.Algorithm, q) {
							t.Fatalf("%v of %d ranks, %d elements, order %v: %s (%s), but %s costs %v",
								op, p, n, order, got.Name, got.Why, c.Name, c.Time)
						}
					}
				}
			}
		}
	}
}

// Few bytes are a matter of steps, many of bytes, and several hosts of what crosses
// between them.
func TestTheCostWalkIsSensible(t *testing.T) {
	dealt := make([]int, 12)
	for r := range dealt {
		dealt[r] = r % 3
	}
	for _, test := range []struct {
		call schedule.Call
		want []string // one of these
	}{
		{schedule.Call{Op: schedule.AllGather, Size: 16, Count: 1}, []string{"recursive-doubling", "bruck"}},
		{schedule.Call{Op: schedule.AllGather, Size: 15, Count: 1}, []string{"bruck"}},
		{schedule.Call{Op: schedule.AllToAll, Size: 16, Count: 1}, []string{"bruck"}},
		{schedule.Call{Op: schedule.AllToAll, Size: 16, Count: 1 << 16}, []string{"spread", "pairwise"}},
		{schedule.Call{Op: schedule.Bcast, Size: 12, Count: 1, Hosts: dealt}, []string{"two-level"}},
		{schedule.Call{Op: schedule.Barrier, Size: 12, Hosts: dealt}, []string{"two-level"}},
		{schedule.Call{Op: schedule.AllReduce, Size: 12, Count: 1, Hosts: dealt}, []string{"two-level", "lanes"}},
	} {
		ch := New(nil, Params(TCP, TCP))
		if test.call.Hosts != nil {
			ch = New(nil, Params(SharedMemory, TCP))
		}
		q := Query{Call: &test.call, Width: 8}
		if got, err := ch.Choose(q); err != nil || !slices.Contains(test.want, got.Name) {
			t.Errorf("%v of %d ranks, %d elements: %s (%s), %v; want %v of %+v", test.call.Op, test.call.Size, test.call.Count, got.Name, got.Why, err, test.want, summary(ch.Candidates(q)))
		}
	}
}

func summary(list []Candidate) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "\n  %s %v %s", c.Name, c.Time, c.Refused)
	}
	return b.String()
}

// A million ranks' worth of steps, and vectors of terabytes, are not walked through.
func TestWalksAreBounded(t *testing.T) {
	ch := New(nil, Params(TCP, TCP))
	for _, c := range []schedule.Call{
		{Op: schedule.Bcast, Size: 3, Count: 1 << 37},
		{Op: schedule.Reduce, Size: 2048, Count: 1 << 20},
	} {
		if _, err := ch.Choose(Query{Call: &c, Width: 8}); err != nil {
			t.Error(err)
		}
	}
}
