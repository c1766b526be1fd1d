package tune

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// fixed predicts the times in the map, and an hour for what is not there.
func fixed(times map[string]time.Duration) Predict {
	return func(a algo.Algorithm, _ *schedule.Call, _ int) time.Duration {
		if t, ok := times[a.Name]; ok {
			return t
		}
		return time.Hour
	}
}

func TestTheTableDecidesWhereItCan(t *testing.T) {
	ch := New(parse(t, example), fixed(map[string]time.Duration{"neighbour-exchange": time.Microsecond}))
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
	ch := New(table, fixed(map[string]time.Duration{"ring": 2, "neighbour-exchange": 1, "bruck": 3}))
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
	ch := New(nil, fixed(nil))
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
	ch := New(nil, func(a algo.Algorithm, c *schedule.Call, width int) time.Duration {
		if a.Name == "ring" {
			asked = append(asked, c.Count)
		}
		return time.Duration(c.Count)
	})
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
